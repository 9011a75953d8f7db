//! `inlay peering`: one project asks, the other answers.

use clap::{Args, Subcommand};
use inlay_api::objects::Kind;

use super::{
    Session,
    object::{FixedVerb, report},
};
use crate::client::{
    flags::peering::PeeringFlags,
    mutation::MutationFlags,
    scope::{ProjectScope, ScopeFlags as _},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    Object(FixedVerb<PeeringFlags>),
    /// Agrees to a peering that another project asks for
    Accept(Reply),
    /// Refuses it
    Reject(Reply),
}

/// What is replied to.
#[derive(Args, Debug)]
pub(crate) struct Reply {
    name: String,
    /// `--project` is the one that asks: the peering is part of it
    #[command(flatten)]
    scope: ProjectScope,
    #[command(flatten)]
    mutation: MutationFlags,
}

impl Verb {
    pub(crate) fn run(&self, session: &Session) -> anyhow::Result<()> {
        match self {
            Self::Object(verb) => verb.run(session),
            Self::Accept(reply) => reply.send(session, "accept"),
            Self::Reject(reply) => reply.send(session, "reject"),
        }
    }
}

impl Reply {
    fn send(&self, session: &Session, action: &str) -> anyhow::Result<()> {
        let place = self.scope.place(&session.api.connection)?;
        let target = (Kind::Peering, &place, self.name.as_str());
        let how = self.mutation.how();
        let answer = session.api.act(target, action, None, how)?;
        report(session, Kind::Peering, &answer, how)
    }
}
