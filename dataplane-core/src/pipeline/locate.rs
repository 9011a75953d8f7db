//! Where a packet goes: the subnet's routes, then the host that has the address.

use crate::{
    drop_reason::DropReason,
    flow::FlowRecord,
    ids::VirtualIp,
    pipeline::trace::Step,
    policy::search,
    substrate::Tag,
    tables::{MappingKey, MappingRecord, SubnetRecord, Tables, records::RouteKind},
};

/// A destination.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// The node that gets the packet: the destination itself, or one that forwards.
    pub mapping: MappingRecord,
    /// Whether it passes the virtual router.
    pub is_routed: bool,
}

/// The place of `destination` for a node of `subnet`.
#[inline(always)]
pub fn destination<T: Tables>(
    tables: &T,
    subnet: &SubnetRecord,
    destination: VirtualIp,
) -> Result<Place, DropReason> {
    if subnet.contains(destination) {
        let mapping = node(tables, subnet.tag, destination)?;
        return Ok(Place {
            mapping,
            is_routed: false,
        });
    }
    let mapping = node(tables, subnet.tag, next_node(tables, subnet, destination)?)?;
    Ok(Place {
        mapping,
        is_routed: true,
    })
}

#[inline(always)]
fn node<T: Tables>(
    tables: &T,
    tag: Tag,
    virtual_ip: VirtualIp,
) -> Result<MappingRecord, DropReason> {
    let mapping = tables.mapping(&MappingKey { tag, virtual_ip });
    let mapping = mapping.ok_or(DropReason::UnknownDestination)?;
    tables.trace(Step::Destination, u64::from(mapping.host));
    Ok(mapping)
}

/// The node that the subnet's route table sends packets for `destination` to.
#[inline(always)]
pub fn next_node<T: Tables>(
    tables: &T,
    subnet: &SubnetRecord,
    destination: VirtualIp,
) -> Result<VirtualIp, DropReason> {
    let route = search(tables, subnet.routes, destination.number()).ok_or(DropReason::NoRoute)?;
    let target = tables
        .route_target(route.value)
        .ok_or(DropReason::NoRoute)?;
    tables.trace(
        Step::Route,
        u64::from(target.kind) | u64::from(target.virtual_ip.0) << 32,
    );
    match target.kind {
        RouteKind::LOCAL => Ok(destination),
        RouteKind::VIA_NODE => Ok(target.virtual_ip),
        RouteKind::BLACKHOLE => Err(DropReason::Blackhole),
        _ => Err(DropReason::NoRoute),
    }
}

/// Writes the place into a flow.
#[inline(always)]
pub fn note<T: Tables>(
    tables: &T,
    place: &Place,
    record: &mut FlowRecord,
) -> Result<(), DropReason> {
    let prefix = tables.host_prefix(place.mapping.host);
    record.outbound_prefix = prefix.ok_or(DropReason::UnknownDestination)?;
    record.host = place.mapping.host;
    record.peer_port = place.mapping.port;
    record.flags = if place.is_routed {
        FlowRecord::ROUTED
    } else {
        0
    };
    Ok(())
}
