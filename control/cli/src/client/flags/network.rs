//! What may be said of a network.

use clap::Args;
use inlay_api::objects::NetworkSpec;

use super::{Flags, Write, set};
use crate::client::{failure::Failure, scope::ProjectScope};

/// Networks.
#[derive(Debug)]
pub(crate) struct NetworkFlags;

impl Flags for NetworkFlags {
    type Spec = NetworkSpec;
    type Scope = ProjectScope;
    type Create = Create;
    type Update = Update;
    const CONCERNS_HOSTS: bool = true;
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Create {
    /// Its addresses, like 10.0.0.0/16; may be there several times
    #[arg(long, required = true)]
    cidr: Vec<String>,
    #[command(flatten)]
    change: Change,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Update {
    /// Addresses that it gets besides
    #[arg(long, value_name = "CIDR")]
    add_cidr: Vec<String>,
    /// Addresses that it loses; no subnet may use them
    #[arg(long, value_name = "CIDR")]
    remove_cidr: Vec<String>,
    #[command(flatten)]
    change: Change,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Change {
    /// A line for people
    #[arg(long)]
    description: Option<String>,
    /// A name server that nodes are told; may be there 3 times
    #[arg(long, value_name = "ADDR")]
    dns_server: Option<Vec<String>>,
    /// The domain that nodes search for names; empty: none
    #[arg(long, value_name = "DOMAIN")]
    dns_domain: Option<String>,
}

impl Write<NetworkSpec> for Create {
    fn write(&self, spec: &mut NetworkSpec) -> Result<(), Failure> {
        spec.cidrs.clone_from(&self.cidr);
        self.change.write(spec)
    }
}

impl Write<NetworkSpec> for Update {
    fn write(&self, spec: &mut NetworkSpec) -> Result<(), Failure> {
        for cidr in &self.remove_cidr {
            let there = spec.cidrs.iter().position(|there| there == cidr);
            let there = there.ok_or_else(|| {
                let cidrs = spec.cidrs.join(", ");
                Failure::NotFound(format!("the network has no {cidr}; it has {cidrs}"))
            })?;
            spec.cidrs.remove(there);
        }
        for cidr in &self.add_cidr {
            if !spec.cidrs.contains(cidr) {
                spec.cidrs.push(cidr.clone());
            }
        }
        self.change.write(spec)
    }
}

impl Write<NetworkSpec> for Change {
    fn write(&self, spec: &mut NetworkSpec) -> Result<(), Failure> {
        set(&mut spec.description, self.description.as_ref());
        set(&mut spec.dns_servers, self.dns_server.as_ref());
        set(&mut spec.dns_domain, self.dns_domain.as_ref());
        Ok(())
    }
}
