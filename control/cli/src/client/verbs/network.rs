//! `inlay network`.

use std::process::ExitCode;

use clap::Subcommand;

use super::{Session, object, trace};
use crate::client::flags::network::NetworkFlags;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    Object(object::Verb<NetworkFlags>),
    /// What becomes of a packet on its whole way, asked of the program of each host; changes nothing
    Trace(trace::Arguments),
}

impl Verb {
    pub(crate) fn run(&self, session: &Session) -> anyhow::Result<ExitCode> {
        match self {
            Self::Object(verb) => verb.run(session)?,
            Self::Trace(arguments) => return arguments.run(session),
        }
        Ok(ExitCode::SUCCESS)
    }
}
