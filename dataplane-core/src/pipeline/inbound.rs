//! From the substrate: may this host say so, who is it for, may it pass.

use crate::{
    drop_reason::DropReason,
    flow::FlowKey,
    packet::Packet,
    pipeline::{
        Work, authorize,
        fragments::{self, Datagram},
        locate,
        outbound::via,
        parse::{self, SUBSTRATE_L4, Substrate},
        related,
        trace::Step,
        track::Request,
        translate,
    },
    policy::search,
    rewrite::{FRAGMENT_GROWTH, GROWTH, Rewrite, SubstrateError, Verdict},
    substrate::Kind,
    tables::{Config, Direction, ForwarderKey, MappingKey, PortRecord, Tables, records::NONE},
    wire::{
        ethernet::{self, ether_type},
        icmp, ipv4, ipv6,
        l4::{Icmp, TcpFlags, Transport, UDP, swap_ports},
    },
};

/// What becomes of a frame from an uplink.
///
/// # Errors
/// The reason to drop it; `work.subject` says what it was.
#[inline(always)]
pub fn inbound<T: Tables>(
    tables: &T,
    packet: &mut Packet<'_>,
    work: &mut Work,
) -> Result<Verdict, DropReason> {
    let Some(ethernet) = ethernet::Header::read(packet) else {
        return Ok(Verdict::Pass);
    };
    if ethernet.ether_type != ether_type::IPV6 {
        return Ok(Verdict::Pass);
    }
    let config = tables.config().ok_or(DropReason::NotHere)?;
    let header = parse::ipv6(packet, &work.frame)?;
    if header.destination.prefix != config.prefix {
        return Ok(Verdict::Pass);
    }
    match header.destination.tag.kind() {
        kind if kind == Kind::Host as u8 => return Ok(Verdict::Pass),
        kind if kind == Kind::Ipv4 as u8 => {}
        _ => return Err(DropReason::BadKind),
    }
    // A node sends to its own network alone, so that this is of a router or host of the substrate.
    let is_tenant = header.source.tag == header.destination.tag;
    if !is_tenant && header.next_header == ipv6::ICMPV6 {
        return substrate_error(tables, packet, work, &header);
    }
    tenant(tables, packet, work, config, header)
}

#[inline(always)]
fn tenant<T: Tables>(
    tables: &T,
    packet: &mut Packet<'_>,
    work: &mut Work,
    config: &Config,
    header: ipv6::Header,
) -> Result<Verdict, DropReason> {
    let (local, remote) = (header.destination, header.source);
    work.subject.key = FlowKey::new(
        local.tag,
        header.next_header,
        local.virtual_ip,
        remote.virtual_ip,
        0,
        0,
    );
    if u32::from(header.hop_limit) < config.hop_limit_min {
        return Err(DropReason::HopLimit);
    }
    if remote.tag != local.tag {
        return Err(DropReason::CrossNetwork);
    }
    // What this host's nodes send to each other never takes the fabric.
    if remote.prefix == config.prefix {
        return Err(DropReason::ForgedSource);
    }
    work.substrate = parse::substrate(packet, header)?;
    let sender = authorize::host(tables, &remote)?;
    tables.trace(
        Step::FromHost,
        u64::from(sender.mapping.map_or(NONE, |mapping| mapping.host)),
    );
    let slot = receiver(tables, config, &sender, &header)?;
    tables.trace(Step::ToPort, u64::from(slot));
    let port = tables.port(slot).ok_or(DropReason::NotHere)?;
    // A mapping that is being replaced may name a slot that is another network's by now.
    if port.tag != local.tag {
        return Err(DropReason::NotHere);
    }
    (work.subject.port, work.subject.network) = (slot, port.network);
    receive(tables, packet, work, slot, port)
}

/// The port that a packet is for: one that forwards where the sender's routes say so, else the one
/// that has the address.
#[inline(always)]
fn receiver<T: Tables>(
    tables: &T,
    config: &Config,
    sender: &authorize::Sender,
    header: &ipv6::Header,
) -> Result<u32, DropReason> {
    let tag = header.destination.tag;
    let own = ForwarderKey {
        prefix: config.prefix,
        tag,
        reserved: 0,
    };
    if sender.is_home
        && tables.is_forwarder(&own)
        && let Some(slot) = forwarding_port(tables, header)
    {
        return Ok(slot);
    }
    let key = MappingKey {
        tag,
        virtual_ip: header.destination.virtual_ip,
    };
    match tables.mapping(&key) {
        Some(mapping) if mapping.port != NONE => Ok(mapping.port),
        _ => Err(DropReason::NotHere),
    }
}

/// The port here that the sender's subnet routes the destination to.
#[inline(always)]
fn forwarding_port<T: Tables>(tables: &T, header: &ipv6::Header) -> Option<u32> {
    let tag = header.destination.tag;
    let network = tables.network_of(tag)?;
    let source = header.source.virtual_ip;
    let slot = search(tables, tables.network(network)?.subnets, source.number())?.value;
    let subnet = tables.subnet(slot)?;
    let destination = header.destination.virtual_ip;
    if subnet.contains(destination) {
        return None;
    }
    let node = locate::next_node(tables, subnet, destination).ok()?;
    if node == destination {
        return None;
    }
    let mapping = tables.mapping(&MappingKey {
        tag,
        virtual_ip: node,
    })?;
    if mapping.port == NONE {
        None
    } else {
        Some(mapping.port)
    }
}

#[inline(always)]
const fn datagram(slot: u32, substrate: &Substrate) -> Datagram {
    Datagram {
        slot,
        direction: Direction::Inbound,
        local: substrate.header.destination.virtual_ip,
        remote: substrate.header.source.virtual_ip,
        identification: substrate.identification,
        protocol: substrate.protocol,
    }
}

#[inline(always)]
fn l4_offset(substrate: &Substrate) -> usize {
    if substrate.had_fragment {
        SUBSTRATE_L4 + ipv6::FRAGMENT_LEN
    } else {
        SUBSTRATE_L4
    }
}

/// The transport header, its ports with the local one first; of a later fragment what its first had.
#[inline(always)]
fn transport<T: Tables>(
    tables: &T,
    packet: &mut Packet<'_>,
    slot: u32,
    substrate: &Substrate,
) -> Result<Transport, DropReason> {
    parse::check_payload(
        substrate.fragment,
        substrate.protocol,
        substrate.payload_length,
    )?;
    if substrate.fragment.offset() == 0 {
        let transport = Transport::read(packet, l4_offset(substrate), substrate.protocol);
        let transport = transport.ok_or(DropReason::Truncated)?;
        let ports = swap_ports(substrate.protocol, transport.ports);
        return Ok(Transport { ports, ..transport });
    }
    let ports = fragments::recall(tables, &datagram(slot, substrate))?;
    Ok(Transport {
        ports,
        flags: TcpFlags(TcpFlags::ACK),
        icmp: Icmp::Not,
    })
}

#[inline(always)]
fn receive<T: Tables>(
    tables: &T,
    packet: &mut Packet<'_>,
    work: &mut Work,
    slot: u32,
    port: &PortRecord,
) -> Result<Verdict, DropReason> {
    let transport = transport(tables, packet, slot, &work.substrate)?;
    if transport.icmp == Icmp::Error && work.substrate.fragment.is_fragment() {
        return Err(DropReason::BadFragment);
    }
    let (local, remote) = (
        work.substrate.header.destination,
        work.substrate.header.source,
    );
    let via = via(slot, port);
    let key = FlowKey::new(
        local.tag,
        work.substrate.protocol,
        local.virtual_ip,
        remote.virtual_ip,
        transport.ports,
        via,
    );
    work.request = Request::new(slot, Direction::Inbound, key, remote.prefix);
    work.request.transport = transport;
    if transport.icmp == Icmp::Error {
        let at = l4_offset(&work.substrate);
        work.request.quoted = related::quoted(packet, at, Direction::Inbound, port.tag, via)?;
    }
    tables.track(work)?;
    let substrate = &work.substrate;
    if substrate.fragment.is_fragment() && substrate.fragment.offset() == 0 {
        fragments::remember(tables, &datagram(slot, substrate), transport.ports);
    }
    let total_length = substrate.payload_length + ipv4::LEN as u16;
    tables.count_port(slot, Direction::Inbound, u32::from(total_length));
    work.rewrite = Rewrite::Restore(translate::restore(substrate, port.mac));
    Ok(Verdict::Deliver(slot))
}

const QUOTED: usize = SUBSTRATE_L4 + icmp::LEN;
const QUOTED_L4: usize = QUOTED + ipv6::LEN;

/// An ICMPv6 error of the substrate about a packet that a node of this host sent. It is believed only
/// where it quotes a flow of that node.
#[inline(always)]
fn substrate_error<T: Tables>(
    tables: &T,
    packet: &mut Packet<'_>,
    work: &mut Work,
    header: &ipv6::Header,
) -> Result<Verdict, DropReason> {
    let window = packet
        .window::<{ icmp::LEN }>(SUBSTRATE_L4)
        .ok_or(DropReason::Truncated)?;
    let (kind, word) = (window.u8::<0>(), u32::from_be(window.u32::<4>()));
    let window = packet
        .window::<{ ipv6::LEN }>(QUOTED)
        .ok_or(DropReason::Truncated)?;
    let quoted = ipv6::Header::of(&window);
    if quoted.source != header.destination || quoted.destination.tag != quoted.source.tag {
        return Err(DropReason::Unsolicited);
    }
    let payload = quoted_payload(packet, quoted, &mut work.substrate)?;
    let growth = if work.substrate.had_fragment {
        FRAGMENT_GROWTH
    } else {
        GROWTH
    };
    let error = icmp::Error::from_icmpv6(kind, word, growth).ok_or(DropReason::Unsolicited)?;
    let key = MappingKey {
        tag: quoted.source.tag,
        virtual_ip: quoted.source.virtual_ip,
    };
    let mapping = tables.mapping(&key).ok_or(DropReason::NotHere)?;
    let port = tables.port(mapping.port).ok_or(DropReason::NotHere)?;
    if port.tag != quoted.source.tag {
        return Err(DropReason::NotHere);
    }
    (work.subject.port, work.subject.network) = (mapping.port, port.network);
    check_quoted(tables, packet, mapping.port, port, &work.substrate)?;
    let subnet = tables.subnet(port.subnet).ok_or(DropReason::NotHere)?;
    work.rewrite = Rewrite::SubstrateError(SubstrateError {
        destination_mac: port.mac,
        router: subnet.gateway,
        error,
        quoted: translate::ipv4_header(&work.substrate),
        payload,
        had_fragment: work.substrate.had_fragment,
    });
    Ok(Verdict::Deliver(mapping.port))
}

/// The quoted headers, and the eight bytes after them as the node sent them.
#[inline(always)]
fn quoted_payload(
    packet: &mut Packet<'_>,
    quoted: ipv6::Header,
    substrate: &mut Substrate,
) -> Result<u64, DropReason> {
    *substrate = Substrate {
        header: quoted,
        protocol: quoted.next_header,
        fragment: ipv4::Fragment::ATOMIC,
        identification: 0,
        had_fragment: false,
        payload_length: quoted.payload_length.min(u16::MAX - ipv4::LEN as u16),
    };
    if quoted.next_header == ipv6::FRAGMENT {
        let window = packet
            .window::<{ ipv6::FRAGMENT_LEN }>(QUOTED_L4)
            .ok_or(DropReason::Truncated)?;
        let fragment = ipv6::Fragment::of(&window).ok_or(DropReason::Unsolicited)?;
        substrate.protocol = fragment.next_header;
        substrate.fragment = fragment.fragment;
        substrate.identification = fragment.identification;
        substrate.had_fragment = true;
        substrate.payload_length = substrate
            .payload_length
            .saturating_sub(ipv6::FRAGMENT_LEN as u16);
    }
    let window = packet
        .window::<8>(quoted_l4(substrate))
        .ok_or(DropReason::Truncated)?;
    let mut payload = window.u64::<0>();
    let checksum = translate::restored_checksum(substrate);
    if checksum.protocol == UDP {
        let field = checksum.delta.apply_udp((payload >> 48) as u16);
        payload = payload & 0x0000_ffff_ffff_ffff | u64::from(field) << 48;
    }
    Ok(payload)
}

#[inline(always)]
fn quoted_l4(substrate: &Substrate) -> usize {
    if substrate.had_fragment {
        QUOTED_L4 + ipv6::FRAGMENT_LEN
    } else {
        QUOTED_L4
    }
}

/// Whether the quoted packet is of a flow of the node.
#[inline(always)]
fn check_quoted<T: Tables>(
    tables: &T,
    packet: &mut Packet<'_>,
    slot: u32,
    port: &PortRecord,
    quoted: &Substrate,
) -> Result<(), DropReason> {
    if quoted.fragment.offset() != 0 {
        return Err(DropReason::Unsolicited);
    }
    let transport = related::ports(packet, quoted_l4(quoted), quoted.protocol);
    let transport = transport.ok_or(DropReason::Truncated)?;
    let (local, remote) = (quoted.header.source, quoted.header.destination);
    let key = FlowKey::new(
        port.tag,
        quoted.protocol,
        local.virtual_ip,
        remote.virtual_ip,
        transport.ports,
        via(slot, port),
    );
    let flow = tables.flow(&key).ok_or(DropReason::Unsolicited)?;
    let record = flow.record();
    let is_own = record.port == slot
        && record.allows(Direction::Outbound)
        && record.outbound_prefix == remote.prefix;
    if !is_own || record.is_expired(tables.now()) {
        return Err(DropReason::Unsolicited);
    }
    Ok(())
}
