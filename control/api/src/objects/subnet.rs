//! Subnets: parts of a network's addresses.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Kind, Object, ObjectKind};

/// Part of a network's addresses, whose nodes reach each other without a router.
pub type Subnet = Object<SubnetSpec, SubnetStatus>;

/// What is wanted of a subnet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubnetSpec {
    /// For people; at most 255 bytes of one line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its addresses, inside one CIDR of the network, a /30 at the smallest. Cannot be changed.
    pub cidr: String,
    /// The virtual router's address; the first usable one if left out. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Nodes of the subnet are placed on hosts of this location; anywhere if left out. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Name of its access control list; `default` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<String>,
    /// Name of its route table; if left out, the network's CIDRs are local and nothing else is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_table: Option<String>,
}

/// What is known of a subnet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SubnetStatus {
    /// The virtual router's address.
    pub gateway: String,
    /// Addresses that nodes have.
    pub addresses_used: u64,
    /// Addresses that nodes may still get; those in quarantine are not among them.
    pub addresses_free: u64,
}

impl ObjectKind for SubnetSpec {
    const KIND: Kind = Kind::Subnet;
    type Status = SubnetStatus;
}
