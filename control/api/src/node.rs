//! Nodes, where they are, and the ports of those that are on this host.

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::{FlowsMax, GroupIndex, HostIndex, InterfaceName, MacAddress, Name, SubnetIndex};

/// A VM, container or machine of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Node {
    /// Name of the node, unique in its network.
    pub name: Name,
    /// The host it is on.
    pub place: Place,
    /// The subnet that all its addresses are in.
    pub subnet: SubnetIndex,
    pub(crate) addresses: Vec<Ipv4Addr>,
    /// Its link address, unique in its network.
    pub mac: MacAddress,
    /// The groups it is in: 1 to [`NODE_GROUPS_MAX`](crate::limits::NODE_GROUPS_MAX), each once.
    pub security_groups: Vec<GroupIndex>,
    /// The port that this host has ready for it while it is on another one: it is about to move here. Packets go to
    /// where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prepared: Option<Port>,
    /// Whether it may send from, and receive for, any address: a router or a firewall. Its link
    /// address is checked all the same.
    pub forwarding: bool,
    /// Whether what it sends as a DHCP client is passed to its host, which answers.
    pub dhcp: bool,
}

impl Node {
    /// Its virtual addresses, the primary one first: 1 to
    /// [`NODE_ADDRESSES_MAX`](crate::limits::NODE_ADDRESSES_MAX), unique in the network.
    #[must_use]
    pub fn addresses(&self) -> &[Ipv4Addr] {
        &self.addresses
    }

    /// Its port on this host, where it has one: it is here, or about to be.
    #[must_use]
    pub fn local_port(&self) -> Option<&Port> {
        match &self.place {
            Place::Local(port) => Some(port),
            Place::Remote(_) => self.prepared.as_ref(),
        }
    }

    /// Its first virtual address.
    #[must_use]
    pub fn primary_address(&self) -> Ipv4Addr {
        self.addresses[0]
    }
}

/// The host a node is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// This host, behind this port.
    Local(Port),
    /// Another host.
    Remote(HostIndex),
}

/// The interface by which a node of this host joins its network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Port {
    /// Host's side of the interface, unique on the host and no uplink.
    pub interface: InterfaceName,
    /// Flows it may hold at a time.
    pub flows_max: FlowsMax,
    /// Flows it may open in a second, within
    /// [`NEW_FLOWS_PER_S`](crate::limits::NEW_FLOWS_PER_S).
    pub new_flows_per_s: u32,
}
