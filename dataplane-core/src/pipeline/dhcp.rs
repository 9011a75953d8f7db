//! What a DHCP client sends (RFC 2131, section 4.1). The host answers it in user space, for ports that ask for
//! it: such a packet is passed to the kernel, where the responder's packet socket takes it. Nothing else is.

use crate::{
    drop_reason::DropReason,
    ids::VirtualIp,
    packet::Packet,
    pipeline::{
        Frame, Work,
        parse::{self, L4},
        rings,
    },
    tables::{Direction, PortRecord, SubnetRecord, Tables},
    wire::{ethernet, ipv4, l4::UDP},
};

/// Bytes of a UDP header.
const UDP_LEN: u16 = 8;
/// Source port 68 (client), destination port 67 (server), in memory order.
const PORTS: u32 = u32::from_ne_bytes([0, 68, 0, 67]);
/// The limited broadcast address.
const BROADCAST: VirtualIp = VirtualIp(u32::MAX);
/// The address of a node that has none yet.
pub(super) const UNSPECIFIED: VirtualIp = VirtualIp(0);

/// Bytes of the IPv4 packet that a DHCP client sends from `port`, whose MAC address was checked. `None` for
/// anything else, and for everything of a port without DHCP: it is treated as any packet.
///
/// It is from 0.0.0.0 or the node's own address, to everybody or to the virtual router, whole, and without
/// options of IPv4.
#[inline(always)]
pub(super) fn request(
    packet: &mut Packet<'_>,
    frame: &Frame,
    port: &PortRecord,
    subnet: &SubnetRecord,
    ethernet: &ethernet::Header,
) -> Option<u32> {
    if port.flags & PortRecord::DHCP == 0 {
        return None;
    }
    let header = parse::ipv4(packet, frame).ok()?;
    let is_from_node = header.source == UNSPECIFIED || header.source == port.virtual_ip;
    let is_to_server = if ethernet.destination.is_group() {
        header.destination == BROADCAST
    } else {
        header.destination == subnet.gateway
    };
    let is_whole = !header.fragment.is_fragment()
        && !header.fragment.is_reserved()
        && header.total_length >= ipv4::LEN as u16 + UDP_LEN;
    let is_request = header.protocol == UDP
        && is_from_node
        && is_to_server
        && is_whole
        && !parse::has_options(&header)
        && header.is_checksum_right();
    if !is_request || packet.window::<4>(L4)?.u32::<0>() != PORTS {
        return None;
    }
    Some(u32::from(header.total_length))
}

/// Counts a request of `work.subject` that is passed. It counts as a new flow too: the kernel's work for it costs
/// the host more than any packet that is carried, and a node must not have more of it.
#[inline(always)]
pub fn pass<T: Tables>(tables: &T, work: &Work) -> Result<(), DropReason> {
    let (slot, direction) = (work.subject.port, Direction::Outbound);
    let port = tables.port(slot).ok_or(DropReason::UnknownPort)?;
    let state = tables.port_state(slot).ok_or(DropReason::UnknownPort)?;
    if !rings::may_start(tables, state, direction, port.new_flows_per_s, tables.now()) {
        return Err(DropReason::NewFlowRate);
    }
    tables.count_port(slot, direction, work.subject.len_bytes);
    Ok(())
}
