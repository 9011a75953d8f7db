//! Networks: a tenant's virtual IPv4 network.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Kind, Object, ObjectKind};

/// A tenant's virtual network.
pub type Network = Object<NetworkSpec, NetworkStatus>;

/// What is wanted of a network. With it come a security group and an access control list `default`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// For people; at most 255 bytes of one line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its addresses: 1 to 16 CIDRs like `10.0.0.0/16`, that do not overlap. More may be added, and those that
    /// no subnet uses be removed.
    pub cidrs: Vec<String>,
    /// Name servers that nodes are told, at most 3 IPv4 addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_servers: Vec<String>,
    /// Domain that nodes search for names.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dns_domain: String,
}

/// What is known of a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NetworkStatus {
    /// Its number on the substrate, 1 to 16,777,215; 0 in a plan.
    pub vni: u32,
    /// How many nodes it has.
    pub nodes: u64,
    /// How many hosts have one of them.
    pub hosts: u64,
}

impl ObjectKind for NetworkSpec {
    const KIND: Kind = Kind::Network;
    type Status = NetworkStatus;
}
