//! What IPv4 allows and the substrate does not carry: options, and protocols that are headers of IPv6.

use inlay_core::{drop_reason::DropReason, tables::Direction::Outbound};

use crate::{
    nodes::{RED_A, RED_B, quote, router_error},
    packet::{Body, Packet},
    row::Row,
    world::RED,
};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = options();
    rows.extend(extension_headers());
    rows
}

fn options() -> Vec<Row> {
    let options = RED_A.udp(&RED_B, (7, 9000)).options(&[0x94, 4, 0, 0]);
    let longest = RED_A.udp(&RED_B, (7, 9000)).options(&[1; 40]);
    let problem = |packet: &Packet| {
        RED_A.gets(&router_error(
            &RED_A,
            (12, 0),
            [20, 0, 0, 0],
            &quote(packet),
        ))
    };
    let silent = |name, packet: &Packet| {
        Row::new(name)
            .frame(RED_A.sends(packet))
            .drops(RED, Outbound, DropReason::Ipv4Options)
    };
    let error = Packet::new(
        RED_A.ip,
        RED_B.ip,
        Body::Icmp {
            kind: (3, 3),
            word: [0; 4],
            payload: vec![0; 28],
        },
    );
    vec![
        Row::new("a packet with options is told of a parameter problem")
            .frame(RED_A.sends(&options))
            .replies(problem(&options))
            .drops(RED, Outbound, DropReason::Ipv4Options),
        Row::new("a packet with forty octets of options is told of a parameter problem")
            .frame(RED_A.sends(&longest))
            .replies(problem(&longest))
            .drops(RED, Outbound, DropReason::Ipv4Options),
        Row::new("a spoofed packet with options is told nothing")
            .frame(RED_A.sends(&options.clone().source([10, 0, 1, 200])))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
        silent(
            "an ICMP error with options is told nothing",
            &error.options(&[1, 1, 1, 0]),
        ),
        silent(
            "a later fragment with options is told nothing",
            &options
                .clone()
                .may_fragment()
                .identification(3)
                .part(8, 8, true),
        ),
        Row::new("a packet with options to a multicast address is told nothing")
            .frame(RED_A.sends(&options.clone().destination([224, 0, 0, 22])))
            .drops(RED, Outbound, DropReason::NotUnicast),
        Row::new("a packet with options to the broadcast address is told nothing")
            .frame(RED_A.sends(&options.destination([10, 0, 1, 255])))
            .drops(RED, Outbound, DropReason::NotUnicast),
    ]
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

/// Protocols that IPv6 takes for extension headers: inlaid, they would be a tenant's headers on the
/// substrate.
fn extension_headers() -> Vec<Row> {
    let fragment = [
        17, 0, 0, 0, 0, 0, 0, 5, 0, 7, 0x23, 0x28, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8,
    ];
    [
        (
            "a tenant's packet is not a Fragment header on the substrate",
            44,
            &fragment[..],
        ),
        (
            "a tenant's packet is not a Hop-by-Hop header on the substrate",
            0,
            &[59, 0, 1, 4, 0, 0, 0, 0],
        ),
        (
            "a tenant's packet is not a Routing header on the substrate",
            43,
            &[59, 2, 4, 1, 0, 0, 0, 0],
        ),
        (
            "a tenant's packet is not a Destination Options header on the substrate",
            60,
            &[59, 0, 1, 4, 0, 0, 0, 0],
        ),
        (
            "a tenant's packet is not a Mobility header on the substrate",
            135,
            &[59, 0, 0, 0, 0, 0, 0, 0],
        ),
        (
            "a tenant's packet is not a router advertisement on the substrate",
            58,
            &[134, 0, 0, 0, 64, 0, 7, 8],
        ),
    ]
    .into_iter()
    .map(|(name, protocol, payload)| {
        Row::new(name)
            .frame(RED_A.sends(&other(protocol, payload)))
            .drops(RED, Outbound, DropReason::ReservedProtocol)
    })
    .collect()
}
