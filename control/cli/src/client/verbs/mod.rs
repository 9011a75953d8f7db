//! The verbs of a client.

pub(crate) mod context;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod host;
pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod object;
pub(crate) mod peering;
pub(crate) mod security_group;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod trace;

use super::api::Api;
use crate::{Globals, output::Format};

/// A manager, and how what it answers is printed.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) api: Api,
    pub(crate) format: Format,
}

impl Session {
    /// Of the context that is meant.
    pub(crate) fn open(globals: &Globals) -> anyhow::Result<Self> {
        Ok(Self {
            api: Api::connect(globals.context.as_deref())?,
            format: globals.output,
        })
    }
}
