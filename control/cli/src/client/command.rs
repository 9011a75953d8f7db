//! The client's part of the command line.

use std::process::ExitCode;

use clap::Subcommand;
use inlay_api::objects::Kind;

use super::{
    flags::{
        acl::AclFlags, project::ProjectFlags, route_table::RouteTableFlags, subnet::SubnetFlags,
    },
    scope::NetworkScope,
    verbs::{
        Session, context, events, host, network, node,
        object::{ReadVerb, Verb as ObjectVerb},
        peering, security_group, status, token,
    },
};
use crate::{Globals, apply};

/// The verbs that ask a manager.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Which manager is meant, and who one is there
    #[command(subcommand)]
    Context(context::Verb),
    /// The accounts that own networks
    #[command(subcommand)]
    Project(ObjectVerb<ProjectFlags>),
    /// The operator's machines
    #[command(subcommand)]
    Host(host::Verb),
    /// Who may call the API
    #[command(subcommand)]
    Token(token::Verb),
    /// Virtual networks, and the way of a packet through one
    #[command(subcommand)]
    Network(network::Verb),
    /// Parts of a network's addresses
    #[command(subcommand)]
    Subnet(ObjectVerb<SubnetFlags>),
    /// VMs, containers and machines of a network
    #[command(subcommand)]
    Node(node::Verb),
    /// The ports of a network's nodes, as the manager knows them; `inlay ports` asks this host's dataplane
    #[command(subcommand)]
    Port(ReadVerb<NetworkScope>),
    /// Stateful allow rules of the ports in a group; `inlay rules` shows those in force on this host
    #[command(subcommand, visible_alias = "sg")]
    SecurityGroup(security_group::Verb),
    /// Ordered, stateless rules of subnets
    #[command(subcommand)]
    Acl(ObjectVerb<AclFlags>),
    /// Where packets of subnets go
    #[command(subcommand, visible_alias = "rt")]
    RouteTable(ObjectVerb<RouteTableFlags>),
    /// Two networks that agree to reach each other
    #[command(subcommand)]
    Peering(peering::Verb),
    /// Makes what is there as files say: shows the difference, asks, and changes only that
    Apply(apply::Arguments),
    /// Prints what is there as documents that `apply` takes
    Export(apply::export::Arguments),
    /// The hosts: how each is, and how far
    Status(status::Arguments),
    /// Who changed what
    Events(events::Arguments),
}

impl Verb {
    pub(crate) fn run(&self, globals: &Globals) -> anyhow::Result<ExitCode> {
        let session = || Session::open(globals);
        match self {
            Self::Context(verb) => verb.run(globals)?,
            Self::Project(verb) => verb.run(&session()?)?,
            Self::Host(verb) => verb.run(&session()?)?,
            Self::Token(verb) => verb.run(&session()?)?,
            Self::Network(verb) => return verb.run(&session()?),
            Self::Subnet(verb) => verb.run(&session()?)?,
            Self::Node(verb) => verb.run(globals)?,
            Self::Port(verb) => verb.run(&session()?, Kind::Port)?,
            Self::SecurityGroup(verb) => verb.run(&session()?)?,
            Self::Acl(verb) => verb.run(&session()?)?,
            Self::RouteTable(verb) => verb.run(&session()?)?,
            Self::Peering(verb) => verb.run(&session()?)?,
            Self::Apply(arguments) => arguments.run(&session()?)?,
            Self::Export(arguments) => arguments.run(&session()?)?,
            Self::Status(arguments) => return arguments.run(&session()?),
            Self::Events(arguments) => arguments.run(&session()?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
