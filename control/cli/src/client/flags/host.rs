//! What may be said of a host.

use std::collections::BTreeMap;

use clap::Args;
use inlay_api::objects::{HostNodeType, HostSpec};

use super::{Flags, Write, node::Type, numbers, set, set_some};
use crate::client::{failure::Failure, scope::SystemScope};

/// Hosts.
#[derive(Debug)]
pub(crate) struct HostFlags;

impl Flags for HostFlags {
    type Spec = HostSpec;
    type Scope = SystemScope;
    type Create = Create;
    type Update = Change;
    const CONCERNS_HOSTS: bool = false;
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Create {
    /// The /64 of the substrate that the fabric routes to it
    #[arg(long, value_name = "2001:db8:0:1::/64")]
    prefix: String,
    #[command(flatten)]
    change: Change,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Change {
    /// A line for people
    #[arg(long)]
    description: Option<String>,
    /// Where it is, like fra1
    #[arg(long)]
    location: Option<String>,
    /// The most nodes of each type that it takes, like netns=100,tap=10
    #[arg(long, value_name = "TYPE=N,…", value_parser = numbers::<Type>)]
    capacity: Option<BTreeMap<Type, u64>>,
    /// Addresses of all nodes of all networks that it may have to know
    #[arg(long, value_name = "N")]
    mappings_max: Option<u64>,
    /// Flows of a port whose node says nothing else, a power of two
    #[arg(long, value_name = "N")]
    flows_per_port: Option<u64>,
}

impl Write<HostSpec> for Create {
    fn write(&self, spec: &mut HostSpec) -> Result<(), Failure> {
        spec.prefix.clone_from(&self.prefix);
        self.change.write(spec)
    }
}

impl Write<HostSpec> for Change {
    fn write(&self, spec: &mut HostSpec) -> Result<(), Failure> {
        set(&mut spec.description, self.description.as_ref());
        set(&mut spec.location, self.location.as_ref());
        set_some(&mut spec.mappings_max, self.mappings_max);
        set_some(&mut spec.flows_per_port, self.flows_per_port);
        if let Some(capacity) = &self.capacity {
            let types = capacity.iter().map(|(node_type, capacity)| HostNodeType {
                node_type: node_type.0,
                capacity: *capacity,
            });
            spec.node_types = Some(types.collect());
        }
        Ok(())
    }
}
