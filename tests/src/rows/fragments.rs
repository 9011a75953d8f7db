//! Fragments: those without ports follow their first one, and nothing about them is lost on the way.

use inlay_core::{
    drop_reason::DropReason,
    tables::Direction::{Inbound, Outbound},
};

use crate::{
    nodes::{Host, Node, RED_A, RED_B, RED_D},
    packet::{Ip, Packet},
    row::Row,
    world::RED,
};

/// A datagram of 8 + 48 octets with an Identification, to be cut.
fn datagram(from: &Node, to: &Node, port: u16) -> Packet {
    from.udp_of(to, (7, port), 48)
        .identification(0xbeef)
        .may_fragment()
}

/// The three parts of a datagram: two of 24 octets and one of 8.
fn parts(datagram: &Packet) -> [Packet; 3] {
    let part = |offset, len, more| datagram.clone().part(offset, len, more);
    [part(0, 24, true), part(24, 24, true), part(48, 8, false)]
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = outbound();
    rows.extend(inbound());
    rows.extend(malformed());
    rows
}

fn outbound() -> Vec<Row> {
    let [first, second, last] = parts(&datagram(&RED_A, &RED_B, 9000));
    let whole = datagram(&RED_A, &RED_B, 9000);
    let df = first.clone();
    let df = Packet {
        dont_fragment: true,
        ..df
    };
    let sends = |row: Row, packet: &Packet| {
        row.frame(RED_A.sends(packet))
            .sends(&RED_A, packet, Host::Two)
    };
    vec![
        sends(Row::new("a first fragment leaves"), &first),
        sends(
            Row::new("a later fragment follows it").after(RED_A.sends(&first)),
            &second,
        ),
        sends(
            Row::new("the last fragment follows it").after(RED_A.sends(&first)),
            &last,
        ),
        Row::new("a later fragment without its first is dropped")
            .frame(RED_A.sends(&second))
            .drops(RED, Outbound, DropReason::FragmentUnknown),
        Row::new("a later fragment of another datagram is dropped")
            .after(RED_A.sends(&first))
            .frame(RED_A.sends(&second.clone().identification(0xbeee)))
            .drops(RED, Outbound, DropReason::FragmentUnknown)
            .flows(1),
        Row::new("a later fragment to another node is dropped")
            .after(RED_A.sends(&first))
            .frame(RED_A.sends(&second.clone().destination(RED_D.ip)))
            .drops(RED, Outbound, DropReason::FragmentUnknown)
            .flows(1),
        Row::new("a later fragment of a datagram that was denied is dropped")
            .world(|world| world.rules(&RED_A, &[]))
            .after_drop(RED_A.sends(&first))
            .frame(RED_A.sends(&second))
            .drops(RED, Outbound, DropReason::FragmentUnknown),
        sends(
            Row::new("a later fragment follows within fifteen seconds")
                .after(RED_A.sends(&first))
                .wait_s(14),
            &second,
        ),
        Row::new("a later fragment does not follow after fifteen seconds")
            .after(RED_A.sends(&first))
            .wait_s(16)
            .frame(RED_A.sends(&second))
            .drops(RED, Outbound, DropReason::FragmentUnknown)
            .flows(1),
        sends(Row::new("a fragment with DF keeps it"), &df),
        sends(
            Row::new("a whole datagram without DF keeps its Identification"),
            &whole,
        ),
    ]
}

fn inbound() -> Vec<Row> {
    let [first, second, last] = parts(&datagram(&RED_B, &RED_A, 9000));
    let [closed, closed_second, _] = parts(&datagram(&RED_B, &RED_A, 53));
    let whole = datagram(&RED_B, &RED_A, 9000);
    let [local, local_second, _] = parts(&datagram(&RED_A, &RED_D, 9000));
    let df = Packet {
        dont_fragment: true,
        ..first.clone()
    };
    let delivers =
        |row: Row, packet: &Packet| row.frame(RED_B.arrives(packet)).delivers(&RED_A, packet);
    vec![
        delivers(Row::new("a first fragment arrives"), &first),
        delivers(
            Row::new("a later fragment arrives after it").after(RED_B.arrives(&first)),
            &second,
        ),
        delivers(
            Row::new("the last fragment arrives after it").after(RED_B.arrives(&first)),
            &last,
        ),
        Row::new("a later fragment that arrives before its first is dropped")
            .frame(RED_B.arrives(&second))
            .drops(RED, Inbound, DropReason::FragmentUnknown),
        Row::new("a first fragment to a closed port is denied")
            .frame(RED_B.arrives(&closed))
            .drops(RED, Inbound, DropReason::SecurityGroup),
        Row::new("a later fragment of what was denied is dropped")
            .after_drop(RED_B.arrives(&closed))
            .frame(RED_B.arrives(&closed_second))
            .drops(RED, Inbound, DropReason::FragmentUnknown),
        delivers(Row::new("a fragment that arrives with DF keeps it"), &df),
        delivers(
            Row::new("a whole datagram that arrives without DF keeps its Identification"),
            &whole,
        ),
        Row::new("a first fragment reaches a node of the same host")
            .frame(RED_A.sends(&local))
            .delivers(&RED_D, &local),
        Row::new("a later fragment reaches it too")
            .after(RED_A.sends(&local))
            .frame(RED_A.sends(&local_second))
            .delivers(&RED_D, &local_second),
        Row::new("a later fragment of an echo request reaches a node of the same host")
            .after(RED_A.sends(&ping(RED_D.ip).part(0, 8, true)))
            .frame(RED_A.sends(&ping(RED_D.ip).part(8, 8, false)))
            .delivers(&RED_D, &ping(RED_D.ip).part(8, 8, false)),
        Row::new("a later fragment of an echo reply reaches a node of the same host")
            .after(RED_D.sends(&RED_D.ping(RED_A.ip, 9)))
            .after(RED_A.sends(&pong(RED_D.ip).part(0, 8, true)))
            .frame(RED_A.sends(&pong(RED_D.ip).part(8, 8, false)))
            .delivers(&RED_D, &pong(RED_D.ip).part(8, 8, false)),
        Row::new("a later fragment of an echo request leaves")
            .after(RED_A.sends(&ping(RED_B.ip).part(0, 8, true)))
            .frame(RED_A.sends(&ping(RED_B.ip).part(8, 8, false)))
            .sends(&RED_A, &ping(RED_B.ip).part(8, 8, false), Host::Two),
        delivers(
            Row::new("a later fragment of an echo reply arrives")
                .after(RED_A.sends(&RED_A.ping(RED_B.ip, 9)))
                .after(RED_B.arrives(&from_b(&pong(RED_A.ip)).part(0, 8, true))),
            &from_b(&pong(RED_A.ip)).part(8, 8, false),
        ),
        Row::new("a Fragment header around what is atomic is not Inlay's")
            .frame(RED_B.arrives(&whole).edited(|bytes| bytes[59] |= 1))
            .drops(0, Inbound, DropReason::BadFragment),
        Row::new("an Identification of more than 17 bits is not Inlay's")
            .frame(RED_B.arrives(&whole).edited(|bytes| bytes[58] = 1))
            .drops(0, Inbound, DropReason::BadIpv6Header),
        Row::new("a reserved bit of the Fragment header is not Inlay's")
            .frame(RED_B.arrives(&first).edited(|bytes| bytes[57] |= 2))
            .drops(0, Inbound, DropReason::BadIpv6Header),
    ]
}

/// Echo messages of two fragments.
fn ping(to: Ip) -> Packet {
    RED_A.ping(to, 9).identification(8).may_fragment()
}

fn pong(to: Ip) -> Packet {
    RED_A.pong(to, 9).identification(8).may_fragment()
}

fn from_b(packet: &Packet) -> Packet {
    packet.clone().source(RED_B.ip)
}

fn malformed() -> Vec<Row> {
    let tcp = RED_A
        .tcp(&RED_B, (40000, 8080), 2)
        .identification(3)
        .may_fragment();
    let udp = datagram(&RED_A, &RED_B, 9000);
    let refused = |name, packet: &Packet| {
        Row::new(name)
            .frame(RED_A.sends(packet))
            .drops(RED, Outbound, DropReason::BadFragment)
    };
    let far = RED_A
        .udp_of(&RED_B, (7, 9000), 60)
        .identification(1)
        .part(0, 32, false);
    vec![
        refused(
            "a fragment that ends within TCP's header is refused",
            &tcp.clone().part(0, 16, true),
        ),
        refused(
            "a fragment that starts within TCP's header is refused",
            &tcp.part(8, 22, false),
        ),
        refused(
            "a fragment that more follow is a multiple of eight octets",
            &udp.clone().part(0, 20, true),
        ),
        refused(
            "a later fragment that more follow is a multiple of eight octets",
            &udp.clone().part(8, 20, true),
        ),
        refused("an empty fragment is refused", &udp.part(8, 0, true)),
        Row::new("a fragment that reaches beyond 64 KiB is refused")
            .frame(RED_A.sends(&far).edited(|bytes| {
                // The greatest offset; the checksum follows.
                bytes[20] = 0x5f;
                bytes[21] = 0xff;
                fix_checksum(bytes);
            }))
            .drops(RED, Outbound, DropReason::BadFragment),
    ]
}

fn fix_checksum(bytes: &mut [u8]) {
    let header = etherparse::Ipv4Header::from_slice(&bytes[14..]).unwrap().0;
    bytes[24..26].copy_from_slice(&header.calc_header_checksum().to_be_bytes());
}
