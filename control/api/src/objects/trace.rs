//! What becomes of a packet on its whole way: what each host's dataplane says of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The way of a made packet from a node to an address. No flow and no counter is changed by asking.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Trace {
    /// Each host on the way, in the order of the packet.
    pub steps: Vec<TraceStep>,
    /// What becomes of it in the end: the verdict of the last step (`delivered`, `answered`, `dropped`, `passed` or
    /// `sent`), or `unknown` where a host could not be asked.
    pub verdict: String,
    /// Why it is not known, and what to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What one host's dataplane says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TraceStep {
    /// The host.
    pub host: String,
    /// Which way the packet goes at it.
    pub direction: TraceDirection,
    /// As `inlay explain -o json` prints it on that host.
    #[schema(value_type = Object)]
    pub explanation: serde_json::Value,
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TraceDirection {
    /// From a node to the substrate.
    #[default]
    Outbound,
    /// From the substrate to a node.
    Inbound,
}
