//! From a node: who sent it, may it pass, where to.

use crate::{
    drop_reason::DropReason,
    flow::{FlowKey, FlowRecord},
    packet::Packet,
    pipeline::{
        Work, authorize, dhcp, forward,
        fragments::{self, Datagram},
        parse::{self, L4},
        related, reply,
        trace::Step,
        track::Request,
        translate,
    },
    rewrite::{Hop, Rewrite, Verdict},
    substrate::SubstrateAddress,
    tables::{Direction, PortRecord, SubnetRecord, Tables, limits::PORTS_MAX, records::NONE},
    wire::{
        ethernet::{self, ether_type},
        icmp, ipv4,
        l4::{ICMP, Icmp, TcpFlags, Transport, swap_ports},
    },
};

/// What becomes of a frame from the interface of a port.
///
/// # Errors
/// The reason to drop it; `work.subject` says what it was.
#[inline(always)]
pub fn outbound<T: Tables>(
    tables: &T,
    packet: &mut Packet<'_>,
    work: &mut Work,
) -> Result<Verdict, DropReason> {
    let slot = tables
        .device(work.frame.interface_index)
        .ok_or(DropReason::UnknownPort)?;
    if slot >= PORTS_MAX {
        return Err(DropReason::UnknownPort);
    }
    let port = tables.port(slot).ok_or(DropReason::UnknownPort)?;
    if port.interface_index != work.frame.interface_index {
        return Err(DropReason::UnknownPort);
    }
    tables.trace(Step::FromPort, u64::from(slot));
    (work.subject.port, work.subject.network) = (slot, port.network);
    let subnet = tables.subnet(port.subnet).ok_or(DropReason::UnknownPort)?;
    let ethernet = ethernet::Header::read(packet).ok_or(DropReason::Truncated)?;
    if ethernet.source != port.mac {
        return Err(DropReason::SpoofedMac);
    }
    match ethernet.ether_type {
        ether_type::ARP => reply::arp(tables, packet, work, slot, port, subnet),
        ether_type::IPV4
            if let Some(len_bytes) =
                dhcp::request(packet, &work.frame, port, subnet, &ethernet) =>
        {
            work.subject.len_bytes = len_bytes;
            tables.pass_dhcp(work).map(|()| Verdict::Pass)
        }
        ether_type::IPV4 if ethernet.destination.is_group() => Err(DropReason::NotUnicast),
        ether_type::IPV4 => ipv4(tables, packet, work, &Sender { slot, port, subnet }),
        _ => Err(DropReason::NotIpv4),
    }
}

struct Sender<'a> {
    slot: u32,
    port: &'a PortRecord,
    subnet: &'a SubnetRecord,
}

#[inline(always)]
fn ipv4<T: Tables>(
    tables: &T,
    packet: &mut Packet<'_>,
    work: &mut Work,
    sender: &Sender<'_>,
) -> Result<Verdict, DropReason> {
    let Sender { slot, port, subnet } = *sender;
    let header = parse::ipv4(packet, &work.frame)?;
    work.subject.len_bytes = u32::from(header.total_length);
    work.subject.key = FlowKey::new(
        port.tag,
        header.protocol,
        header.source,
        header.destination,
        0,
        0,
    );
    authorize::node(tables, slot, port, header.source)?;
    if header.destination.is_not_unicast() || reply::is_broadcast(subnet, header.destination) {
        return Err(DropReason::NotUnicast);
    }
    if parse::has_options(&header) {
        return refuse_options(packet, work, sender, &header);
    }
    if header.fragment.is_reserved() {
        return Err(DropReason::ReservedFlag);
    }
    if !header.is_checksum_right() {
        return Err(DropReason::BadIpv4Header);
    }
    if parse::is_extension(header.protocol) {
        return Err(DropReason::ReservedProtocol);
    }
    if header.destination == subnet.gateway {
        return reply::gateway(packet, work, port, subnet, &header);
    }
    let transport = transport(tables, packet, slot, &header)?;
    // Its later fragments could not be told from a flow's.
    if transport.icmp == Icmp::Error && header.fragment.is_fragment() {
        return Err(DropReason::BadFragment);
    }
    if let Some(reply) = too_big(tables, work, sender, &header, transport.icmp)? {
        return Ok(reply);
    }
    carry(tables, packet, work, sender, &header, &transport)
}

/// Options are not carried; the sender is told which octet is at fault: the first of them.
#[inline(always)]
fn refuse_options(
    packet: &mut Packet<'_>,
    work: &mut Work,
    sender: &Sender<'_>,
    header: &ipv4::Header,
) -> Result<Verdict, DropReason> {
    // The mask is for the verifier: a header has at most 60 bytes.
    let at = (parse::L3 + header.header_length()) & 0x7f;
    let transport = match header.protocol {
        ICMP => Transport::read(packet, at, ICMP).unwrap_or_default(),
        _ => Transport::default(),
    };
    if !reply::may_tell(header, transport.icmp) {
        return Err(DropReason::Ipv4Options);
    }
    let error = icmp::Error::ParameterProblem(ipv4::LEN as u8);
    let told = DropReason::Ipv4Options;
    Ok(reply::error(
        work,
        sender.port,
        sender.subnet,
        header,
        error,
        told,
    ))
}

#[inline(always)]
const fn datagram(slot: u32, header: &ipv4::Header) -> Datagram {
    Datagram {
        slot,
        direction: Direction::Outbound,
        local: header.source,
        remote: header.destination,
        identification: header.identification,
        protocol: header.protocol,
    }
}

/// The transport header; of a later fragment what its first one had.
#[inline(always)]
fn transport<T: Tables>(
    tables: &T,
    packet: &mut Packet<'_>,
    slot: u32,
    header: &ipv4::Header,
) -> Result<Transport, DropReason> {
    parse::check_payload(
        header.fragment,
        header.protocol,
        header.total_length - ipv4::LEN as u16,
    )?;
    if header.fragment.offset() == 0 {
        return Transport::read(packet, L4, header.protocol).ok_or(DropReason::Truncated);
    }
    let ports = fragments::recall(tables, &datagram(slot, header))?;
    Ok(Transport {
        ports,
        flags: TcpFlags(TcpFlags::ACK),
        icmp: Icmp::Not,
    })
}

#[inline(always)]
fn too_big<T: Tables>(
    tables: &T,
    work: &mut Work,
    sender: &Sender<'_>,
    header: &ipv4::Header,
    icmp: Icmp,
) -> Result<Option<Verdict>, DropReason> {
    let mtu = tables.config().ok_or(DropReason::UnknownPort)?.virtual_mtu;
    if u32::from(header.total_length) <= mtu {
        return Ok(None);
    }
    if !header.fragment.dont_fragment() || !reply::may_tell(header, icmp) {
        return Err(DropReason::TooBig);
    }
    let error = icmp::Error::FragmentationNeeded(mtu as u16);
    let told = DropReason::TooBig;
    Ok(Some(reply::error(
        work,
        sender.port,
        sender.subnet,
        header,
        error,
        told,
    )))
}

/// Past the checks of the packet alone: the flow, the way, the other header.
#[inline(always)]
fn carry<T: Tables>(
    tables: &T,
    packet: &mut Packet<'_>,
    work: &mut Work,
    sender: &Sender<'_>,
    header: &ipv4::Header,
    transport: &Transport,
) -> Result<Verdict, DropReason> {
    let Sender { slot, port, subnet } = *sender;
    let via = via(slot, port);
    let key = FlowKey::new(
        port.tag,
        header.protocol,
        header.source,
        header.destination,
        transport.ports,
        via,
    );
    work.request = Request::new(slot, Direction::Outbound, key, port.host_prefix);
    work.request.transport = *transport;
    if transport.icmp == Icmp::Error {
        work.request.quoted = related::quoted(packet, L4, Direction::Outbound, port.tag, via)?;
    }
    tables.track(work)?;
    if header.fragment.is_fragment() && header.fragment.offset() == 0 {
        fragments::remember(tables, &datagram(slot, header), transport.ports);
    }
    let mut header = *header;
    if work.record.flags & FlowRecord::ROUTED != 0 {
        if header.ttl <= 1 {
            if !reply::may_tell(&header, transport.icmp) {
                return Err(DropReason::TtlExceeded);
            }
            let error = icmp::Error::TimeExceeded;
            let told = DropReason::TtlExceeded;
            return Ok(reply::error(work, port, subnet, &header, error, told));
        }
        header.ttl -= 1;
    }
    tables.count_port(slot, Direction::Outbound, u32::from(header.total_length));
    if work.record.peer_port != NONE {
        return deliver(tables, packet, work, transport, &header);
    }
    let source = SubstrateAddress {
        prefix: port.host_prefix,
        tag: port.tag,
        virtual_ip: header.source,
    };
    let destination = SubstrateAddress {
        prefix: work.record.outbound_prefix,
        tag: port.tag,
        virtual_ip: header.destination,
    };
    let inlay = translate::inlay(&header, transport.ports, source, destination);
    match forward::send(tables, port, work, inlay) {
        Err(told @ DropReason::HostUnreachable) if reply::may_tell(&header, transport.icmp) => {
            let error = icmp::Error::HostUnreachable;
            Ok(reply::error(work, port, subnet, &header, error, told))
        }
        sent => sent,
    }
}

/// What a port's flow keys have in `via`.
#[inline(always)]
pub(super) const fn via(slot: u32, port: &PortRecord) -> u32 {
    if port.flags & PortRecord::FORWARDING != 0 {
        slot + 1
    } else {
        0
    }
}

/// To another port of this host: what its own host would ask is asked here.
#[inline(always)]
fn deliver<T: Tables>(
    tables: &T,
    packet: &mut Packet<'_>,
    work: &mut Work,
    transport: &Transport,
    header: &ipv4::Header,
) -> Result<Verdict, DropReason> {
    let slot = work.record.peer_port;
    work.subject.direction = Direction::Inbound;
    let port = tables.port(slot).ok_or(DropReason::NotHere)?;
    // The slot may have gone to a port of another network since the flow was decided.
    if work.subject.key.vni() != port.tag.vni().number() {
        return Err(DropReason::NotHere);
    }
    tables.trace(Step::ToPort, u64::from(slot));
    let via = via(slot, port);
    let ports = swap_ports(header.protocol, transport.ports);
    let key = FlowKey::new(
        port.tag,
        header.protocol,
        header.destination,
        header.source,
        ports,
        via,
    );
    work.request = Request::new(slot, Direction::Inbound, key, port.host_prefix);
    work.request.transport = *transport;
    if transport.icmp == Icmp::Error {
        work.request.quoted = related::quoted(packet, L4, Direction::Inbound, port.tag, via)?;
    }
    tables.track(work)?;
    tables.count_port(slot, Direction::Inbound, u32::from(header.total_length));
    work.rewrite = Rewrite::Hop(Hop {
        destination_mac: port.mac,
        header: *header,
    });
    Ok(Verdict::Deliver(slot))
}
