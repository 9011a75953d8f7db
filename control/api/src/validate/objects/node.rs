//! Checks of nodes.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::field_path::FieldPath::{self, Root};
use crate::invalid_value::{in_range, shown};
use crate::limits::{NEW_FLOWS_PER_S, NODE_ADDRESSES_MAX, NODE_GROUPS_MAX};
use crate::objects::{NodeSpec, NodeType};
use crate::{FlowsMax, InterfaceName, MacAddress};

use super::super::{address, context::bounded, node as state};
use super::fields::{self, FieldProblems};

/// Where a node is to be.
#[derive(Clone, Copy, Debug)]
pub struct NodeContext {
    /// Its subnet's addresses.
    pub cidr: Ipv4Net,
    /// Its subnet's gateway.
    pub gateway: Ipv4Addr,
}

/// A node's spec as values; what is wrong is left out.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NodeValues {
    /// Those that were asked for, the primary one first.
    pub addresses: Vec<Ipv4Addr>,
    /// How many it is to have.
    pub address_count: usize,
    /// The one that was asked for.
    pub mac: Option<MacAddress>,
    /// Of a device.
    pub interface: Option<InterfaceName>,
    /// The host's default where it is left out.
    pub flows_max: Option<FlowsMax>,
}

/// The values of a node's spec. Without a `context` (there is no such subnet) its addresses are not compared with
/// the subnet.
pub fn node(
    spec: &NodeSpec,
    context: Option<NodeContext>,
    problems: &mut FieldProblems,
) -> NodeValues {
    let path = Root.field("spec");
    fields::description(&spec.description, problems);
    let addresses = addresses(&spec.addresses, context, &path.field("addresses"), problems);
    let address_count = address_count(spec, &path.field("address_count"), problems);
    let mac = spec.mac.as_deref().map(str::parse);
    let mac = mac.and_then(|mac| problems.take(&path.field("mac"), mac));
    if let Some(groups) = &spec.security_groups {
        security_groups(groups, &path.field("security_groups"), problems);
    }
    placement(spec, &path, problems);
    let interface = interface(spec, &path, problems);
    let flows_max = spec.flows_max.map(FlowsMax::new);
    let flows_max = flows_max.and_then(|flows| problems.take(&path.field("flows_max"), flows));
    if let Some(found) = spec.new_flows_per_s {
        let found = in_range("number of new flows", found, &NEW_FLOWS_PER_S);
        problems.take(&path.field("new_flows_per_s"), found);
    }
    NodeValues {
        addresses,
        address_count,
        mac,
        interface,
        flows_max,
    }
}

fn addresses(
    raw: &[String],
    context: Option<NodeContext>,
    path: &FieldPath<'_>,
    problems: &mut FieldProblems,
) -> Vec<Ipv4Addr> {
    let raw = bounded(raw, NODE_ADDRESSES_MAX, "addresses", path, &mut problems.0);
    let mut found = Vec::new();
    for (place, text) in raw.iter().enumerate() {
        let path = path.element(place);
        let Some(address) = problems.take(&path, address::address(text)) else {
            continue;
        };
        if found.contains(&address) {
            let message = format!("{address} is named twice; take one of them out");
            problems.0.add(&path, message);
        }
        if let Some(NodeContext { cidr, gateway }) = context {
            if cidr.contains(&address) {
                state::refuse_special(address, cidr, gateway, &path, &mut problems.0);
            } else {
                let message = format!("{address} is not in {cidr} of the subnet; choose it there");
                problems.0.add(&path, message);
            }
        }
        found.push(address);
    }
    found
}

fn address_count(spec: &NodeSpec, path: &FieldPath<'_>, problems: &mut FieldProblems) -> usize {
    let listed = spec.addresses.len();
    let Some(count) = spec.address_count else {
        return listed.max(1);
    };
    let range = 1..=NODE_ADDRESSES_MAX as u64;
    problems.take(path, in_range("number of addresses", count.into(), &range));
    if listed > 0 && listed != usize::from(count) {
        let message = format!("{listed} addresses are listed; take address_count out");
        problems.0.add(path, message);
    }
    usize::from(count)
}

fn security_groups(groups: &[String], path: &FieldPath<'_>, problems: &mut FieldProblems) {
    if groups.is_empty() {
        let message =
            "the node is in no security group; name one, or leave the list out for default";
        problems.0.add(path, message);
    }
    let listed = bounded(
        groups,
        NODE_GROUPS_MAX,
        "security groups",
        path,
        &mut problems.0,
    );
    for (place, group) in listed.iter().enumerate() {
        if listed[..place].contains(group) {
            let group = shown(group);
            let message = format!("group {group} is named twice; take one of them out");
            problems.0.add(&path.element(place), message);
        }
    }
}

fn placement(spec: &NodeSpec, path: &FieldPath<'_>, problems: &mut FieldProblems) {
    let path = path.field("placement");
    if let Some(location) = &spec.placement.location {
        fields::label(location, &path.field("location"), problems);
    }
    let labels = &spec.placement.host_labels;
    fields::labels(labels, "spec.placement.host_labels", problems);
}

/// A device names its interface and its host; the interfaces of other nodes are made.
fn interface(
    spec: &NodeSpec,
    path: &FieldPath<'_>,
    problems: &mut FieldProblems,
) -> Option<InterfaceName> {
    let interface_path = path.field("interface");
    if spec.node_type != NodeType::Device {
        if spec.interface.is_some() {
            let message = "only a device has an interface that is there already; take it out";
            problems.0.add(&interface_path, message);
        }
        return None;
    }
    if spec.placement.host.is_none() {
        let message = "a device is at one host; name it";
        let path = path.field("placement");
        problems.0.add(&path.field("host"), message);
    }
    let Some(text) = &spec.interface else {
        let message = "a device is behind an interface of its host; name it";
        problems.0.add(&interface_path, message);
        return None;
    };
    problems.take(&interface_path, text.parse())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Placement;

    fn found(spec: &NodeSpec) -> Vec<String> {
        let mut problems = FieldProblems::default();
        let context = NodeContext {
            cidr: "10.0.1.0/24".parse().unwrap(),
            gateway: "10.0.1.1".parse().unwrap(),
        };
        node(spec, Some(context), &mut problems);
        problems.into_list().into_iter().map(|p| p.field).collect()
    }

    fn with_addresses(addresses: &[&str]) -> NodeSpec {
        NodeSpec {
            addresses: addresses.iter().map(|&it| it.to_owned()).collect(),
            ..NodeSpec::default()
        }
    }

    #[test]
    fn addresses_are_usable_ones_of_the_subnet() {
        for (address, refused) in [
            ("10.0.1.2", false),
            ("10.0.1.254", false),
            ("10.0.1.0", true),
            ("10.0.1.1", true),
            ("10.0.1.255", true),
            ("10.0.2.2", true),
            ("10.0.1", true),
        ] {
            let expected: &[&str] = if refused { &["spec.addresses[0]"] } else { &[] };
            assert_eq!(found(&with_addresses(&[address])), expected, "{address}");
        }
        assert_eq!(
            found(&with_addresses(&["10.0.1.2", "10.0.1.2"])),
            ["spec.addresses[1]"]
        );
    }

    #[test]
    fn a_device_has_a_host_and_an_interface_and_nothing_else_has_one() {
        let device = NodeSpec {
            node_type: NodeType::Device,
            ..NodeSpec::default()
        };
        assert_eq!(found(&device), ["spec.placement.host", "spec.interface"]);
        let whole = NodeSpec {
            interface: Some("eth1".into()),
            placement: Placement {
                host: Some("a".into()),
                ..Placement::default()
            },
            ..device
        };
        assert!(found(&whole).is_empty());
        let netns = NodeSpec {
            node_type: NodeType::Netns,
            ..whole
        };
        assert_eq!(found(&netns), ["spec.interface"]);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let spec = NodeSpec {
            address_count: Some(17),
            mac: Some("01:00:00:00:00:00".into()),
            security_groups: Some(vec!["a".into(), "a".into()]),
            flows_max: Some(65),
            new_flows_per_s: Some(0),
            ..NodeSpec::default()
        };
        assert_eq!(
            found(&spec),
            [
                "spec.address_count",
                "spec.mac",
                "spec.security_groups[1]",
                "spec.flows_max",
                "spec.new_flows_per_s"
            ]
        );
    }
}
