//! ARP: the virtual router answers for itself and for the asker's neighbours.

use inlay_core::{drop_reason::DropReason, tables::Direction::Outbound};

use crate::{
    dataplane::Frame,
    nodes::{BLUE_A, Node, RED_A, RED_B, RED_C, RED_D, RED_M, ROUTER_MAC},
    packet::{Ip, Mac, ethernet},
    row::Row,
    world::{BLUE, RED},
};

const ARP: u16 = 0x0806;
const BROADCAST: Mac = [0xff; 6];

/// The payload of an ARP frame (RFC 826).
fn arp(operation: u8, sender: (Mac, Ip), target: (Mac, Ip)) -> Vec<u8> {
    [
        &[0, 1, 8, 0, 6, 4, 0, operation][..],
        &sender.0,
        &sender.1,
        &target.0,
        &target.1,
    ]
    .concat()
}

pub(crate) fn asks(node: &Node, sender: Ip, target: Ip) -> Frame {
    let bytes = arp(1, (node.mac, sender), ([0; 6], target));
    let mut frame = node.sends_bytes(ARP, &bytes);
    frame.bytes = ethernet((BROADCAST, node.mac), ARP, &bytes);
    frame
}

fn answer(node: &Node, sender: Ip, target: Ip) -> Vec<u8> {
    ethernet(
        (node.mac, ROUTER_MAC),
        ARP,
        &arp(2, (ROUTER_MAC, target), (node.mac, sender)),
    )
}

fn answered(name: &'static str, node: &Node, sender: Ip, target: Ip) -> Row {
    Row::new(name)
        .frame(asks(node, sender, target))
        .replies(answer(node, sender, target))
}

pub(super) fn rows() -> Vec<Row> {
    let unanswered = |name, target| {
        Row::new(name).frame(asks(&RED_A, RED_A.ip, target)).drops(
            RED,
            Outbound,
            DropReason::ArpUnanswered,
        )
    };
    vec![
        answered(
            "ARP for the virtual router is answered",
            &RED_A,
            RED_A.ip,
            [10, 0, 1, 1],
        ),
        answered(
            "ARP for a node of another host is answered",
            &RED_A,
            RED_A.ip,
            RED_B.ip,
        ),
        answered(
            "ARP for a node of the same host is answered",
            &RED_A,
            RED_A.ip,
            RED_D.ip,
        ),
        answered(
            "ARP from a second address is answered",
            &RED_M,
            [10, 0, 1, 31],
            RED_A.ip,
        ),
        answered(
            "an ARP probe for an address in use is answered",
            &RED_A,
            [0; 4],
            RED_D.ip,
        ),
        unanswered(
            "ARP for an address that nobody has is not answered",
            [10, 0, 1, 200],
        ),
        unanswered("ARP for a node of another subnet is not answered", RED_C.ip),
        unanswered(
            "ARP for another subnet's virtual router is not answered",
            [10, 0, 2, 1],
        ),
        unanswered(
            "ARP for one's own address, as a conflict is looked for, is not answered",
            RED_A.ip,
        ),
        Row::new("ARP for an address that only red has is not answered in blue")
            .frame(asks(&BLUE_A, BLUE_A.ip, RED_D.ip))
            .drops(BLUE, Outbound, DropReason::ArpUnanswered),
        Row::new("ARP from another's address is spoofed")
            .frame(asks(&RED_A, RED_D.ip, [10, 0, 1, 1]))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
        Row::new("ARP from another's MAC address, inside, is spoofed")
            .frame(asks(&RED_A, RED_A.ip, [10, 0, 1, 1]).edited(|bytes| bytes[27] ^= 1))
            .drops(RED, Outbound, DropReason::SpoofedMac),
        Row::new("ARP from another's MAC address, outside, is spoofed")
            .frame(asks(&RED_A, RED_A.ip, [10, 0, 1, 1]).edited(|bytes| bytes[11] ^= 1))
            .drops(RED, Outbound, DropReason::SpoofedMac),
        Row::new("an ARP reply is no request")
            .frame(asks(&RED_A, RED_A.ip, [10, 0, 1, 1]).edited(|bytes| bytes[21] = 2))
            .drops(RED, Outbound, DropReason::ArpUnanswered),
        Row::new("an ARP request cut short is not answered")
            .frame(asks(&RED_A, RED_A.ip, [10, 0, 1, 1]).edited(|bytes| bytes.truncate(41)))
            .drops(RED, Outbound, DropReason::ArpUnanswered),
        Row::new("an ARP request with padding is answered with as much")
            .frame(asks(&RED_A, RED_A.ip, [10, 0, 1, 1]).edited(|bytes| bytes.resize(60, 0)))
            .replies({
                let mut bytes = answer(&RED_A, RED_A.ip, [10, 0, 1, 1]);
                bytes.resize(60, 0);
                bytes
            }),
    ]
}
