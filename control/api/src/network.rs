//! A tenant's virtual network, with all that belongs to it.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::Serialize;

use crate::{
    Acl, AclIndex, GroupIndex, Name, Node, NodeIndex, Route, RouteTable, RouteTableIndex,
    SecurityGroup, SubnetIndex, Vni,
};

/// A virtual network. Its indexes refer to its own lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Network {
    /// Name of the project that owns it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<Name>,
    /// Name of the network, unique in the state among those of its project.
    pub name: Name,
    /// Number of the network, unique in the state.
    pub vni: Vni,
    /// Addresses of the network: 1 to [`NETWORK_CIDRS_MAX`](crate::limits::NETWORK_CIDRS_MAX), in
    /// the order written. They do not overlap; those of two networks may.
    pub cidrs: Vec<Ipv4Net>,
    /// Its subnets, in the order written. They do not overlap.
    pub subnets: Vec<Subnet>,
    /// Its route tables, in the order written.
    pub route_tables: Vec<RouteTable>,
    /// Its security groups, in the order written.
    pub security_groups: Vec<SecurityGroup>,
    /// Its access control lists, in the order written.
    pub acls: Vec<Acl>,
    /// Its nodes on every host, in the order written.
    pub nodes: Vec<Node>,
    pub(crate) local_routes: Vec<Route>,
}

/// Part of a network's addresses, whose nodes reach each other without a router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Subnet {
    /// Name of the subnet, unique in its network.
    pub name: Name,
    /// Its addresses, inside one CIDR of the network; the prefix is at most
    /// [`SUBNET_PREFIX_LEN_MAX`](crate::limits::SUBNET_PREFIX_LEN_MAX) bits.
    pub cidr: Ipv4Net,
    /// The virtual router's address in it; no node has it.
    pub gateway: Ipv4Addr,
    /// Its access control list; without one, everything passes.
    pub acl: Option<AclIndex>,
    /// Its route table; without one, the routes are the network's local ones.
    pub route_table: Option<RouteTableIndex>,
}

impl Network {
    /// `PROJECT/NAME`, or the name where there is no project: unique in the state.
    #[must_use]
    pub fn full_name(&self) -> String {
        full_name(self.project.as_ref().map(Name::as_str), self.name.as_str())
    }

    /// The subnet at `index`, which came from this network.
    ///
    /// # Panics
    /// If `index` came from another network that has more subnets. So do the methods below.
    #[must_use]
    pub fn subnet(&self, index: SubnetIndex) -> &Subnet {
        &self.subnets[index.get()]
    }

    /// The route table at `index`, which came from this network.
    #[must_use]
    pub fn route_table(&self, index: RouteTableIndex) -> &RouteTable {
        &self.route_tables[index.get()]
    }

    /// The security group at `index`, which came from this network.
    #[must_use]
    pub fn security_group(&self, index: GroupIndex) -> &SecurityGroup {
        &self.security_groups[index.get()]
    }

    /// The access control list at `index`, which came from this network.
    #[must_use]
    pub fn acl(&self, index: AclIndex) -> &Acl {
        &self.acls[index.get()]
    }

    /// The node at `index`, which came from this network.
    #[must_use]
    pub fn node(&self, index: NodeIndex) -> &Node {
        &self.nodes[index.get()]
    }

    /// The routes of a subnet of this network, in the order of [`RouteTable::routes`]: those of
    /// its table, or the local ones.
    #[must_use]
    pub fn routes(&self, subnet: &Subnet) -> &[Route] {
        match subnet.route_table {
            Some(index) => &self.route_table(index).routes,
            None => &self.local_routes,
        }
    }

    /// The access control list of a subnet of this network.
    #[must_use]
    pub fn acl_of(&self, subnet: &Subnet) -> Option<&Acl> {
        subnet.acl.map(|index| self.acl(index))
    }

    /// The security groups of a node of this network.
    pub fn groups_of<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a SecurityGroup> {
        node.security_groups
            .iter()
            .map(|&index| self.security_group(index))
    }

    /// The nodes in a security group of this network.
    pub fn members(&self, group: GroupIndex) -> impl Iterator<Item = &Node> {
        self.nodes
            .iter()
            .filter(move |node| node.security_groups.contains(&group))
    }
}

/// The name of a network that tells it from those of other projects.
pub(crate) fn full_name(project: Option<&str>, name: &str) -> String {
    match project {
        Some(project) => format!("{project}/{name}"),
        None => name.to_owned(),
    }
}
