//! Peerings: two networks that agree to reach each other. No traffic follows yet: no route leads to a peer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Kind, Object, ObjectKind};

/// Two networks that agree to reach each other: one project asks, the other accepts. No traffic follows yet: no
/// route leads to a peer.
pub type Peering = Object<PeeringSpec, PeeringStatus>;

/// What is wanted of a peering. Cannot be changed. The networks' CIDRs must not overlap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PeeringSpec {
    /// Name of the asking project's network.
    pub network: String,
    /// The project that is asked; the same if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_project: Option<String>,
    /// Name of its network.
    pub peer_network: String,
}

/// What is known of a peering.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PeeringStatus {
    /// How far it is.
    pub state: PeeringState,
}

/// How far a peering is.
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
pub enum PeeringState {
    /// The other project has not answered.
    #[default]
    Requested,
    /// Both want it.
    Accepted,
    /// The other project does not want it.
    Rejected,
}

impl ObjectKind for PeeringSpec {
    const KIND: Kind = Kind::Peering;
    type Status = PeeringStatus;
}
