//! What is malformed, truncated or not of Inlay: dropped with a reason, never passed to a node.

use inlay_core::{
    drop_reason::DropReason,
    tables::Direction::{Inbound, Outbound},
};

use crate::{
    dataplane::Frame,
    nodes::{Host, RED_A, RED_B, gateway, uplink},
    packet::{Body, IPV4, Packet, flags::SYN},
    row::Row,
    world::RED,
};

const PORTS: (u16, u16) = (40000, 8080);

pub(super) fn rows() -> Vec<Row> {
    let mut rows = frames();
    rows.extend(ipv4());
    rows.extend(transport());
    rows.extend(ipv6());
    rows.extend(passed());
    rows
}

fn sent() -> Frame {
    RED_A.sends(&RED_A.tcp(&RED_B, PORTS, SYN))
}

fn arrived() -> Frame {
    RED_B.arrives(&RED_B.tcp(&RED_A, PORTS, SYN))
}

fn refused(name: &'static str, reason: DropReason, edit: impl FnOnce(&mut Vec<u8>)) -> Row {
    Row::new(name)
        .frame(sent().edited(edit))
        .drops(RED, Outbound, reason)
}

fn refused_inbound(name: &'static str, reason: DropReason, edit: impl FnOnce(&mut Vec<u8>)) -> Row {
    Row::new(name)
        .frame(arrived().edited(edit))
        .drops(0, Inbound, reason)
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

fn ipv6() -> Vec<Row> {
    vec![
        refused_inbound(
            "an IPv6 header cut short is truncated",
            DropReason::Truncated,
            |b| b.truncate(53),
        ),
        refused_inbound(
            "an inlaid packet cut short is truncated",
            DropReason::Truncated,
            |b| b.truncate(80),
        ),
        refused_inbound(
            "IPv4 under IPv6's type is refused",
            DropReason::BadIpv6Header,
            |b| b[14] = 0x45,
        ),
        refused_inbound(
            "a kind that is not in use is refused",
            DropReason::BadKind,
            |b| b[46] = 5,
        ),
        refused_inbound(
            "the kind kept for tenants' IPv6 is refused",
            DropReason::BadKind,
            |b| b[46] = 6,
        ),
        refused_inbound(
            "a source of another kind is of another network",
            DropReason::CrossNetwork,
            |b| b[30] = 6,
        ),
        refused_inbound(
            "the agent of another host is no node",
            DropReason::CrossNetwork,
            |b| b[30..34].fill(0),
        ),
        refused_inbound(
            "a Hop-by-Hop header is not Inlay's",
            DropReason::BadIpv6Header,
            |b| b[20] = 0,
        ),
        refused_inbound(
            "a Routing header is not Inlay's",
            DropReason::BadIpv6Header,
            |b| b[20] = 43,
        ),
        refused_inbound(
            "a Destination Options header is not Inlay's",
            DropReason::BadIpv6Header,
            |b| b[20] = 60,
        ),
        refused_inbound(
            "a Fragment header after a Fragment header is not Inlay's",
            DropReason::BadIpv6Header,
            |b| {
                b[20] = 44;
                b[54..62].copy_from_slice(&[44, 0, 0, 1, 0, 0, 0, 9]);
            },
        ),
        refused_inbound(
            "a Fragment header cut short is not Inlay's",
            DropReason::BadIpv6Header,
            |b| {
                b[20] = 44;
                b[18..20].copy_from_slice(&[0, 7]);
            },
        ),
        refused_inbound(
            "a frame that ends in its Fragment header is truncated",
            DropReason::Truncated,
            |b| {
                b[20] = 44;
                b[18..20].copy_from_slice(&[0, 4]);
                b.truncate(58);
            },
        ),
    ]
}

fn passed() -> Vec<Row> {
    let kernel = |name, frame: Frame| Row::new(name).frame(frame).passes_as_it_is();
    vec![
        kernel(
            "IPv4 on the uplink is the kernel's",
            arrived().edited(|b| b[12..14].copy_from_slice(&IPV4.to_be_bytes())),
        ),
        kernel(
            "ARP on the uplink is the kernel's",
            arrived().edited(|b| b[12..14].copy_from_slice(&[8, 6])),
        ),
        kernel(
            "IPv6 for another host is the kernel's",
            arrived().edited(|b| b[45] = 9),
        ),
        kernel(
            "IPv6 for the agent is the kernel's",
            arrived().edited(|b| b[46..50].fill(0)),
        ),
        kernel("a neighbour solicitation is the kernel's", {
            let mut frame = arrived().edited(|b| b.truncate(54 + 24));
            frame.bytes[18..20].copy_from_slice(&[0, 24]);
            frame.bytes[20] = 58;
            frame.bytes[38..54]
                .copy_from_slice(&[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1]);
            frame
        }),
        Row::new("a frame on the uplink that ends in its Ethernet header is the kernel's")
            .frame(uplink(arrived().bytes[..13].to_vec()))
            .passes_as_it_is()
            .core_only("the kernel runs no test with less than an Ethernet header"),
    ]
}
