//! What must not work, whoever tries: frames that no kernel would send.

use std::net::SocketAddrV4;

use anyhow::{Context as _, Result};
use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use inlay_core::ids::MacAddress;

use super::{A, B, Drops, Outcome, Row, TwoHosts, row, same, silent};
use crate::netns::{
    Namespace,
    frame::FrameSocket,
    probe::{self, Greeter, PATIENCE, SILENCE},
};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row(
            "a spoofed virtual source: red-a sends as 10.0.1.99",
            spoofed_address,
        ),
        row("a spoofed MAC address: red-a sends as red-d", spoofed_mac),
        row(
            "a forged substrate packet: another host sends as red-a",
            forged_host,
        ),
        row("a forged substrate packet from red to blue", cross_network),
        row("red is not blue: red-a's 10.0.1.11 is red-b", |t| {
            meets(&t.red_a, t, &t.red_b)
        }),
        row("blue is not red: blue-a's 10.0.1.11 is blue-b", |t| {
            meets(&t.blue_a, t, &t.blue_b)
        }),
    ]
}

/// Payloads that no other packet has. The receiver answers the genuine one with an ICMP error that quotes it:
/// what must not arrive is another.
const GENUINE: &[u8] = b"inlay scenario: this must arrive";
const FORGED: &[u8] = b"inlay scenario: this must not arrive";

/// The Ethernet address of a device. Not from sysfs, which shows the namespace that it was mounted in.
fn mac_of(namespace: &Namespace, device: &str) -> Result<[u8; 6]> {
    let text = namespace.output(&format!("ip -o link show dev {device}"))?;
    let mac = text
        .split_whitespace()
        .skip_while(|word| *word != "link/ether")
        .nth(1);
    let octets = mac.context("no Ethernet address")?.split(':');
    let octets: Result<Vec<u8>, _> = octets.map(|octet| u8::from_str_radix(octet, 16)).collect();
    octets?
        .try_into()
        .ok()
        .context("a MAC address has six octets")
}

fn udp_frame(source_mac: [u8; 6], source: [u8; 4], payload: &[u8]) -> Result<Vec<u8>> {
    let builder = PacketBuilder::ethernet2(source_mac, MacAddress::ROUTER.octets())
        .ipv4(source, B.octets(), 64)
        .udp(9001, 9001);
    let mut frame = Vec::new();
    builder.write(&mut frame, payload)?;
    Ok(frame)
}

fn carries(payload: &[u8]) -> impl Fn(&[u8]) -> bool {
    move |frame| frame.windows(payload.len()).any(|window| window == payload)
}

/// Sends a frame from red-a, and listens at red-b. With the genuine frame first: a probe that could never
/// arrive would prove nothing.
fn spoof(topology: &TwoHosts, frame: &[u8], reason: &str) -> Result<Outcome> {
    let sender = FrameSocket::open(&topology.red_a, "eth0")?;
    let receiver = FrameSocket::open(&topology.red_b, "eth0")?;
    sender.send(&udp_frame(
        mac_of(&topology.red_a, "eth0")?,
        A.octets(),
        GENUINE,
    )?)?;
    if receiver.receive(PATIENCE, carries(GENUINE))?.is_none() {
        return Ok(same(
            "the genuine frame arrives",
            "the genuine frame is lost",
        ));
    }
    let drops = Drops::of("host1", &topology.red.network, "outbound", reason)?;
    sender.send(frame)?;
    let arrived = receiver.receive(SILENCE, carries(FORGED))?;
    Ok(silent(arrived.is_none(), reason, drops.since()?))
}

fn spoofed_address(topology: &TwoHosts) -> Result<Outcome> {
    spoof(
        topology,
        &udp_frame(mac_of(&topology.red_a, "eth0")?, [10, 0, 1, 99], FORGED)?,
        "spoofed-address",
    )
}

fn spoofed_mac(topology: &TwoHosts) -> Result<Outcome> {
    spoof(
        topology,
        &udp_frame(mac_of(&topology.red_d, "eth0")?, A.octets(), FORGED)?,
        "spoofed-mac",
    )
}

/// An inlaid UDP packet to red-b, made in the fabric. `host` is the last word of the source's prefix.
fn substrate_frame(
    topology: &TwoHosts,
    host: u8,
    (from, to): (u32, u32),
    payload: &[u8],
) -> Result<Vec<u8>> {
    let address = |host: u8, vni: u32, virtual_ip: [u8; 4]| {
        let mut octets = [0; 16];
        octets[..8].copy_from_slice(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, host]);
        octets[8..12].copy_from_slice(&(4 << 24 | vni).to_be_bytes());
        octets[12..].copy_from_slice(&virtual_ip);
        octets
    };
    let builder = PacketBuilder::ethernet2(
        mac_of(&topology.fabric, "host2")?,
        mac_of(&topology.host2, "uplink")?,
    )
    .ipv6(
        address(host, from, A.octets()),
        address(2, to, B.octets()),
        254,
    )
    .udp(9001, 9001);
    let mut frame = Vec::new();
    builder.write(&mut frame, payload)?;
    // The flow label carries the TTL.
    frame[17] = 64;
    Ok(frame)
}

fn forge(topology: &TwoHosts, frame: &[u8], reason: &str) -> Result<Outcome> {
    let sender = FrameSocket::open(&topology.fabric, "host2")?;
    let receivers = [&topology.red_b, &topology.blue_b].map(|node| FrameSocket::open(node, "eth0"));
    let [red, blue] = receivers;
    let (red, blue) = (red?, blue?);
    // The genuine sender's host may say so: the probe itself can arrive.
    let red_alone = (topology.red.vni, topology.red.vni);
    sender.send(&substrate_frame(topology, 1, red_alone, GENUINE)?)?;
    if red.receive(PATIENCE, carries(GENUINE))?.is_none() {
        return Ok(same(
            "the genuine packet arrives",
            "the genuine packet is lost",
        ));
    }
    let drops = Drops::of("host2", "", "inbound", reason)?;
    sender.send(frame)?;
    let arrived = red.receive(SILENCE, carries(FORGED))?;
    let arrived = arrived.or(blue.receive(SILENCE, carries(FORGED))?);
    Ok(silent(arrived.is_none(), reason, drops.since()?))
}

fn forged_host(topology: &TwoHosts) -> Result<Outcome> {
    let red_alone = (topology.red.vni, topology.red.vni);
    forge(
        topology,
        &substrate_frame(topology, 3, red_alone, FORGED)?,
        "forged-source",
    )
}

fn cross_network(topology: &TwoHosts) -> Result<Outcome> {
    let red_to_blue = (topology.red.vni, topology.blue.vni);
    forge(
        topology,
        &substrate_frame(topology, 1, red_to_blue, FORGED)?,
        "cross-network",
    )
}

/// Both tenants' servers listen; only the client's own tenant's may answer.
fn meets(client: &Namespace, topology: &TwoHosts, expected: &Namespace) -> Result<Outcome> {
    let red = Greeter::listen(&topology.red_b, 8080)?;
    let blue = Greeter::listen(&topology.blue_b, 8080)?;
    let own = if expected.name() == topology.red_b.name() {
        &red
    } else {
        &blue
    };
    let answer = probe::tcp(client, own, SocketAddrV4::new(B, 8080))?;
    let observed = answer.map_or("nobody answers".to_owned(), |name| {
        format!("{name} answers")
    });
    Ok(same(format!("{} answers", expected.name()), observed))
}

/// Sends 1,501 bytes with DF from red-a; what the virtual router answers.
pub(super) fn oversized(topology: &TwoHosts) -> Result<String> {
    let node = &topology.red_a;
    let mac = mac_of(node, "eth0")?;
    let builder = PacketBuilder::ethernet2(mac, MacAddress::ROUTER.octets())
        .ipv4(A.octets(), B.octets(), 64)
        .udp(9001, 9001);
    let mut frame = Vec::new();
    builder.write(&mut frame, &[0; 1501 - 28])?;
    // A frame socket sends up to the interface's MTU: raise it for this frame alone.
    node.output("ip link set eth0 mtu 1600")?;
    let sent = answer_to(node, &frame);
    node.output("ip link set eth0 mtu 1500")?;
    sent
}

fn answer_to(node: &Namespace, frame: &[u8]) -> Result<String> {
    let socket = FrameSocket::open(node, "eth0")?;
    socket.send(frame)?;
    let is_error = |frame: &[u8]| fragmentation_needed(frame).is_some();
    let answer = socket.receive(PATIENCE, is_error)?;
    let mtu = answer.as_deref().and_then(fragmentation_needed);
    Ok(mtu.map_or("no answer".to_owned(), |mtu| {
        format!("fragmentation needed, MTU {mtu}")
    }))
}

/// The MTU of an ICMP "fragmentation needed".
fn fragmentation_needed(frame: &[u8]) -> Option<u16> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let (Some(NetSlice::Ipv4(_)), Some(TransportSlice::Icmpv4(icmp))) =
        (packet.net, packet.transport)
    else {
        return None;
    };
    match icmp.icmp_type() {
        etherparse::Icmpv4Type::DestinationUnreachable(
            etherparse::icmpv4::DestUnreachableHeader::FragmentationNeeded { next_hop_mtu },
        ) => Some(next_hop_mtu),
        _ => None,
    }
}
