//! Writes changes into the maps, in an order that a packet may come at any moment of.

use std::collections::BTreeSet;

use inlay_core::{
    drop_reason::DropReason,
    tables::{
        limits::INTERFACES_MAX,
        records::{
            InterfaceRecord, NetworkRecord, PolicyRecord, PortCounters, PortRecord, SubnetRecord,
        },
    },
};

use crate::{
    Error,
    image::{Changes, MapChanges},
    maps::{Array, Maps, NextHopSnapshot, PortStateSnapshot},
};

/// Content goes first, then what points to it; what is gone goes after that, pointers first. The networks
/// come last: their epochs have what was decided meanwhile decided again. Rows, intervals and targets
/// that are gone need no write, since nothing refers to them.
pub(crate) fn changes(maps: &Maps, changes: &Changes) -> Result<(), Error> {
    check_interfaces(maps, &changes.devices)?;
    put(maps, changes)?;
    remove(maps, changes)?;
    maps.networks.set_all(&changes.networks.put)?;
    clear(
        &maps.networks,
        &changes.networks.removed,
        NetworkRecord::default(),
    )?;
    forget(maps, changes)
}

fn put(maps: &Maps, changes: &Changes) -> Result<(), Error> {
    if let Some(config) = changes.config {
        maps.config.set(0, config)?;
    }
    maps.intervals.set_all(&changes.intervals.put)?;
    maps.rows.set_all(&changes.rows.put)?;
    maps.route_targets.set_all(&changes.route_targets.put)?;
    maps.policies.set_all(&changes.policies.put)?;
    maps.hosts.set_all(&changes.hosts.put)?;
    maps.subnets.set_all(&changes.subnets.put)?;
    maps.mappings.set_all(&changes.mappings.put)?;
    maps.forwarders.set_all(&changes.forwarders.put)?;
    maps.ports.set_all(&changes.ports.put)?;
    put_devices(maps, &changes.devices)
}

fn remove(maps: &Maps, changes: &Changes) -> Result<(), Error> {
    clear(&maps.ports, &changes.ports.removed, PortRecord::default())?;
    maps.forwarders.remove_all(&changes.forwarders.removed)?;
    maps.mappings.remove_all(&changes.mappings.removed)?;
    clear(
        &maps.subnets,
        &changes.subnets.removed,
        SubnetRecord::default(),
    )?;
    clear(
        &maps.hosts,
        &changes.hosts.removed,
        inlay_core::ids::HostPrefix(0),
    )?;
    clear(
        &maps.policies,
        &changes.policies.removed,
        PolicyRecord::default(),
    )
}

/// What the dataplane remembers of a slot that may be given to another: counters, next hops.
fn forget(maps: &Maps, changes: &Changes) -> Result<(), Error> {
    for &slot in &changes.ports.removed {
        maps.port_counters.set(slot, PortCounters::default())?;
        maps.port_states.set(slot, PortStateSnapshot::default())?;
    }
    for &slot in &changes.networks.removed {
        for index in [slot * 2, slot * 2 + 1] {
            maps.drops.set(index, [0; DropReason::COUNTERS])?;
        }
    }
    let hosts = &changes.hosts;
    let slots = hosts
        .put
        .iter()
        .map(|(slot, _)| *slot)
        .chain(hosts.removed.iter().copied());
    let next_hops: Vec<_> = slots
        .map(|slot| (slot, NextHopSnapshot::default()))
        .collect();
    maps.next_hops.set_all(&next_hops)
}

fn clear<V: aya::Pod>(map: &Array<V>, slots: &[u32], zeros: V) -> Result<(), Error> {
    let entries: Vec<_> = slots.iter().map(|&slot| (slot, zeros)).collect();
    map.set_all(&entries)
}

const fn place(interface_index: u32) -> u32 {
    interface_index & (INTERFACES_MAX - 1)
}

/// Refuses an interface whose place another one has that is not on its way out.
fn check_interfaces(maps: &Maps, devices: &MapChanges<u32, u32>) -> Result<(), Error> {
    let mut taken = BTreeSet::new();
    for &(interface_index, _) in &devices.put {
        let holder = maps.interfaces.get(place(interface_index))?.interface_index;
        let is_free = holder == 0 || holder == interface_index || devices.removed.contains(&holder);
        let twin = devices
            .put
            .iter()
            .map(|(other, _)| *other)
            .find(|&other| other != interface_index && place(other) == place(interface_index));
        if !is_free || !taken.insert(place(interface_index)) {
            let other = twin.unwrap_or(holder);
            return Err(Error::InterfaceNumber {
                interface_index,
                other,
            });
        }
    }
    Ok(())
}

/// Removed ones first, since the interface that comes may take their device.
fn put_devices(maps: &Maps, devices: &MapChanges<u32, u32>) -> Result<(), Error> {
    let given: BTreeSet<u32> = devices.put.iter().map(|(_, device)| *device).collect();
    let release = |device: u32| {
        if given.contains(&device) {
            Ok(())
        } else {
            maps.devices.remove(device)
        }
    };
    for &interface_index in &devices.removed {
        let record = maps.interfaces.get(place(interface_index))?;
        if record.interface_index == interface_index {
            maps.interfaces
                .set(place(interface_index), InterfaceRecord::default())?;
            release(record.device)?;
        }
    }
    for &(interface_index, device) in &devices.put {
        let before = maps.interfaces.get(place(interface_index))?;
        maps.devices.set(device, interface_index)?;
        maps.interfaces.set(
            place(interface_index),
            InterfaceRecord {
                interface_index,
                device,
            },
        )?;
        if before.interface_index == interface_index && before.device != device {
            release(before.device)?;
        }
    }
    Ok(())
}
