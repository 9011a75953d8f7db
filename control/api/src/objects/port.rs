//! Ports: the interface by which a node joins its network. Each node has one; it is read, and changed by its node.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Kind, Object, ObjectKind};

/// The interface by which a node joins its network. It has the node's name.
pub type Port = Object<PortSpec, PortStatus>;

/// What its node says of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the same as of the node")]
pub struct PortSpec {
    pub node: String,
    pub subnet: String,
    pub security_groups: Vec<String>,
    pub forwarding: bool,
}

/// What is known of a port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PortStatus {
    /// The host that has it.
    pub host: String,
    /// Host's side of the interface.
    pub interface: String,
    /// The primary one first.
    pub addresses: Vec<String>,
    /// Its MAC address.
    pub mac: String,
    /// What does not work as it should, and what to do.
    pub degraded: Vec<String>,
}

impl ObjectKind for PortSpec {
    const KIND: Kind = Kind::Port;
    type Status = PortStatus;
}
