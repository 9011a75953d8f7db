//! What may be said of a node.

use std::str::FromStr;

use clap::Args;
use inlay_api::objects::{NodeSpec, NodeType};

use super::{Flags, Write, key_value, set, set_or_clear, set_some};
use crate::client::{failure::Failure, scope::NetworkScope};

/// Nodes.
#[derive(Debug)]
pub(crate) struct NodeFlags;

impl Flags for NodeFlags {
    type Spec = NodeSpec;
    type Scope = NetworkScope;
    type Create = Create;
    type Update = Change;
    const CONCERNS_HOSTS: bool = true;
}

/// A type of node, as it is typed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Type(pub(crate) NodeType);

impl FromStr for Type {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "netns" => Ok(Self(NodeType::Netns)),
            "tap" => Ok(Self(NodeType::Tap)),
            "device" => Ok(Self(NodeType::Device)),
            _ => Err(format!(
                "{text} is no type of node; there are netns, tap and device"
            )),
        }
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Create {
    /// The subnet that all its addresses are in
    #[arg(long)]
    subnet: String,
    /// netns (a network namespace), tap (for a VM that you start) or device (a machine behind an interface)
    #[arg(long = "type", default_value = "netns")]
    node_type: Type,
    /// Makes so many: NAME-1, NAME-2 and so on
    #[arg(long, value_name = "N", conflicts_with_all = ["address", "mac", "interface"])]
    count: Option<u32>,
    /// An address, the primary one first; may be there 16 times; chosen if left out
    #[arg(long, value_name = "ADDR", conflicts_with = "address_count")]
    address: Vec<String>,
    /// How many addresses are chosen
    #[arg(long, value_name = "N")]
    address_count: Option<u8>,
    /// Its MAC address; chosen if left out
    #[arg(long)]
    mac: Option<String>,
    /// Of a device: the host's interface that it is behind
    #[arg(long, value_name = "NAME", requires = "host")]
    interface: Option<String>,
    #[command(flatten)]
    change: Change,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Change {
    /// A line for people
    #[arg(long)]
    description: Option<String>,
    /// A security group; may be there 16 times; `default` if left out
    #[arg(long, value_name = "NAME")]
    security_group: Option<Vec<String>>,
    /// Whether it may send from and receive for any address: a router or a firewall
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    forwarding: Option<bool>,
    /// The host that it should be on; a change moves it; empty: any
    #[arg(long)]
    host: Option<String>,
    /// On a host of this location; empty: any
    #[arg(long)]
    location: Option<String>,
    /// On a host that has this label; may be there several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    host_label: Option<Vec<(String, String)>>,
    /// Flows that it may hold at a time, a power of two
    #[arg(long, value_name = "N")]
    flows_max: Option<u64>,
    /// Flows that it may open in a second
    #[arg(long, value_name = "N")]
    new_flows_per_s: Option<u64>,
}

impl Write<NodeSpec> for Create {
    fn write(&self, spec: &mut NodeSpec) -> Result<(), Failure> {
        spec.subnet.clone_from(&self.subnet);
        spec.node_type = self.node_type.0;
        spec.addresses.clone_from(&self.address);
        spec.address_count = self.address_count;
        spec.mac.clone_from(&self.mac);
        spec.interface.clone_from(&self.interface);
        if self.node_type.0 == NodeType::Device && self.interface.is_none() {
            let what = "behind which interface is the device? Say --interface NAME and --host HOST";
            return Err(Failure::Usage(what.to_owned()));
        }
        self.change.write(spec)
    }

    fn query(&self) -> Vec<(String, String)> {
        let count = self
            .count
            .map(|count| ("count".to_owned(), count.to_string()));
        count.into_iter().collect()
    }
}

impl Write<NodeSpec> for Change {
    fn write(&self, spec: &mut NodeSpec) -> Result<(), Failure> {
        set(&mut spec.description, self.description.as_ref());
        set(&mut spec.forwarding, self.forwarding.as_ref());
        set_some(&mut spec.flows_max, self.flows_max);
        set_some(&mut spec.new_flows_per_s, self.new_flows_per_s);
        if let Some(groups) = &self.security_group {
            spec.security_groups = Some(groups.clone());
        }
        set_or_clear(&mut spec.placement.host, self.host.as_ref());
        set_or_clear(&mut spec.placement.location, self.location.as_ref());
        if let Some(labels) = &self.host_label {
            spec.placement.host_labels = labels.iter().cloned().collect();
        }
        Ok(())
    }
}
