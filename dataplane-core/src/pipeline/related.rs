//! ICMP errors belong to the flow of the packet that they quote (RFC 792, RFC 5508).

use crate::{
    drop_reason::DropReason,
    flow::FlowKey,
    packet::Packet,
    pipeline::track::Request,
    substrate::Tag,
    tables::{Direction, Tables},
    wire::{
        icmp, ipv4,
        l4::{Icmp, Transport, swap_ports},
    },
};

/// The quoted flow as the port sees it that the error passes.
///
/// The error at `offset` is on its way out where the port's node got the quoted packet, and on its way
/// in where it sent it.
#[inline(always)]
pub fn quoted(
    packet: &mut Packet<'_>,
    offset: usize,
    direction: Direction,
    tag: Tag,
    via: u32,
) -> Result<FlowKey, DropReason> {
    let at = offset + icmp::LEN;
    let window = packet
        .window::<{ ipv4::LEN }>(at)
        .ok_or(DropReason::Unsolicited)?;
    let header = ipv4::Header::of(&window);
    if header.version_and_length != ipv4::PLAIN || header.fragment.offset() != 0 {
        return Err(DropReason::Unsolicited);
    }
    let transport =
        ports(packet, at + ipv4::LEN, header.protocol).ok_or(DropReason::Unsolicited)?;
    if transport.icmp == Icmp::Error {
        return Err(DropReason::Unsolicited);
    }
    let (local, remote, ports) = match direction {
        Direction::Inbound => (header.source, header.destination, transport.ports),
        Direction::Outbound => (
            header.destination,
            header.source,
            swap_ports(header.protocol, transport.ports),
        ),
    };
    Ok(FlowKey::new(
        tag,
        header.protocol,
        local,
        remote,
        ports,
        via,
    ))
}

/// Only eight bytes are sure to be quoted, which TCP's flags are not among.
#[inline(always)]
pub(super) fn ports(packet: &mut Packet<'_>, at: usize, protocol: u8) -> Option<Transport> {
    use crate::wire::l4::{TCP, UDP};
    let as_udp = if protocol == TCP { UDP } else { protocol };
    Transport::read(packet, at, as_udp)
}

/// Whether the error is about a flow of its port, and for or from that flow's local side.
#[inline(always)]
pub fn check<T: Tables>(tables: &T, request: &Request, epoch: u32) -> Result<(), DropReason> {
    // A node that forwards speaks of packets between others, to the one that sent them.
    let is_of_flow = if request.key.via == 0 {
        request.quoted.local == request.key.local
    } else {
        request.quoted.remote == request.key.remote
    };
    if !is_of_flow {
        return Err(DropReason::Unsolicited);
    }
    let flow = tables
        .flow(&request.quoted)
        .ok_or(DropReason::Unsolicited)?;
    let record = flow.record();
    if record.port != request.slot || record.epoch != epoch || record.is_expired(tables.now()) {
        return Err(DropReason::Unsolicited);
    }
    Ok(())
}
