//! What is malformed or truncated when a node sends it: dropped with a reason, never passed to a node.

use inlay_core::{
    drop_reason::DropReason,
    tables::Direction::{Inbound, Outbound},
};

use crate::{
    dataplane::Frame,
    nodes::{Host, RED_A, RED_B, gateway},
    packet::{Body, Packet, flags::SYN},
    row::Row,
    world::RED,
};

const PORTS: (u16, u16) = (40000, 8080);

pub(super) fn rows() -> Vec<Row> {
    let mut rows = frames();
    rows.extend(ipv4());
    rows.extend(transport());
    rows
}

fn sent() -> Frame {
    RED_A.sends(&RED_A.tcp(&RED_B, PORTS, SYN))
}

fn refused(name: &'static str, reason: DropReason, edit: impl FnOnce(&mut Vec<u8>)) -> Row {
    Row::new(name)
        .frame(sent().edited(edit))
        .drops(RED, Outbound, reason)
}

fn frames() -> Vec<Row> {
    vec![
        refused(
            "a frame that ends in its Ethernet header is truncated",
            DropReason::Truncated,
            |b| b.truncate(13),
        )
        .core_only("the kernel runs no test with less than an Ethernet header"),
        refused(
            "a frame without anything is truncated",
            DropReason::Truncated,
            Vec::clear,
        )
        .core_only("the kernel runs no test with less than an Ethernet header"),
        refused(
            "an Ethernet header alone is truncated",
            DropReason::Truncated,
            |b| b.truncate(14),
        ),
        refused("a node does not send IPv6", DropReason::NotIpv4, |b| {
            b[12..14].copy_from_slice(&[0x86, 0xdd]);
        }),
        refused("a node does not send VLAN tags", DropReason::NotIpv4, |b| {
            b[12..14].copy_from_slice(&[0x81, 0]);
        }),
        refused("a node does not send MPLS", DropReason::NotIpv4, |b| {
            b[12..14].copy_from_slice(&[0x88, 0x47]);
        }),
        refused(
            "a frame with a length in place of a type is no IPv4",
            DropReason::NotIpv4,
            |b| b[12] = 0,
        ),
    ]
}

fn ipv4() -> Vec<Row> {
    let padded = RED_A.tcp(&RED_B, PORTS, SYN);
    vec![
        refused(
            "an IPv4 header cut short is truncated",
            DropReason::Truncated,
            |b| b.truncate(33),
        ),
        refused(
            "an IPv4 packet cut short is truncated",
            DropReason::Truncated,
            |b| b.truncate(60),
        ),
        refused(
            "IPv4 of version 5 is refused",
            DropReason::BadIpv4Header,
            |b| b[14] = 0x55,
        ),
        refused(
            "IPv6 under IPv4's type is refused",
            DropReason::BadIpv4Header,
            |b| b[14] = 0x65,
        ),
        refused(
            "an IPv4 header of 16 octets is refused",
            DropReason::BadIpv4Header,
            |b| b[14] = 0x44,
        ),
        refused(
            "a total length below the header's is refused",
            DropReason::BadIpv4Header,
            |b| {
                b[16..18].copy_from_slice(&[0, 19]);
            },
        ),
        refused(
            "a total length of 0 is refused",
            DropReason::BadIpv4Header,
            |b| {
                b[16..18].copy_from_slice(&[0, 0]);
            },
        ),
        refused(
            "a total length beyond the frame is truncated",
            DropReason::Truncated,
            |b| {
                b[16..18].copy_from_slice(&[0xff, 0xff]);
            },
        ),
        refused(
            "a wrong header checksum is refused",
            DropReason::BadIpv4Header,
            |b| b[24] ^= 1,
        ),
        refused(
            "the reserved flag is refused",
            DropReason::ReservedFlag,
            |b| b[20] |= 0x80,
        ),
        Row::new("octets after an IPv4 packet are padding, and stay")
            .frame(RED_A.sends(&padded).edited(|bytes| bytes.extend([7; 5])))
            .sends(&RED_A, &padded, Host::Two)
            .padded(&[7; 5]),
        Row::new("an IPv4 packet of nothing but its header leaves")
            .frame(RED_A.sends(&bare(99)))
            .sends(&RED_A, &bare(99), Host::Two),
        Row::new("an IPv4 packet of nothing but its header arrives where its protocol is open")
            .world(|world| world.rules(&RED_A, &[crate::policy::allow(Inbound)]))
            .frame(RED_B.arrives(&bare(99).source(RED_B.ip).destination(RED_A.ip)))
            .delivers(&RED_A, &bare(99).source(RED_B.ip).destination(RED_A.ip)),
        Row::new("a packet from the substrate with padding keeps it")
            .frame(
                RED_B
                    .arrives(&RED_B.tcp(&RED_A, PORTS, SYN))
                    .edited(|bytes| bytes.extend([7; 5])),
            )
            .delivers(&RED_A, &RED_B.tcp(&RED_A, PORTS, SYN))
            .padded(&[7; 5]),
    ]
}

fn bare(protocol: u8) -> Packet {
    Packet::new(
        RED_A.ip,
        RED_B.ip,
        Body::Other {
            protocol,
            payload: Vec::new(),
        },
    )
}

fn other(protocol: u8, payload: &[u8]) -> Packet {
    Packet::new(
        RED_A.ip,
        RED_B.ip,
        Body::Other {
            protocol,
            payload: payload.to_vec(),
        },
    )
}

fn transport() -> Vec<Row> {
    let short = |name, protocol, len_bytes: usize| {
        Row::new(name)
            .frame(RED_A.sends(&other(protocol, &vec![0; len_bytes])))
            .drops(RED, Outbound, DropReason::Truncated)
    };
    let short_inbound = |name, protocol, len_bytes: usize| {
        let packet = other(protocol, &vec![0; len_bytes])
            .source(RED_B.ip)
            .destination(RED_A.ip);
        Row::new(name)
            .frame(RED_B.arrives(&packet))
            .drops(RED, Inbound, DropReason::Truncated)
    };
    vec![
        short("a TCP header cut short is refused", 6, 19),
        short("a UDP header cut short is refused", 17, 7),
        short("an ICMP header cut short is refused", 1, 7),
        short_inbound("a TCP header cut short that arrives is refused", 6, 19),
        short_inbound("a UDP header cut short that arrives is refused", 17, 7),
        short_inbound("an ICMP header cut short that arrives is refused", 1, 7),
        Row::new("a UDP header cut short for the virtual router is refused")
            .frame(RED_A.sends(&other(17, &[0; 7]).destination(gateway(&RED_A))))
            .drops(RED, Outbound, DropReason::Truncated),
    ]
}
