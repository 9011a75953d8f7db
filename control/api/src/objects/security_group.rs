//! Security groups: stateful allow rules of the ports in them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Kind, Object, ObjectKind};
use crate::raw::RawRule;

/// Stateful allow rules of the ports in the group. What no rule allows is denied.
pub type SecurityGroup = Object<SecurityGroupSpec, SecurityGroupStatus>;

/// What is wanted of a security group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecurityGroupSpec {
    /// For people; at most 255 bytes of one line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who may open flows to a node of the group.
    pub inbound: Vec<RawRule>,
    /// To whom a node of the group may open flows.
    pub outbound: Vec<RawRule>,
}

/// What is known of a security group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SecurityGroupStatus {
    /// How many nodes are in it.
    pub nodes: u64,
}

impl ObjectKind for SecurityGroupSpec {
    const KIND: Kind = Kind::SecurityGroup;
    type Status = SecurityGroupStatus;
}
