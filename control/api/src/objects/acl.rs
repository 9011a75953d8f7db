//! Access control lists: ordered, stateless rules of a subnet.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Kind, Object, ObjectKind};
use crate::raw::RawAclEntry;

/// Ordered, stateless rules of a subnet: the lowest number that matches decides; what none matches is denied.
pub type Acl = Object<AclSpec, AclStatus>;

/// What is wanted of an access control list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AclSpec {
    /// For people; at most 255 bytes of one line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Of packets that enter the subnet.
    pub inbound: Vec<RawAclEntry>,
    /// Of packets that leave the subnet.
    pub outbound: Vec<RawAclEntry>,
}

/// What is known of an access control list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AclStatus {
    /// How many subnets it is of.
    pub subnets: u64,
}

impl ObjectKind for AclSpec {
    const KIND: Kind = Kind::Acl;
    type Status = AclStatus;
}
