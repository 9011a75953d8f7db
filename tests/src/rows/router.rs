//! The virtual router: echo, TTL, and what it does not speak to.

use inlay_core::{drop_reason::DropReason, tables::Direction::Outbound};

use crate::{
    nodes::{BLUE_A, Host, Node, RED_A, RED_B, RED_C, RED_E, gateway, quote, router_error},
    packet::{Body, Packet, flags::SYN},
    row::Row,
    world::RED,
};

/// Type, code and word of a time exceeded.
const TIME_EXCEEDED: ((u8, u8), [u8; 4]) = ((11, 0), [0; 4]);

fn echo(node: &Node) -> (Packet, Packet) {
    let ping = node.ping(gateway(node), 77).ttl(3).tos(4).identification(9);
    let mut pong = node.pong(gateway(node), 77).tos(4).identification(9);
    (pong.source, pong.destination) = (gateway(node), node.ip);
    (ping, pong)
}

fn to_gateway(body: Body) -> Packet {
    Packet::new(RED_A.ip, gateway(&RED_A), body)
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = gateway_rows();
    rows.extend(ttl_rows());
    rows
}

fn gateway_rows() -> Vec<Row> {
    let (ping, pong) = echo(&RED_A);
    let (blue_ping, blue_pong) = echo(&BLUE_A);
    let udp = to_gateway(Body::Udp {
        ports: (7, 33434),
        has_checksum: true,
        payload: vec![0; 9],
    });
    let tcp = to_gateway(Body::Tcp {
        ports: (7, 22),
        flags: SYN,
        payload: Vec::new(),
    });
    vec![
        Row::new("the virtual router answers ping")
            .frame(RED_A.sends(&ping))
            .replies(RED_A.gets(&pong)),
        Row::new("the virtual router of blue answers blue")
            .frame(BLUE_A.sends(&blue_ping))
            .replies(BLUE_A.gets(&blue_pong)),
        Row::new("the virtual router answers no ping in fragments")
            .frame(RED_A.sends(&ping.clone().part(0, 8, true)))
            .drops(RED, Outbound, DropReason::NotForRouter),
        Row::new("the virtual router of another subnet is nobody")
            .frame(RED_A.sends(&ping.clone().destination([10, 0, 2, 1])))
            .drops(RED, Outbound, DropReason::UnknownDestination),
        Row::new("UDP to the virtual router finds no port open")
            .frame(RED_A.sends(&udp))
            .replies(RED_A.gets(&router_error(&RED_A, (3, 3), [0; 4], &quote(&udp))))
            .drops(RED, Outbound, DropReason::NotForRouter),
        Row::new("TCP to the virtual router goes nowhere")
            .frame(RED_A.sends(&tcp))
            .drops(RED, Outbound, DropReason::NotForRouter),
        Row::new("an echo reply to the virtual router goes nowhere")
            .frame(RED_A.sends(&RED_A.pong(gateway(&RED_A), 77)))
            .drops(RED, Outbound, DropReason::NotForRouter),
        Row::new("an ICMP error to the virtual router goes nowhere")
            .frame(RED_A.sends(&RED_A.icmp(gateway(&RED_A), (3, 3), [0; 4])))
            .drops(RED, Outbound, DropReason::NotForRouter),
    ]
}

fn ttl_rows() -> Vec<Row> {
    let same = RED_A.tcp(&RED_B, (40000, 8080), SYN);
    let other = RED_A.tcp(&RED_C, (40000, 8080), SYN);
    let local = RED_A.tcp(&RED_E, (40000, 8080), SYN);
    let udp = RED_A.udp(&RED_C, (7, 9000));
    let (kind, word) = TIME_EXCEEDED;
    let told = |packet: &Packet| RED_A.gets(&router_error(&RED_A, kind, word, &quote(packet)));
    vec![
        Row::new("TTL does not go down within a subnet")
            .frame(RED_A.sends(&same.clone().ttl(1)))
            .sends(&RED_A, &same.ttl(1), Host::Two),
        Row::new("TTL goes down by one between subnets")
            .frame(RED_A.sends(&other.clone().ttl(64)))
            .sends(&RED_A, &other.clone().ttl(63), Host::Two),
        Row::new("TTL 2 leaves 1 between subnets")
            .frame(RED_A.sends(&other.clone().ttl(2)))
            .sends(&RED_A, &other.clone().ttl(1), Host::Two),
        Row::new("TTL 1 runs out between subnets")
            .frame(RED_A.sends(&other.clone().ttl(1)))
            .replies(told(&other.clone().ttl(1)))
            .drops(RED, Outbound, DropReason::TtlExceeded)
            .flows(1),
        Row::new("TTL 0 runs out between subnets")
            .frame(RED_A.sends(&other.clone().ttl(0)))
            .replies(told(&other.ttl(0)))
            .drops(RED, Outbound, DropReason::TtlExceeded)
            .flows(1),
        Row::new("TTL goes down by one between subnets in an established flow")
            .after(RED_A.sends(&udp))
            .after(RED_C.arrives(&RED_C.udp(&RED_A, (9000, 7))))
            .frame(RED_A.sends(&udp.clone().ttl(9)))
            .sends(&RED_A, &udp.clone().ttl(8), Host::Two),
        Row::new("TTL 1 runs out between subnets in an established flow")
            .after(RED_A.sends(&udp))
            .after(RED_C.arrives(&RED_C.udp(&RED_A, (9000, 7))))
            .frame(RED_A.sends(&udp.clone().ttl(1)))
            .replies(told(&udp.clone().ttl(1)))
            .drops(RED, Outbound, DropReason::TtlExceeded)
            .flows(1),
        Row::new("TTL goes down by one between subnets of one host")
            .frame(RED_A.sends(&local.clone().ttl(5)))
            .delivers(&RED_E, &local.clone().ttl(4)),
        Row::new("TTL 1 runs out between subnets of one host, and nothing is delivered")
            .frame(RED_A.sends(&local.clone().ttl(1)))
            .replies(told(&local.ttl(1)))
            .drops(RED, Outbound, DropReason::TtlExceeded)
            .flows(1),
        Row::new("a later fragment whose TTL runs out is dropped in silence")
            .after(RED_A.sends(&udp.clone().identification(5).part(0, 16, true)))
            .frame(RED_A.sends(&udp.clone().identification(5).part(16, 3, false).ttl(1)))
            .drops(RED, Outbound, DropReason::TtlExceeded)
            .flows(1),
        Row::new("a denied packet whose TTL runs out is denied, and tells nothing")
            .world(|world| world.rules(&RED_A, &[]))
            .frame(RED_A.sends(&udp.ttl(1)))
            .drops(RED, Outbound, DropReason::SecurityGroup),
        Row::new("TTL of a packet from the substrate is what its sender left")
            .frame(RED_C.arrives(&RED_C.tcp(&RED_A, (40000, 8080), SYN).ttl(1)))
            .delivers(&RED_A, &RED_C.tcp(&RED_A, (40000, 8080), SYN).ttl(1))
            .flows(1),
    ]
}
