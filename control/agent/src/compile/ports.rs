//! The records of ports.

use std::collections::BTreeMap;

use inlay_core::{
    ids::MacAddress,
    tables::{limits::FLOWS_MAX, records::PortRecord},
};
use inlay_dataplane::image::Image;

use super::{
    error::CompileError,
    ids,
    placement::{PlacedPort, Placement},
    rings,
    slot_plan::SlotPlan,
};

/// What a port refers to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    pub(super) host_prefix: inlay_api::HostPrefix,
    pub(super) network: u32,
    pub(super) subnet: u32,
    pub(super) policy: u32,
}

/// The record of `port`, without its ring.
pub(super) fn record(port: &PlacedPort<'_>, context: &Context) -> PortRecord {
    let PlacedPort { local, interface } = port;
    PortRecord {
        host_prefix: ids::host_prefix(context.host_prefix),
        mac: MacAddress::from_octets(local.node.mac.octets()),
        tag: ids::tag(local.network.vni),
        virtual_ip: ids::virtual_ip(local.node.primary_address()),
        interface_index: interface.index,
        network: context.network,
        subnet: context.subnet,
        policy: context.policy,
        ring_base: 0,
        ring_mask: 0,
        new_flows_per_s: local.port.new_flows_per_s,
        flags: flags(port),
    }
}

fn flags(port: &PlacedPort<'_>) -> u32 {
    let node = port.local.node;
    let flags = [
        (PortRecord::MORE_ADDRESSES, node.addresses().len() > 1),
        (PortRecord::FORWARDING, node.forwarding),
        (PortRecord::DHCP, node.dhcp),
    ];
    let set = flags.iter().filter(|(_, is_set)| *is_set);
    set.fold(0, |all, (flag, _)| all | flag)
}

/// Gives each of `ports` its ring.
pub(super) fn set_rings(
    ports: &mut BTreeMap<u32, PortRecord>,
    placement: &Placement<'_>,
    slots: &SlotPlan,
    actual: &Image,
) -> Result<(), CompileError> {
    let sizes: BTreeMap<u32, u32> = placement
        .ports
        .iter()
        .filter_map(|(key, port)| Some((*slots.ports.get(key)?, port.local.port.flows_max.get())))
        .collect();
    let bases = rings::assign(&sizes, &actual.ports).ok_or_else(|| CompileError::NoRoom {
        object: "the list of ports".to_owned(),
        what: "flows",
        max: FLOWS_MAX,
    })?;
    for (slot, record) in ports {
        if let (Some(base), Some(size)) = (bases.get(slot), sizes.get(slot)) {
            (record.ring_base, record.ring_mask) = (*base, size - 1);
        }
    }
    Ok(())
}
