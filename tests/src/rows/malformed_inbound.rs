//! What is malformed, truncated or not Inlay's when it comes from the substrate: dropped with a reason, never
//! passed to a node. What is the kernel's goes to the kernel.

use inlay_core::{drop_reason::DropReason, tables::Direction::Inbound};

use crate::{
    dataplane::Frame,
    nodes::{RED_A, RED_B, uplink},
    packet::{IPV4, flags::SYN},
    row::Row,
};

const PORTS: (u16, u16) = (40000, 8080);

pub(super) fn rows() -> Vec<Row> {
    let mut rows = ipv6();
    rows.extend(passed());
    rows
}

fn arrived() -> Frame {
    RED_B.arrives(&RED_B.tcp(&RED_A, PORTS, SYN))
}

fn refused_inbound(name: &'static str, reason: DropReason, edit: impl FnOnce(&mut Vec<u8>)) -> Row {
    Row::new(name)
        .frame(arrived().edited(edit))
        .drops(0, Inbound, reason)
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
