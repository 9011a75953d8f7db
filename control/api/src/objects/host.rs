//! Hosts: the operator's machines.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Kind, NodeType, Object, ObjectKind};

/// A machine that runs one dataplane and one agent.
pub type Host = Object<HostSpec, HostStatus>;

/// What is wanted of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostSpec {
    /// For people; at most 255 bytes of one line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The /64 of the substrate that the fabric routes to it. Cannot be changed.
    pub prefix: String,
    /// Where it is, like `fra1`; any text of a label's form.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub location: String,
    /// What it takes; 256 network namespaces, 128 taps and 16 devices if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_types: Option<Vec<HostNodeType>>,
    /// Addresses of all nodes of all networks that it may have to know; 65,536 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mappings_max: Option<u64>,
    /// Flows of a port whose node says nothing else, a power of two; 4,096 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows_per_port: Option<u64>,
    /// Whether it takes no more nodes; those that it has stay.
    #[serde(default)]
    pub cordoned: bool,
}

/// What a host takes of one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostNodeType {
    /// The type.
    #[serde(rename = "type")]
    pub node_type: NodeType,
    /// The most of it.
    pub capacity: u64,
}

/// What is known of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct HostStatus {
    /// How it is.
    pub state: HostCondition,
    /// Nodes on it, those on their way included.
    pub nodes: u64,
    /// Version of its agent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub agent_version: String,
    /// When its agent was heard of last, RFC 3339; empty: never.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub seen_at: String,
    /// The revision that it has been sent all of.
    pub desired_revision: u64,
    /// The revision that its maps hold.
    pub applied_revision: u64,
    /// For how long, in milliseconds, its maps have not held what they should; 0: they do.
    pub lag_ms: u64,
    /// What does not work as it should on it, and what to do.
    pub degraded: Vec<String>,
    /// How far its clock is ahead of the manager's, in milliseconds.
    pub clock_skew_ms: i64,
    /// When its certificate ends, RFC 3339.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub certificate_ends_at: String,
}

/// How a host is.
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
pub enum HostCondition {
    /// It has not joined.
    #[default]
    Expected,
    /// Its agent is connected.
    Ready,
    /// Its agent was, and is not.
    Unreachable,
}

/// A one-time token with which a host joins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinToken {
    /// Give it to the host: `inlay agent --join TOKEN@MANAGER`. It is shown once.
    pub token: String,
    /// RFC 3339.
    pub expires_at: String,
}

impl ObjectKind for HostSpec {
    const KIND: Kind = Kind::Host;
    type Status = HostStatus;
}
