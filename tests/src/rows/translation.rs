//! What of a packet is kept, changed and restored.

use crate::{
    nodes::{BLUE_A, BLUE_B, Host, RED_A, RED_B},
    packet::{Packet, flags::ACK},
    row::Row,
};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = outbound();
    rows.extend(inbound());
    rows.extend(established());
    rows
}

fn outbound() -> Vec<Row> {
    let udp = RED_A.udp(&RED_B, (7, 9000));
    let sends = |name, packet: &Packet| {
        Row::new(name)
            .frame(RED_A.sends(packet))
            .sends(&RED_A, packet, Host::Two)
    };
    vec![
        sends("a UDP datagram gets the checksum of the substrate", &udp),
        sends(
            "a UDP datagram without checksum gets none",
            &udp.clone().no_checksum(),
        ),
        sends(
            "a TCP segment gets the checksum of the substrate",
            &RED_A.tcp(&RED_B, (7, 9000), ACK),
        ),
        sends(
            "an ICMP message keeps its checksum",
            &RED_A.ping(RED_B.ip, 5),
        ),
        sends(
            "TOS goes into the traffic class, ECN with it",
            &udp.clone().tos(0xb9),
        ),
        sends("every bit of TOS goes", &udp.clone().tos(0xff)),
        sends("TTL 255 goes into the flow label", &udp.clone().ttl(255)),
        sends(
            "a datagram of an odd length is inlaid",
            &RED_A.udp_of(&RED_B, (7, 9000), 1),
        ),
        sends(
            "an empty datagram is inlaid",
            &RED_A.udp_of(&RED_B, (7, 9000), 0),
        ),
        // The Identification of an atomic datagram does not travel: the expected bytes hold none.
        Row::new("an atomic datagram's Identification stays behind")
            .frame(RED_A.sends(&udp.clone().identification(0x1234)))
            .sends(&RED_A, &udp, Host::Two),
    ]
}

fn inbound() -> Vec<Row> {
    let udp = RED_B.udp(&RED_A, (7, 9000));
    let delivers = |name, packet: &Packet| {
        Row::new(name)
            .frame(RED_B.arrives(packet))
            .delivers(&RED_A, packet)
    };
    vec![
        delivers("a UDP datagram gets its own checksum again", &udp),
        delivers(
            "a UDP datagram without checksum still has none",
            &udp.clone().no_checksum(),
        ),
        delivers(
            "a TCP segment gets its own checksum again",
            &RED_B.tcp(&RED_A, (7, 8080), ACK),
        ),
        delivers("an ICMP message has its checksum", &RED_B.ping(RED_A.ip, 5)),
        delivers("TOS comes out of the traffic class", &udp.clone().tos(0xff)),
        delivers("TTL comes out of the flow label", &udp.clone().ttl(255)),
        delivers("TTL 0 comes out of the flow label", &udp.clone().ttl(0)),
        Row::new("a congestion mark set on the way reaches the node")
            .frame(
                RED_B
                    .arrives(&udp.clone().tos(2))
                    .edited(|bytes| bytes[15] |= 0x30),
            )
            .delivers(&RED_A, &udp.clone().tos(3)),
        Row::new("what a fabric wrote into the label's hash does not matter")
            .frame(
                RED_B
                    .arrives(&udp)
                    .edited(|bytes| bytes[15..17].copy_from_slice(&[0x0f, 0xff])),
            )
            .delivers(&RED_A, &udp),
    ]
}

fn established() -> Vec<Row> {
    let out = RED_A.udp(&RED_B, (7, 53));
    let back = RED_B.udp(&RED_A, (53, 7));
    let settled = |name| {
        Row::new(name)
            .after(RED_A.sends(&out))
            .after(RED_B.arrives(&back))
    };
    let blue = |packet: &Packet| packet.clone();
    vec![
        settled("an established flow is inlaid as its first packet was")
            .frame(RED_A.sends(&out.clone().tos(1).ttl(9)))
            .sends(&RED_A, &out.clone().tos(1).ttl(9), Host::Two),
        settled("an established flow is restored as its first packet was")
            .frame(RED_B.arrives(&back.clone().tos(1).ttl(9)))
            .delivers(&RED_A, &back.clone().tos(1).ttl(9)),
        settled("an established flow without checksums is inlaid without")
            .frame(RED_A.sends(&out.clone().no_checksum()))
            .sends(&RED_A, &out.clone().no_checksum(), Host::Two),
        settled("an established flow without checksums is restored without")
            .frame(RED_B.arrives(&back.clone().no_checksum()))
            .delivers(&RED_A, &back.clone().no_checksum()),
        settled("an established flow's datagrams that are not atomic keep their header")
            .frame(RED_A.sends(&out.clone().may_fragment().identification(3)))
            .sends(
                &RED_A,
                &out.clone().may_fragment().identification(3),
                Host::Two,
            ),
        settled("an established flow of red is none of blue")
            .frame(BLUE_A.sends(&blue(&out)))
            .sends(&BLUE_A, &blue(&out), Host::Two)
            .flows(2),
        settled("an answer to red is none to blue")
            .frame(BLUE_B.arrives(&blue(&back)))
            .drops(
                crate::world::BLUE,
                inlay_core::tables::Direction::Inbound,
                inlay_core::drop_reason::DropReason::SecurityGroup,
            )
            .flows(1),
    ]
}
