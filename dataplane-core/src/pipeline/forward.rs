//! The next hop towards another host: remembered for a quarter of a second, then asked again of the
//! kernel's routing, so that a change of the fabric is followed without a lookup for every packet.

use crate::{
    drop_reason::DropReason,
    flow::FlowRecord,
    ids::{MacAddress, Tick},
    pipeline::{
        Work,
        trace::{NextHopFound, Step},
    },
    rewrite::{Inlay, Rewrite, Verdict},
    tables::{NextHop, PortRecord, Resolved, Tables},
};

/// How long a next hop is remembered, in ticks.
const LIFETIME_TICKS: u32 = Tick::PER_SECOND / 4;

/// The remembered next hop, where it is recent enough.
#[inline(always)]
pub fn remembered(next_hop: &NextHop, now: Tick) -> Option<Resolved> {
    let renewed = Tick(next_hop.renewed.get());
    if next_hop.usable.get() == 0 || now.since(renewed) > LIFETIME_TICKS {
        return None;
    }
    let word = next_hop.destination_and_device.get();
    Some(Resolved::Neighbour {
        destination: MacAddress(word & 0xffff_ffff_ffff),
        source: MacAddress(next_hop.source.get()),
        device: (word >> 48) as u32,
    })
}

#[inline(always)]
fn remember(next_hop: &NextHop, resolved: &Resolved, now: Tick) {
    if let Resolved::Neighbour {
        destination,
        source,
        device,
    } = resolved
    {
        let word = destination.0 | u64::from(*device) << 48;
        next_hop.destination_and_device.set(word);
        next_hop.source.set(source.0);
        next_hop.renewed.set(now.0);
        next_hop.usable.set(1);
    } else {
        next_hop.usable.set(0);
    }
}

#[inline(always)]
fn next_hop<T: Tables>(tables: &T, record: &FlowRecord) -> Resolved {
    let now = tables.now();
    let Some(cell) = tables.next_hop(record.host) else {
        return Resolved::Unreachable;
    };
    if let Some(resolved) = remembered(cell, now) {
        return resolved;
    }
    let resolved = tables.resolve(record.outbound_prefix);
    if tables.may_write() {
        remember(cell, &resolved, now);
    }
    resolved
}

/// Sends an inlaid packet on its way. Where the neighbour's address is not known yet, the kernel gets
/// the packet: it asks for it and forwards what waited, so that no first packet is lost. The port's own
/// interface has the virtual router's address, and so the frame is for the kernel.
#[inline(always)]
pub fn send<T: Tables>(
    tables: &T,
    port: &PortRecord,
    work: &mut Work,
    mut inlay: Inlay,
) -> Result<Verdict, DropReason> {
    match next_hop(tables, &work.record) {
        Resolved::Neighbour {
            destination,
            source,
            device,
        } => {
            tables.trace(Step::NextHop, u64::from(device));
            (inlay.destination_mac, inlay.source_mac) = (destination, source);
            work.rewrite = Rewrite::Inlay(inlay);
            Ok(Verdict::Send(device))
        }
        Resolved::Unresolved => {
            tables.trace(Step::NextHop, NextHopFound::UNRESOLVED);
            (inlay.destination_mac, inlay.source_mac) = (MacAddress::ROUTER, port.mac);
            work.rewrite = Rewrite::Inlay(inlay);
            Ok(Verdict::Pass)
        }
        Resolved::Unreachable => {
            tables.trace(Step::NextHop, NextHopFound::UNREACHABLE);
            Err(DropReason::HostUnreachable)
        }
    }
}
