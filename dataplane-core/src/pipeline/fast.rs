//! The fast path: whole TCP and UDP packets that leave their flow's state as it is. The flow's entry holds
//! everything that the rules, routes and mappings said. It gives the answer of the full pipeline, or none.
//!
//! One read of the flow table, and array reads.

use crate::{
    drop_reason::DropReason,
    flow::{Flow, FlowKey, FlowRecord},
    ids::{Tick, VirtualIp},
    packet::Packet,
    pipeline::{
        Frame, dhcp, forward,
        outbound::via,
        parse::{self, L3, SUBSTRATE_L4},
        translate,
    },
    rewrite::{Inlay, Restore},
    substrate::{Kind, SubstrateAddress},
    tables::{Config, Direction, PortRecord, Resolved, Tables, limits::PORTS_MAX, records::NONE},
    wire::{
        ethernet::{self, ether_type},
        ipv4,
        l4::{TCP, TcpFlags, Transport, UDP, swap_ports},
    },
};

/// What the fast path says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fast<T> {
    /// The decision.
    Done(T),
    /// A drop that needs nothing else to be known. The number is the network's slot.
    Drop(u32, DropReason),
    /// Ask the full pipeline.
    Decline,
}

/// An inlaid packet and the device that it leaves by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outbound {
    /// The packet.
    pub inlay: Inlay,
    /// The uplink.
    pub device: u32,
    /// Slot of the network.
    pub network: u32,
}

/// A restored packet and the port that it is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Inbound {
    /// The packet.
    pub restore: Restore,
    /// The port.
    pub port: u32,
    /// Slot of the network.
    pub network: u32,
}

/// From a node.
#[inline(always)]
pub fn outbound<T: Tables>(tables: &T, packet: &mut Packet<'_>, frame: &Frame) -> Fast<Outbound> {
    let Some(slot) = tables.device(frame.interface_index) else {
        return Fast::Decline;
    };
    let Some(port) = tables.port(slot) else {
        return Fast::Decline;
    };
    if slot >= PORTS_MAX || port.interface_index != frame.interface_index {
        return Fast::Decline;
    }
    let Some(ethernet) = ethernet::Header::read(packet) else {
        return Fast::Decline;
    };
    if ethernet.ether_type != ether_type::IPV4 || ethernet.destination.is_group() {
        return Fast::Decline;
    }
    if ethernet.source != port.mac {
        return Fast::Drop(port.network, DropReason::SpoofedMac);
    }
    let Ok(header) = parse::ipv4(packet, frame) else {
        return Fast::Decline;
    };
    if header.source != port.virtual_ip && !may_have_more(port, header.source) {
        return Fast::Drop(port.network, DropReason::SpoofedAddress);
    }
    match established(tables, packet, slot, port, &header) {
        Some(outbound) => Fast::Done(outbound),
        None => Fast::Decline,
    }
}

/// Whether the port's node may send from other addresses than its first, so that the full pipeline looks.
#[inline(always)]
fn may_have_more(port: &PortRecord, source: VirtualIp) -> bool {
    const MORE: u32 = PortRecord::MORE_ADDRESSES | PortRecord::FORWARDING;
    port.flags & MORE != 0 || port.flags != 0 && source == dhcp::UNSPECIFIED
}

#[inline(always)]
fn established<T: Tables>(
    tables: &T,
    packet: &mut Packet<'_>,
    slot: u32,
    port: &PortRecord,
    header: &ipv4::Header,
) -> Option<Outbound> {
    let mut header = *header;
    if !is_plain(&header, tables.config()?) {
        return None;
    }
    let payload_length = header.total_length - ipv4::LEN as u16;
    let transport = settled(packet, L3 + ipv4::LEN, header.protocol, payload_length)?;
    let key = FlowKey::new(
        port.tag,
        header.protocol,
        header.source,
        header.destination,
        transport.ports,
        via(slot, port),
    );
    let flow = tables.flow(&key)?;
    let record = flow.record();
    let now = tables.now();
    if record.port != slot || record.peer_port != NONE || record.check != key.check() {
        return None;
    }
    check(
        tables,
        &flow,
        &record,
        port,
        header.protocol,
        Direction::Outbound,
        now,
    )?;
    if record.flags & FlowRecord::ROUTED != 0 {
        if header.ttl <= 1 {
            return None;
        }
        header.ttl -= 1;
    }
    let next_hop = forward::remembered(tables.next_hop(record.host)?, now)?;
    let Resolved::Neighbour {
        destination,
        source,
        device,
    } = next_hop
    else {
        return None;
    };
    tables.count_port(slot, Direction::Outbound, u32::from(header.total_length));
    let from = SubstrateAddress {
        prefix: port.host_prefix,
        tag: port.tag,
        virtual_ip: header.source,
    };
    let to = SubstrateAddress {
        prefix: record.outbound_prefix,
        tag: port.tag,
        virtual_ip: header.destination,
    };
    let mut inlay = translate::inlay(&header, transport.ports, from, to);
    (inlay.destination_mac, inlay.source_mac) = (destination, source);
    Some(Outbound {
        inlay,
        device,
        network: port.network,
    })
}

/// Whether a header asks for nothing but the other header: whole, right, and not too big.
#[inline(always)]
fn is_plain(header: &ipv4::Header, config: &Config) -> bool {
    header.version_and_length == ipv4::PLAIN
        && header.fragment == ipv4::Fragment::ATOMIC
        && header.is_checksum_right()
        && u32::from(header.total_length) <= config.virtual_mtu
}

/// The ports of a whole TCP or UDP header that moves no state.
#[inline(always)]
fn settled(
    packet: &mut Packet<'_>,
    offset: usize,
    protocol: u8,
    payload_length: u16,
) -> Option<Transport> {
    let is_whole = match protocol {
        TCP => payload_length >= 20,
        UDP => payload_length >= 8,
        _ => false,
    };
    if !is_whole {
        return None;
    }
    let transport = Transport::read(packet, offset, protocol)?;
    if transport.flags.is_plain() {
        Some(transport)
    } else {
        None
    }
}

/// Whether the flow is decided for `direction`, under what is in force, and no further by this packet.
#[inline(always)]
fn check<T: Tables>(
    tables: &T,
    flow: &Flow,
    record: &FlowRecord,
    port: &PortRecord,
    protocol: u8,
    direction: Direction,
    now: Tick,
) -> Option<()> {
    let is_decided = record.epoch == tables.network(port.network)?.epoch
        && record.allows(direction)
        && stays(record, protocol, direction);
    if !is_decided {
        return None;
    }
    if now.since(Tick(record.last_seen)) > Flow::REFRESH_TICKS {
        if record.is_expired(now) {
            return None;
        }
        flow.set_last_seen(now);
    }
    Some(())
}

/// Whether a plain packet of `direction` leaves the flow's state as it is.
#[inline(always)]
fn stays(record: &FlowRecord, protocol: u8, direction: Direction) -> bool {
    let state = record.state();
    let plain = TcpFlags(TcpFlags::ACK);
    state.is_settled() || state.next(protocol, record.origin() == direction, plain) == state
}

/// From the substrate.
#[inline(always)]
pub fn inbound<T: Tables>(tables: &T, packet: &mut Packet<'_>, frame: &Frame) -> Option<Inbound> {
    if ethernet::Header::read(packet)?.ether_type != ether_type::IPV6 {
        return None;
    }
    let header = parse::ipv6(packet, frame).ok()?;
    let config = tables.config()?;
    let (local, remote) = (header.destination, header.source);
    let is_inlaid = local.prefix == config.prefix
        && local.tag.kind() == Kind::Ipv4 as u8
        && local.tag == remote.tag
        && remote.prefix != config.prefix
        && u32::from(header.hop_limit) >= config.hop_limit_min
        && header.payload_length <= u16::MAX - ipv4::LEN as u16;
    if !is_inlaid {
        return None;
    }
    let transport = settled(
        packet,
        SUBSTRATE_L4,
        header.next_header,
        header.payload_length,
    )?;
    let key = FlowKey::new(
        local.tag,
        header.next_header,
        local.virtual_ip,
        remote.virtual_ip,
        swap_ports(header.next_header, transport.ports),
        0,
    );
    let flow = tables.flow(&key)?;
    let record = flow.record();
    if record.inbound_prefix != remote.prefix || record.check != key.check() {
        return None;
    }
    let port = tables.port(record.port)?;
    // The slot may have gone to a port of another network since.
    if port.tag != local.tag {
        return None;
    }
    check(
        tables,
        &flow,
        &record,
        port,
        header.next_header,
        Direction::Inbound,
        tables.now(),
    )?;
    let total_length = header.payload_length + ipv4::LEN as u16;
    tables.count_port(record.port, Direction::Inbound, u32::from(total_length));
    let substrate = parse::Substrate {
        header,
        protocol: header.next_header,
        fragment: ipv4::Fragment::ATOMIC,
        identification: 0,
        had_fragment: false,
        payload_length: header.payload_length,
    };
    let restore = translate::restore(&substrate, port.mac);
    Some(Inbound {
        restore,
        port: record.port,
        network: port.network,
    })
}
