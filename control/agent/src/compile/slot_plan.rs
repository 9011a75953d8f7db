//! The slot of every host, network, subnet, port and uplink of an image.

use std::collections::{BTreeMap, BTreeSet};

use inlay_api::{HostState, Network, Subnet};
use inlay_core::{
    ids::{HostPrefix, VirtualIp},
    substrate::Tag,
    tables::{
        limits::{DEVICES_MAX, HOSTS_MAX, NETWORKS_MAX, PORTS_MAX, SUBNETS_MAX},
        records::PortRecord,
    },
};
use inlay_dataplane::image::Image;

use super::{
    error::CompileError,
    ids,
    placement::{Placement, PortKey},
    slots::assign,
};

/// What makes a subnet the same one: its network and its addresses.
pub(super) type SubnetKey = (Tag, VirtualIp, u32);

pub(super) fn subnet_key(network: &Network, subnet: &Subnet) -> SubnetKey {
    let cidr = subnet.cidr;
    (
        ids::tag(network.vni),
        ids::virtual_ip(cidr.network()),
        ids::mask(cidr),
    )
}

/// Slots by what each thing is known by.
#[derive(Debug)]
pub(super) struct SlotPlan {
    pub(super) hosts: BTreeMap<HostPrefix, u32>,
    /// Of the networks that have a port here.
    pub(super) networks: BTreeMap<Tag, u32>,
    pub(super) subnets: BTreeMap<SubnetKey, u32>,
    pub(super) ports: BTreeMap<PortKey, u32>,
    /// Device numbers by interface number.
    pub(super) uplinks: BTreeMap<u32, u32>,
}

impl SlotPlan {
    /// `previous` begins with what the maps hold now.
    pub(super) fn of(
        desired: &HostState,
        placement: &Placement<'_>,
        previous: &[&Image],
    ) -> Result<Self, CompileError> {
        let empty = Image::default();
        let actual = previous.first().copied().unwrap_or(&empty);
        let tags = placement.ports.keys().map(|(tag, _)| *tag).collect();
        Ok(Self {
            hosts: hosts(desired, actual, previous)?,
            subnets: subnets(desired, &tags, actual, previous)?,
            networks: networks(&tags, actual, previous)?,
            ports: ports(placement, actual, previous)?,
            uplinks: uplinks(placement, actual)?,
        })
    }
}

fn no_room(object: &str, what: &'static str, max: u32) -> CompileError {
    CompileError::NoRoom {
        object: object.to_owned(),
        what,
        max,
    }
}

fn hosts(
    desired: &HostState,
    actual: &Image,
    previous: &[&Image],
) -> Result<BTreeMap<HostPrefix, u32>, CompileError> {
    let own = desired.host().prefix;
    let prefixes = desired.hosts().iter().map(|host| host.prefix).chain([own]);
    let wanted = prefixes.map(ids::host_prefix).collect();
    let kept = actual
        .hosts
        .iter()
        .map(|(slot, prefix)| (*prefix, *slot))
        .collect();
    let used = previous
        .iter()
        .flat_map(|image| image.hosts.keys().copied())
        .collect();
    let slots = assign(&wanted, &kept, &used, &(0..HOSTS_MAX));
    slots.ok_or_else(|| no_room("the list of hosts", "hosts", HOSTS_MAX))
}

fn networks(
    wanted: &BTreeSet<Tag>,
    actual: &Image,
    previous: &[&Image],
) -> Result<BTreeMap<Tag, u32>, CompileError> {
    let kept = actual
        .networks
        .iter()
        .map(|(slot, network)| (network.tag, *slot))
        .collect();
    let used = previous
        .iter()
        .flat_map(|image| image.networks.keys().copied())
        .collect();
    // Slot 0 stands for "none".
    let slots = assign(wanted, &kept, &used, &(1..NETWORKS_MAX));
    slots.ok_or_else(|| no_room("the list of networks", "networks", NETWORKS_MAX - 1))
}

fn subnets(
    desired: &HostState,
    tags: &BTreeSet<Tag>,
    actual: &Image,
    previous: &[&Image],
) -> Result<BTreeMap<SubnetKey, u32>, CompileError> {
    let here = desired
        .networks()
        .iter()
        .filter(|network| tags.contains(&ids::tag(network.vni)));
    let wanted = here
        .flat_map(|network| {
            network
                .subnets
                .iter()
                .map(|subnet| subnet_key(network, subnet))
        })
        .collect();
    let kept = actual
        .subnets
        .iter()
        .map(|(slot, subnet)| ((subnet.tag, subnet.virtual_ip, subnet.mask), *slot))
        .collect();
    let used = previous
        .iter()
        .flat_map(|image| image.subnets.keys().copied())
        .collect();
    let slots = assign(&wanted, &kept, &used, &(0..SUBNETS_MAX));
    slots.ok_or_else(|| no_room("the list of subnets", "subnets", SUBNETS_MAX))
}

fn ports(
    placement: &Placement<'_>,
    actual: &Image,
    previous: &[&Image],
) -> Result<BTreeMap<PortKey, u32>, CompileError> {
    let kept = kept_ports(placement, &actual.ports);
    let used = previous
        .iter()
        .flat_map(|image| image.ports.keys().copied())
        .collect();
    let wanted = placement.ports.keys().copied().collect();
    let slots = assign(&wanted, &kept, &used, &(0..PORTS_MAX));
    slots.ok_or_else(|| no_room("the list of ports", "ports", PORTS_MAX))
}

/// The slots that ports have: by their address, and where that was changed, by their interface.
fn kept_ports(
    placement: &Placement<'_>,
    actual: &BTreeMap<u32, PortRecord>,
) -> BTreeMap<PortKey, u32> {
    let by_address = actual
        .iter()
        .map(|(slot, port)| ((port.tag, port.virtual_ip), *slot));
    let by_interface: BTreeMap<(Tag, u32), u32> = actual
        .iter()
        .map(|(slot, port)| ((port.tag, port.interface_index), *slot))
        .collect();
    let mut kept: BTreeMap<PortKey, u32> = by_address
        .filter(|(key, _)| placement.ports.contains_key(key))
        .collect();
    let taken: BTreeSet<u32> = kept.values().copied().collect();
    for (key, port) in &placement.ports {
        let slot = by_interface.get(&(key.0, port.interface.index));
        if let Some(slot) = slot.filter(|slot| !taken.contains(slot)) {
            kept.entry(*key).or_insert(*slot);
        }
    }
    kept
}

fn uplinks(placement: &Placement<'_>, actual: &Image) -> Result<BTreeMap<u32, u32>, CompileError> {
    let wanted = placement
        .uplinks
        .iter()
        .map(|uplink| uplink.interface.index)
        .collect();
    let devices = actual
        .devices
        .iter()
        .map(|(index, device)| (*index, *device));
    let kept: BTreeMap<u32, u32> = devices.filter(|(_, device)| *device >= PORTS_MAX).collect();
    let used = kept.values().copied().collect();
    let slots = assign(&wanted, &kept, &used, &(PORTS_MAX..DEVICES_MAX));
    slots.ok_or_else(|| no_room("the list of uplinks", "uplinks", DEVICES_MAX - PORTS_MAX))
}
