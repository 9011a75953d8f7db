//! Routes: where a packet of a subnet goes, by its destination.

use ipnet::Ipv4Net;
use serde::Serialize;

use crate::{Name, NodeIndex};

/// Routes for subnets of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RouteTable {
    /// Name of the table, unique in its network.
    pub name: Name,
    /// At most [`ROUTES_PER_TABLE_MAX`](crate::limits::ROUTES_PER_TABLE_MAX) routes: a local one
    /// for each CIDR of the network, and those that were written. Longest prefix first, then by
    /// address, so that the first that holds a destination decides. No two have one destination.
    pub routes: Vec<Route>,
}

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Route {
    /// Destinations that the route is for; no bits are set past the prefix.
    pub destination: Ipv4Net,
    /// Where they go.
    pub target: RouteTarget,
}

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteTarget {
    /// To the node of the network that has the destination's address.
    Local,
    /// Nowhere: the packet is dropped.
    Blackhole,
    /// To a node of the same network that forwards.
    Node(NodeIndex),
}

/// `routes` in the order of [`RouteTable::routes`].
pub(crate) fn in_lookup_order(mut routes: Vec<Route>) -> Vec<Route> {
    routes.sort_by_key(|route| {
        (
            std::cmp::Reverse(route.destination.prefix_len()),
            route.destination.network(),
        )
    });
    routes
}
