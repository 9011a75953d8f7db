//! `inlay node`: VMs, containers and machines of a network.

use clap::{Args, Subcommand};
use inlay_api::objects::{Kind, MoveRequest};

use super::{
    Session, exec,
    object::{self, report},
};
use crate::{
    Globals,
    client::{
        flags::node::NodeFlags,
        mutation::MutationFlags,
        scope::{NetworkScope, ScopeFlags as _},
    },
};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    Object(Box<object::Verb<NodeFlags>>),
    /// Moves it to another host while it works
    Move(Move),
    /// Runs a command in the network namespace of a node of this host; needs root, and no manager
    Exec(exec::Exec),
}

#[derive(Args, Debug)]
pub(crate) struct Move {
    name: String,
    #[command(flatten)]
    scope: NetworkScope,
    /// To this host; another one that fits if left out
    #[arg(long, value_name = "HOST")]
    to: Option<String>,
    #[command(flatten)]
    mutation: MutationFlags,
}

impl Verb {
    /// A namespace of this host is entered without a manager; all else needs one.
    pub(crate) fn run(&self, globals: &Globals) -> anyhow::Result<()> {
        match self {
            Self::Object(verb) => verb.run(&Session::open(globals)?),
            Self::Move(moving) => moving.run(&Session::open(globals)?),
            Self::Exec(exec) => exec.run(globals),
        }
    }
}

impl Move {
    fn run(&self, session: &Session) -> anyhow::Result<()> {
        let place = self.scope.place(&session.api.connection)?;
        let body = serde_json::to_value(MoveRequest {
            host: self.to.clone(),
        })?;
        let target = (Kind::Node, &place, self.name.as_str());
        let how = self.mutation.how();
        let answer = session.api.act(target, "move", Some(body), how)?;
        report(session, Kind::Node, &answer, how)
    }
}
