//! What `inlay status` shows: the hosts, and how far each is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::HostStatus;

/// The whole system at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SystemStatus {
    /// Version of the manager.
    pub version: String,
    /// Hosts whose agent is connected.
    pub ready: u64,
    /// Hosts whose agent was connected and is not.
    pub unreachable: u64,
    /// Hosts that have not joined.
    pub expected: u64,
    /// Hosts whose maps do not hold what they should at this moment.
    pub lagging: u64,
    /// Hosts of which something does not work as it should.
    pub degraded: u64,
    /// All hosts, in the order of their names.
    pub hosts: Vec<HostSummary>,
}

/// A host in the system's status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct HostSummary {
    /// Its name.
    pub name: String,
    /// Where it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub location: String,
    /// Whether it takes no more nodes.
    pub cordoned: bool,
    /// What is known of it.
    pub status: HostStatus,
}
