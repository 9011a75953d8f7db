//! Nodes: a tenant's VMs, containers and machines.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Kind, Object, ObjectKind};

/// A VM, container or machine of a network.
pub type Node = Object<NodeSpec, NodeStatus>;

/// What is wanted of a node. Type, subnet, addresses and MAC address cannot be changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// For people; at most 255 bytes of one line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it is.
    #[serde(default, rename = "type")]
    pub node_type: NodeType,
    /// Name of the subnet that all its addresses are in.
    pub subnet: String,
    /// Its addresses, the primary one first, at most 16; chosen by the manager if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// How many addresses it has, 1 to 16, where `addresses` is left out; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_count: Option<u8>,
    /// Its MAC address; chosen by the manager if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Names of its security groups, 1 to 16; `default` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_groups: Option<Vec<String>>,
    /// Where it should be.
    #[serde(default)]
    pub placement: Placement,
    /// Of a device, which is the operator's to attach: the host's interface that it is behind. Then `placement.host` is
    /// needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Whether it may send from and receive for any address: a router or a firewall.
    #[serde(default)]
    pub forwarding: bool,
    /// Flows that it may hold at a time, a power of two within 64 to 65,536; the host's default if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows_max: Option<u64>,
    /// Flows that it may open in a second; 10,000 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_flows_per_s: Option<u64>,
}

/// How a node is made on its host.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum NodeType {
    /// A network namespace with a veth, addresses, route, MTU and DNS file.
    #[default]
    Netns,
    /// A tap device for a VM that the operator starts; addressed by DHCP.
    Tap,
    /// A machine behind an existing interface of the host; addressed by DHCP.
    Device,
}

/// Where a node should be. What is left out, the manager decides: on a host that has room for the type, in the
/// subnet's location, with the fewest nodes of the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Placement {
    /// On this host. A change moves the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// On a host of this location.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// On a host that has all these labels.
    #[serde(skip_serializing_if = "super::Labels::is_empty")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub host_labels: super::Labels,
}

/// What is known of a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NodeStatus {
    /// How far it is.
    pub state: NodeState,
    /// Why it is not ready, and what to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The host that has it.
    pub host: String,
    /// While it moves: the host that it is prepared on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub next_host: String,
    /// After it moved, until every host knows: the host that it was on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub former_host: String,
    /// The primary one first.
    pub addresses: Vec<String>,
    /// Its MAC address.
    pub mac: String,
    /// Host's side of its interface.
    pub interface: String,
}

/// How far a node is.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// Not every host that has to know of it does.
    #[default]
    Pending,
    /// The maps of all hosts concerned hold it.
    Ready,
    /// On its way to another host; it works.
    Moving,
    /// It is known everywhere, and something about its port does not work as it should.
    Degraded,
    /// Its host is not connected to the manager, or removed.
    Unreachable,
}

/// Moves a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveRequest {
    /// To this host; another one that fits if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl ObjectKind for NodeSpec {
    const KIND: Kind = Kind::Node;
    type Status = NodeStatus;
}
