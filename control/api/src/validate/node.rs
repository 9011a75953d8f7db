//! Checks of nodes: their addresses and security groups.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::field_path::FieldPath;
use crate::invalid_value::shown;
use crate::limits::{NODE_ADDRESSES_MAX, NODE_GROUPS_MAX, RULES_PER_PORT_MAX};
use crate::problem::Problems;
use crate::raw::{RawNetwork, RawNode};
use crate::{GroupIndex, MacAddress, Node, Subnet, SubnetIndex};

use super::context::{Context, bounded, name, parse};
use super::names::Names;
use super::subnet::Subnets;
use super::{address, port};

/// The name of the group of a node that names none.
const GROUP_DEFAULT: &str = "default";

/// What the checks of a network's nodes need of it, and what the nodes before have taken.
pub(super) struct Nodes<'a, 'n> {
    raw: &'a RawNetwork,
    names: &'n Names<'a>,
    subnets: &'n Subnets,
    address_owners: HashMap<Ipv4Addr, &'a str>,
    mac_owners: HashMap<MacAddress, &'a str>,
}

impl<'a, 'n> Nodes<'a, 'n> {
    pub(super) fn new(raw: &'a RawNetwork, names: &'n Names<'a>, subnets: &'n Subnets) -> Self {
        let (address_owners, mac_owners) = (HashMap::new(), HashMap::new());
        Self {
            raw,
            names,
            subnets,
            address_owners,
            mac_owners,
        }
    }

    pub(super) fn check(mut self, path: &FieldPath<'_>, context: &mut Context<'a>) -> Vec<Node> {
        let places = self.raw.nodes.iter().enumerate();
        places
            .filter_map(|(place, raw)| self.node(raw, &path.element(place), context))
            .collect()
    }

    fn node(
        &mut self,
        raw: &'a RawNode,
        path: &FieldPath<'_>,
        context: &mut Context<'a>,
    ) -> Option<Node> {
        let name = name(&raw.name, path, context.problems);
        let addresses = self.addresses(raw, &path.field("addresses"), context.problems);
        let mac = self.mac(raw, &path.field("mac"), context.problems);
        let security_groups = self.groups(raw, path, context.problems);
        let place = port::place(raw, path, context);
        let (subnet, addresses) = addresses?;
        let (place, prepared) = place?;
        Some(Node {
            name: name?,
            place,
            prepared,
            subnet,
            addresses,
            mac: mac?,
            security_groups,
            forwarding: raw.forwarding,
            dhcp: raw.dhcp,
        })
    }

    /// The addresses, and the subnet that all of them are in.
    fn addresses(
        &mut self,
        raw: &'a RawNode,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Option<(SubnetIndex, Vec<Ipv4Addr>)> {
        if raw.addresses.is_empty() {
            problems.add(path, "the node has no address; give it one of a subnet");
        }
        let listed = bounded(
            &raw.addresses,
            NODE_ADDRESSES_MAX,
            "addresses",
            path,
            problems,
        );
        let mut primary: Option<(usize, &Subnet)> = None;
        let mut addresses = Vec::new();
        for (place, text) in listed.iter().enumerate() {
            let path = path.element(place);
            let Some(address) = problems.take(&path, address::address(text)) else {
                continue;
            };
            addresses.push(address);
            self.refuse_taken(address, &raw.name, &path, problems);
            let Some(found) = self.subnet_of(address, &path, problems) else {
                continue;
            };
            let first = *primary.get_or_insert(found);
            if first.0 != found.0 {
                let cidr = first.1.cidr;
                let message = format!(
                    "{address} is not in {cidr}, where the node's first address is; \
                     keep a node in one subnet"
                );
                problems.add(&path, message);
            }
        }
        primary.map(|(place, _)| (SubnetIndex::new(place), addresses))
    }

    fn subnet_of(
        &self,
        address: Ipv4Addr,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Option<(usize, &'n Subnet)> {
        let subnets = self.subnets;
        let Some((place, subnet)) = subnets.of(address) else {
            if subnets.are_complete() {
                problems.add(path, self.outside(address));
            }
            return None;
        };
        refuse_special(address, subnet.cidr, subnet.gateway, path, problems);
        Some((place, subnet))
    }

    fn outside(&self, address: Ipv4Addr) -> String {
        let network = self.names.network();
        let told = self.subnets.told();
        if told.is_empty() {
            return format!("{address} is in no subnet, as network {network} has none; add one");
        }
        format!(
            "{address} is in no subnet of network {network}; put it inside {told}, or add a subnet"
        )
    }

    fn refuse_taken(
        &mut self,
        address: Ipv4Addr,
        node: &'a str,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) {
        if let Some(owner) = self.address_owners.insert(address, node) {
            let owner = shown(owner);
            let message =
                format!("{address} is an address of node {owner} already; choose another");
            problems.add(path, message);
        }
    }

    fn mac(
        &mut self,
        raw: &'a RawNode,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Option<MacAddress> {
        let mac = parse(&raw.mac, path, problems)?;
        if let Some(owner) = self.mac_owners.insert(mac, &raw.name) {
            let owner = shown(owner);
            let message =
                format!("{mac} is the MAC address of node {owner} already; choose another");
            problems.add(path, message);
        }
        Some(mac)
    }

    fn groups(
        &self,
        raw: &RawNode,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Vec<GroupIndex> {
        let default = [GROUP_DEFAULT.to_owned()];
        let written = match &raw.security_groups {
            Some(groups) => groups.as_slice(),
            None if self.names.has_group(GROUP_DEFAULT) => &default,
            None => &[],
        };
        let path = path.field("security_groups");
        if written.is_empty() {
            let message = "the node is in no security group; name one, or add one named default";
            problems.add(&path, message);
        }
        let listed = bounded(written, NODE_GROUPS_MAX, "security groups", &path, problems);
        let mut places = Vec::new();
        for (nth, group) in listed.iter().enumerate() {
            let path = path.element(nth);
            let Some(place) = self.names.group(group, &path, problems) else {
                continue;
            };
            if places.contains(&place) {
                let group = shown(group);
                let message = format!("group {group} is named twice; take one of them out");
                problems.add(&path, message);
            } else {
                places.push(place);
            }
        }
        self.refuse_many_rules(&places, &path, problems);
        places.into_iter().map(GroupIndex::new).collect()
    }

    fn refuse_many_rules(&self, groups: &[usize], path: &FieldPath<'_>, problems: &mut Problems) {
        let groups = groups
            .iter()
            .filter_map(|&place| self.raw.security_groups.get(place));
        let counts: Vec<usize> = groups
            .map(|it| it.inbound.len() + it.outbound.len())
            .collect();
        let count: usize = counts.iter().sum();
        // A group that is too long by itself is the group's problem.
        let each_fits = counts.iter().all(|&count| count <= RULES_PER_PORT_MAX);
        if count > RULES_PER_PORT_MAX && each_fits {
            let message = format!(
                "the groups have {count} rules together, more than {RULES_PER_PORT_MAX}; \
                 name fewer groups or use wider rules"
            );
            problems.add(path, message);
        }
    }
}

/// Refuses an address of the subnet that no node can have.
pub(super) fn refuse_special(
    address: Ipv4Addr,
    cidr: Ipv4Net,
    gateway: Ipv4Addr,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) {
    let what = match address {
        _ if address == gateway => "the gateway",
        _ if address == cidr.network() => "the network address",
        _ if address == cidr.broadcast() => "the broadcast address",
        _ => return,
    };
    let message = format!("{address} is {what} of {cidr}; choose another address of it");
    problems.add(path, message);
}
