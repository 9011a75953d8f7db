//! Route tables: where packets of a subnet go.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Kind, Object, ObjectKind};
use crate::raw::RawRoute;

/// Where packets of a subnet go. Every table has a local route for each CIDR of the network.
pub type RouteTable = Object<RouteTableSpec, RouteTableStatus>;

/// What is wanted of a route table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouteTableSpec {
    /// For people; at most 255 bytes of one line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its routes besides the local ones.
    pub routes: Vec<RawRoute>,
}

/// What is known of a route table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RouteTableStatus {
    /// How many subnets it is of.
    pub subnets: u64,
}

impl ObjectKind for RouteTableSpec {
    const KIND: Kind = Kind::RouteTable;
    type Status = RouteTableStatus;
}
