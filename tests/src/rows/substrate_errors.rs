//! ICMPv6 errors of the substrate about inlaid packets, which become ICMPv4 errors to the node.

use inlay_core::{drop_reason::DropReason, tables::Direction::Inbound};

use etherparse::{IpNumber, Ipv6FlowLabel, Ipv6Header};

use crate::{
    dataplane::Frame,
    nodes::{Host, Node, RED_A, RED_B, RED_C, quote, router_error, uplink},
    packet::{IPV6, Ipv6, Packet, ethernet, substrate_address},
    row::Row,
    world::{RED, UPLINK_MAC},
};

/// A router of the substrate.
const ROUTER: Ipv6 = [0x20, 1, 0xd, 0xb8, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// The ICMPv6 error of `source` about `quoted`, to the substrate address that it came from.
pub(crate) fn error_from(source: Ipv6, kind: (u8, u8), word: u32, quoted: &[u8]) -> Frame {
    let destination: Ipv6 = quoted[8..24].try_into().unwrap();
    let mut message = [&[kind.0, kind.1, 0, 0][..], &word.to_be_bytes(), quoted].concat();
    let kind = etherparse::Icmpv6Type::Unknown {
        type_u8: kind.0,
        code_u8: kind.1,
        bytes5to8: word.to_be_bytes(),
    };
    let checksum = kind.calc_checksum(source, destination, quoted).unwrap();
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let header = Ipv6Header {
        traffic_class: 0,
        flow_label: Ipv6FlowLabel::ZERO,
        payload_length: u16::try_from(message.len()).unwrap(),
        next_header: IpNumber::IPV6_ICMP,
        hop_limit: 62,
        source,
        destination,
    };
    uplink(ethernet(
        (UPLINK_MAC, Host::Two.mac()),
        IPV6,
        &[&header.to_bytes()[..], &message].concat(),
    ))
}

pub(crate) fn error(kind: (u8, u8), word: u32, quoted: &[u8]) -> Frame {
    error_from(ROUTER, kind, word, quoted)
}

/// The packet as the substrate's router saw it.
fn inlaid(packet: &Packet) -> Vec<u8> {
    let mut bytes = packet.ipv6(&RED_A.path_to(Host::Two));
    bytes[7] = 61;
    bytes
}

const TOO_BIG: (u8, u8) = (2, 0);
const NO_ROUTE: (u8, u8) = (1, 0);

fn told(
    name: &'static str,
    sent: &Packet,
    kind: (u8, u8),
    word: u32,
    expected: ((u8, u8), u16),
) -> Row {
    let [high, low] = expected.1.to_be_bytes();
    let quoted = quote(&on_the_wire(sent));
    let mut row = Row::new(name)
        .after(RED_A.sends(sent))
        .frame(error(kind, word, &inlaid(&on_the_wire(sent))))
        .flows(1);
    row.action = crate::dataplane::Action::Deliver(RED_A.slot());
    row.bytes = RED_A.gets(&router_error(
        &RED_A,
        expected.0,
        [0, 0, high, low],
        &quoted,
    ));
    row
}

/// What the node's packet is after the virtual router.
fn on_the_wire(sent: &Packet) -> Packet {
    if sent.destination == RED_C.ip {
        sent.clone().ttl(sent.ttl - 1)
    } else {
        sent.clone()
    }
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = too_big();
    rows.extend(unreachable());
    rows.extend(refused());
    rows
}

fn too_big() -> Vec<Row> {
    let udp = RED_A.udp_of(&RED_B, (7, 9000), 1400);
    let tcp = RED_A.tcp(&RED_B, (40000, 22), 16);
    let no_checksum = udp.clone().no_checksum();
    let fragment = udp
        .clone()
        .may_fragment()
        .identification(99)
        .part(0, 1208, true);
    vec![
        told(
            "a packet too big for the substrate is told the MTU less 20",
            &udp,
            TOO_BIG,
            1400,
            ((3, 4), 1380),
        ),
        told(
            "a TCP segment too big for the substrate is told so",
            &tcp,
            TOO_BIG,
            1400,
            ((3, 4), 1380),
        ),
        told(
            "a datagram without checksum is quoted without",
            &no_checksum,
            TOO_BIG,
            1400,
            ((3, 4), 1380),
        ),
        told(
            "a fragment too big for the substrate is told the MTU less 28",
            &fragment,
            TOO_BIG,
            1300,
            ((3, 4), 1272),
        ),
        told(
            "an MTU below IPv6's least is taken for the least",
            &udp,
            TOO_BIG,
            68,
            ((3, 4), 1260),
        ),
        told(
            "an MTU beyond 16 bits is taken for the greatest",
            &udp,
            TOO_BIG,
            0x0001_0000,
            ((3, 4), 65515),
        ),
    ]
}

fn unreachable() -> Vec<Row> {
    let udp = RED_A.udp_of(&RED_B, (7, 9000), 1400);
    vec![
        told(
            "no route on the substrate is host unreachable",
            &udp,
            NO_ROUTE,
            0,
            ((3, 1), 0),
        ),
        told(
            "a hop limit that ran out is host unreachable",
            &udp,
            (3, 0),
            0,
            ((3, 1), 0),
        ),
        told(
            "an echo request is quoted",
            &RED_A.ping(RED_B.ip, 5),
            NO_ROUTE,
            0,
            ((3, 1), 0),
        ),
        told(
            "a routed packet is quoted as the virtual router left it",
            &RED_A.udp(&RED_C, (7, 9000)),
            NO_ROUTE,
            0,
            ((3, 1), 0),
        ),
        {
            let mut row = told(
                "a router's address is its own, whatever its bits",
                &udp,
                NO_ROUTE,
                0,
                ((3, 1), 0),
            );
            let router = [
                0x20, 1, 0xd, 0xb8, 0xff, 0xff, 0, 0, 4, 0, 0, 0xff, 0xfe, 0, 0, 1,
            ];
            row.frame = Some(error_from(router, NO_ROUTE, 0, &inlaid(&udp)));
            row
        },
    ]
}

fn refused() -> Vec<Row> {
    let udp = RED_A.udp(&RED_B, (7, 9000));
    let unsolicited = |name, frame: Frame| {
        Row::new(name)
            .after(RED_A.sends(&udp))
            .frame(frame)
            .drops(RED, Inbound, DropReason::Unsolicited)
            .flows(1)
    };
    let nowhere = |row: Row| {
        let mut row = row;
        row.counted.drops.clear();
        row.drops(0, Inbound, DropReason::Unsolicited)
    };
    let by = |node: &Node, packet: &Packet| packet.ipv6(&node.path_to(Host::Two));
    vec![
        Row::new("an error about a packet that no node sent is not believed")
            .frame(error(TOO_BIG, 1400, &inlaid(&udp)))
            .drops(RED, Inbound, DropReason::Unsolicited),
        unsolicited(
            "an error about another flow is not believed",
            error(TOO_BIG, 1400, &inlaid(&RED_A.udp(&RED_B, (8, 9000)))),
        ),
        nowhere(unsolicited(
            "an echo request to a node's substrate address is no error",
            error((128, 0), 0, &inlaid(&udp)),
        )),
        nowhere(unsolicited(
            "an error that quotes another host's packet is not believed",
            {
                let mut frame = error(TOO_BIG, 1400, &inlaid(&udp));
                frame.bytes[62 + 15] = 9;
                frame
            },
        )),
        nowhere(unsolicited(
            "an error that quotes a packet between networks is not believed",
            {
                let mut frame = error(TOO_BIG, 1400, &inlaid(&udp));
                frame.bytes[62 + 24 + 11] = 200;
                frame
            },
        )),
        Row::new("an error that quotes too little is not believed")
            .after(RED_A.sends(&udp))
            .frame(error(TOO_BIG, 1400, &inlaid(&udp)[..47]))
            .drops(0, Inbound, DropReason::Truncated)
            .flows(1),
        Row::new("an error about an address that is not here is not believed")
            .frame(error(
                TOO_BIG,
                1400,
                &by(&RED_A, &udp.clone().source([10, 0, 1, 200])),
            ))
            .drops(0, Inbound, DropReason::NotHere),
        Row::new("an error to the agent's own address is the kernel's")
            .frame({
                let agent = substrate_address(Host::One.prefix(), 0, [0, 0, 0, 1]);
                let mut frame = error(TOO_BIG, 1400, &inlaid(&udp));
                frame.bytes[38..54].copy_from_slice(&agent);
                frame.bytes[46] = 0;
                frame
            })
            .passes_as_it_is(),
    ]
}
