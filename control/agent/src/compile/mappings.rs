//! Where every address of a network is, and which hosts speak for whole networks.

use std::collections::BTreeMap;

use inlay_api::{HostState, Network, Node};
use inlay_core::{
    substrate::Tag,
    tables::records::{ForwarderKey, MappingKey, MappingRecord, NONE},
};

use super::{groups::GroupSets, ids, slot_plan::SlotPlan};

/// The mappings of the nodes of `network`. A node of this host whose port is not there has none: it
/// cannot be reached, and no host may speak for it.
pub(super) fn of_network(
    desired: &HostState,
    network: &Network,
    sets: &GroupSets<'_>,
    slots: &SlotPlan,
) -> BTreeMap<MappingKey, MappingRecord> {
    let tag = ids::tag(network.vni);
    let mut mappings = BTreeMap::new();
    for node in &network.nodes {
        let Some((host, port)) = place(desired, node, tag, slots) else {
            continue;
        };
        let groups = sets.number_of(network, node);
        let record = MappingRecord {
            host,
            port,
            groups,
            flags: 0,
        };
        let keys = node
            .addresses()
            .iter()
            .map(|&address| ids::virtual_ip(address));
        mappings.extend(keys.map(|virtual_ip| (MappingKey { tag, virtual_ip }, record)));
    }
    mappings
}

/// The hosts with a node of `network` that forwards, each with the network's slot.
pub(super) fn forwarders(
    desired: &HostState,
    network: &Network,
    slots: &SlotPlan,
    network_slot: u32,
) -> BTreeMap<ForwarderKey, u32> {
    let tag = ids::tag(network.vni);
    let nodes = network.nodes.iter().filter(|node| node.forwarding);
    let here = nodes.filter(|node| place(desired, node, tag, slots).is_some());
    let prefixes = here.map(|node| ids::host_prefix(desired.prefix_of(node)));
    let keys = prefixes.map(|prefix| ForwarderKey {
        prefix,
        tag,
        reserved: 0,
    });
    keys.map(|key| (key, network_slot)).collect()
}

/// Slots of a node's host and port.
fn place(desired: &HostState, node: &Node, tag: Tag, slots: &SlotPlan) -> Option<(u32, u32)> {
    let host = *slots
        .hosts
        .get(&ids::host_prefix(desired.prefix_of(node)))?;
    if !desired.is_local(node) {
        return Some((host, NONE));
    }
    let port = slots
        .ports
        .get(&(tag, ids::virtual_ip(node.primary_address())))?;
    Some((host, *port))
}
