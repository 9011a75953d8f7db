//! What may be said of a subnet.

use clap::Args;
use inlay_api::objects::SubnetSpec;

use super::{Flags, Write, set, set_or_clear};
use crate::client::{failure::Failure, scope::NetworkScope};

/// Subnets.
#[derive(Debug)]
pub(crate) struct SubnetFlags;

impl Flags for SubnetFlags {
    type Spec = SubnetSpec;
    type Scope = NetworkScope;
    type Create = Create;
    type Update = Change;
    const CONCERNS_HOSTS: bool = true;
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Create {
    /// Its addresses, inside one CIDR of the network, like 10.0.1.0/24
    #[arg(long)]
    cidr: String,
    /// The virtual router's address; the first usable one if left out
    #[arg(long, value_name = "ADDR")]
    gateway: Option<String>,
    /// Its nodes are placed on hosts of this location
    #[arg(long)]
    location: Option<String>,
    #[command(flatten)]
    change: Change,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Change {
    /// A line for people
    #[arg(long)]
    description: Option<String>,
    /// Its access control list; empty: the network's default
    #[arg(long, value_name = "NAME")]
    acl: Option<String>,
    /// Its route table; empty: none
    #[arg(long, value_name = "NAME")]
    route_table: Option<String>,
}

impl Write<SubnetSpec> for Create {
    fn write(&self, spec: &mut SubnetSpec) -> Result<(), Failure> {
        spec.cidr.clone_from(&self.cidr);
        spec.gateway.clone_from(&self.gateway);
        spec.location.clone_from(&self.location);
        self.change.write(spec)
    }
}

impl Write<SubnetSpec> for Change {
    fn write(&self, spec: &mut SubnetSpec) -> Result<(), Failure> {
        set(&mut spec.description, self.description.as_ref());
        set_or_clear(&mut spec.acl, self.acl.as_ref());
        set_or_clear(&mut spec.route_table, self.route_table.as_ref());
        Ok(())
    }
}
