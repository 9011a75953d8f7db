//! Security groups: stateful, ordered, allow and deny, by address, by group, by service.

use inlay_core::{
    drop_reason::DropReason,
    tables::{
        Direction::{Inbound, Outbound},
        records::NONE,
    },
};

use crate::{
    nodes::{Host, Node, RED_A, RED_B, RED_D, RED_E, RED_H},
    packet::{
        Body, Packet,
        flags::{ACK, SYN, SYN_ACK},
    },
    policy::{Peer, Rule, allow},
    row::Row,
    world::{RED, World},
};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = services();
    rows.extend(stateful());
    rows.extend(local());
    rows.extend(ordered());
    rows.extend(peers());
    rows
}

fn arrives(name: &'static str, packet: &Packet) -> Row {
    Row::new(name)
        .frame(RED_B.arrives(packet))
        .delivers(&RED_A, packet)
}

fn denied(name: &'static str, packet: &Packet) -> Row {
    Row::new(name)
        .frame(RED_B.arrives(packet))
        .drops(RED, Inbound, DropReason::SecurityGroup)
        .rule(NONE)
}

fn syn(port: u16) -> Packet {
    RED_B.tcp(&RED_A, (40000, port), SYN)
}

fn udp(port: u16) -> Packet {
    RED_B.udp(&RED_A, (40000, port))
}

fn other(protocol: u8) -> Packet {
    Packet::new(
        RED_B.ip,
        RED_A.ip,
        Body::Other {
            protocol,
            payload: vec![1; 24],
        },
    )
}

fn services() -> Vec<Row> {
    vec![
        arrives("an open TCP port is reached", &syn(8080)),
        denied("a closed TCP port is not reached", &syn(22)),
        denied("a TCP port is not open for UDP", &udp(8080)),
        arrives("an open UDP port is reached", &udp(5201)),
        arrives("the first port of an open range is reached", &udp(9000)),
        arrives("the last port of an open range is reached", &udp(9999)),
        denied("the port before an open range is not reached", &udp(8999)),
        denied("the port after an open range is not reached", &udp(10000)),
        denied("a UDP port is not open for TCP", &syn(9000)),
        arrives(
            "an echo request arrives where ICMP is open",
            &RED_B.ping(RED_A.ip, 5),
        ),
        denied("a protocol that no rule names does not arrive", &other(47)),
        Row::new("a protocol that a rule names arrives")
            .world(|world| world.rules(&RED_A, &[allow(Inbound).protocol(47)]))
            .frame(RED_B.arrives(&other(47)))
            .delivers(&RED_A, &other(47)),
        Row::new("a protocol without ports leaves where everything may")
            .frame(RED_A.sends(&other(47).source(RED_A.ip).destination(RED_B.ip)))
            .sends(
                &RED_A,
                &other(47).source(RED_A.ip).destination(RED_B.ip),
                Host::Two,
            ),
        Row::new("nothing leaves a port without rules")
            .world(|world| world.rules(&RED_A, &[]))
            .frame(RED_A.sends(&RED_A.tcp(&RED_B, (40000, 8080), SYN)))
            .drops(RED, Outbound, DropReason::SecurityGroup)
            .rule(NONE),
        Row::new("only what a rule names leaves")
            .world(|world| world.rules(&RED_A, &[allow(Outbound).protocol(6).services(443, 443)]))
            .frame(RED_A.sends(&RED_A.tcp(&RED_B, (40000, 443), SYN)))
            .sends(&RED_A, &RED_A.tcp(&RED_B, (40000, 443), SYN), Host::Two),
        Row::new("what no rule names does not leave")
            .world(|world| world.rules(&RED_A, &[allow(Outbound).protocol(6).services(443, 443)]))
            .frame(RED_A.sends(&RED_A.tcp(&RED_B, (443, 444), SYN)))
            .drops(RED, Outbound, DropReason::SecurityGroup),
    ]
}

fn stateful() -> Vec<Row> {
    let ask = RED_A.udp(&RED_B, (7, 53));
    let answer = RED_B.udp(&RED_A, (53, 7));
    let syn_ack = RED_B.tcp(&RED_A, (22, 40000), SYN_ACK);
    vec![
        Row::new("an answer to an outbound flow passes a closed group")
            .after(RED_A.sends(&ask))
            .frame(RED_B.arrives(&answer))
            .delivers(&RED_A, &answer),
        denied("the same answer without the flow does not", &answer),
        Row::new("the answer's port must be the one that was asked")
            .after(RED_A.sends(&ask))
            .frame(RED_B.arrives(&RED_B.udp(&RED_A, (54, 7))))
            .drops(RED, Inbound, DropReason::SecurityGroup)
            .flows(1),
        Row::new("the answer's node must be the one that was asked")
            .after(RED_A.sends(&ask))
            .frame(RED_H.arrives(&RED_H.udp(&RED_A, (53, 7))))
            .drops(RED, Inbound, DropReason::SecurityGroup)
            .flows(1),
        Row::new("the answer's protocol must be the one that was asked")
            .after(RED_A.sends(&ask))
            .frame(RED_B.arrives(&RED_B.tcp(&RED_A, (53, 7), ACK)))
            .drops(RED, Inbound, DropReason::SecurityGroup)
            .flows(1),
        Row::new("a SYN+ACK passes a closed group within its flow")
            .after(RED_A.sends(&RED_A.tcp(&RED_B, (40000, 22), SYN)))
            .frame(RED_B.arrives(&syn_ack))
            .delivers(&RED_A, &syn_ack),
        Row::new("an answer to an inbound flow passes a port without outbound rules")
            .world(|world| world.rules(&RED_A, &[allow(Inbound).protocol(17)]))
            .after(RED_B.arrives(&udp(53)))
            .frame(RED_A.sends(&RED_A.udp(&RED_B, (53, 40000))))
            .sends(&RED_A, &RED_A.udp(&RED_B, (53, 40000)), Host::Two),
        Row::new("the same answer without the flow does not leave it")
            .world(|world| world.rules(&RED_A, &[allow(Inbound).protocol(17)]))
            .frame(RED_A.sends(&RED_A.udp(&RED_B, (53, 40000))))
            .drops(RED, Outbound, DropReason::SecurityGroup),
    ]
}

fn local() -> Vec<Row> {
    let open = RED_A.tcp(&RED_D, (40000, 8080), SYN);
    let closed = RED_A.tcp(&RED_D, (40000, 22), SYN);
    let ask = RED_D.udp(&RED_A, (7, 9000));
    let answer = RED_A.udp(&RED_D, (9000, 7));
    let len_bytes = closed.len_bytes();
    vec![
        Row::new("an open port of a node on the same host is reached")
            .frame(RED_A.sends(&open))
            .delivers(&RED_D, &open),
        Row::new("a closed port of a node on the same host is not, by its own group")
            .frame(RED_A.sends(&closed))
            .drops(RED, Inbound, DropReason::SecurityGroup)
            .counts(&RED_A, Outbound, len_bytes)
            .flows(1),
        Row::new("an answer passes the closed group of a node on the same host")
            .after(RED_D.sends(&ask))
            .frame(RED_A.sends(&answer))
            .delivers(&RED_D, &answer),
        Row::new("a node on the same host in another subnet is reached")
            .frame(RED_A.sends(&RED_A.udp(&RED_E, (7, 9000))))
            .delivers(&RED_E, &RED_A.udp(&RED_E, (7, 9000)).ttl(63)),
        Row::new("a closed port of a node on the same host in another subnet is not")
            .frame(RED_A.sends(&RED_A.udp(&RED_E, (7, 8999))))
            .drops(RED, Inbound, DropReason::SecurityGroup)
            .counts(&RED_A, Outbound, RED_A.udp(&RED_E, (7, 8999)).len_bytes())
            .flows(1),
    ]
}

fn with(rules: impl Fn() -> Vec<Rule>) -> impl FnOnce(&mut World) {
    move |world| world.rules(&RED_A, &rules())
}

fn ordered() -> Vec<Row> {
    let tcp = || allow(Inbound).protocol(6);
    let many = move || {
        let mut rules: Vec<Rule> = (0..1000)
            .map(|at| tcp().services(20_000 + at * 2, 20_000 + at * 2))
            .collect();
        rules.insert(999, tcp().services(30_000, 30_010).deny());
        rules
    };
    vec![
        Row::new("a deny before an allow decides")
            .world(with(move || vec![tcp().services(8080, 8080).deny(), tcp()]))
            .frame(RED_B.arrives(&syn(8080)))
            .drops(RED, Inbound, DropReason::SecurityGroup)
            .rule(0),
        Row::new("beside a deny the allow after it decides")
            .world(with(move || vec![tcp().services(8080, 8080).deny(), tcp()]))
            .frame(RED_B.arrives(&syn(8081)))
            .delivers(&RED_A, &syn(8081)),
        Row::new("an allow before a deny decides")
            .world(with(move || vec![tcp().services(8080, 8080), tcp().deny()]))
            .frame(RED_B.arrives(&syn(8080)))
            .delivers(&RED_A, &syn(8080)),
        Row::new("beside an allow the deny after it decides")
            .world(with(move || vec![tcp().services(8080, 8080), tcp().deny()]))
            .frame(RED_B.arrives(&syn(8081)))
            .drops(RED, Inbound, DropReason::SecurityGroup)
            .rule(1),
        Row::new("the first of a thousand rules allows")
            .world(with(many))
            .frame(RED_B.arrives(&syn(20_000)))
            .delivers(&RED_A, &syn(20_000)),
        Row::new("the last of a thousand rules allows")
            .world(with(many))
            .frame(RED_B.arrives(&syn(21_998)))
            .delivers(&RED_A, &syn(21_998)),
        Row::new("between the ports of a thousand rules nothing passes")
            .world(with(many))
            .frame(RED_B.arrives(&syn(20_001)))
            .drops(RED, Inbound, DropReason::SecurityGroup)
            .rule(NONE),
        Row::new("the deny among a thousand rules is named")
            .world(with(many))
            .frame(RED_B.arrives(&syn(30_005)))
            .drops(RED, Inbound, DropReason::SecurityGroup)
            .rule(999),
    ]
}

fn peers() -> Vec<Row> {
    let tcp = |peer| vec![allow(Inbound).protocol(6).peer(peer)];
    let from = |name, peer: Peer, node: &Node, is_allowed| {
        let packet = node.tcp(&RED_A, (40000, 8080), SYN);
        let row = Row::new(name)
            .world(with(move || tcp(peer.clone())))
            .frame(node.arrives(&packet));
        if is_allowed {
            row.delivers(&RED_A, &packet)
        } else {
            row.drops(RED, Inbound, DropReason::SecurityGroup)
        }
    };
    vec![
        from(
            "a peer's exact address is allowed",
            Peer::Cidr(RED_B.ip, 32),
            &RED_B,
            true,
        ),
        from(
            "the address beside it is not",
            Peer::Cidr(RED_B.ip, 32),
            &RED_H,
            false,
        ),
        from(
            "the last address of a peer's prefix is allowed",
            Peer::Cidr([10, 0, 1, 8], 30),
            &RED_B,
            true,
        ),
        from(
            "the address after a peer's prefix is not",
            Peer::Cidr([10, 0, 1, 8], 30),
            &RED_H,
            false,
        ),
        from(
            "a node of a peer group is allowed",
            Peer::Groups(&[2, 3]),
            &RED_B,
            true,
        ),
        from(
            "a node of another group is not",
            Peer::Groups(&[3, 4]),
            &RED_B,
            false,
        ),
        Row::new("a node of no group is no peer")
            .world(with(move || tcp(Peer::Groups(&[1, 2]))))
            .world(|world| {
                let key = crate::world::mapping_key(100, RED_B.ip);
                world.image.mappings.get_mut(&key).unwrap().groups = 0;
            })
            .frame(RED_B.arrives(&syn(8080)))
            .drops(RED, Inbound, DropReason::SecurityGroup),
        Row::new("a peer group of a node on the same host is known")
            .world(with(move || tcp(Peer::Groups(&[1]))))
            .frame(RED_D.sends(&RED_D.tcp(&RED_A, (40000, 1), SYN)))
            .delivers(&RED_A, &RED_D.tcp(&RED_A, (40000, 1), SYN)),
    ]
}
