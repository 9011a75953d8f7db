//! Nodes that forward for others: red-f here, red-r on host 3.

use inlay_core::{
    drop_reason::DropReason,
    tables::Direction::{Inbound, Outbound},
};

use crate::{
    nodes::{Host, Node, RED_A, RED_B, RED_D, RED_F, RED_R, quote},
    packet::{Body, Ip, Packet, flags::SYN},
    policy::{Peer, allow},
    row::Row,
    world::RED,
};

/// Behind red-f.
const BEHIND_F: Ip = [10, 8, 0, 5];
/// Behind red-r.
const BEHIND_R: Ip = [10, 7, 0, 5];

const PORTS: (u16, u16) = (7, 9000);

/// Rules of a node that lets everything through.
fn open(row: Row) -> Row {
    row.world(|world| world.rules(&RED_F, &[allow(Inbound), allow(Outbound)]))
}

fn to(packet: Packet, destination: Ip) -> Packet {
    packet.destination(destination)
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = here();
    rows.extend(elsewhere());
    rows.extend(errors());
    rows
}

fn here() -> Vec<Row> {
    let local = to(RED_A.udp(&RED_F, PORTS), BEHIND_F);
    let remote = to(RED_B.udp(&RED_F, PORTS), BEHIND_F);
    let forwarded = RED_F.udp(&RED_B, PORTS).source(BEHIND_F);
    let to_itself = RED_B.udp(&RED_F, PORTS);
    let len_bytes = local.len_bytes();
    vec![
        open(Row::new(
            "a node of the same host reaches what is behind a forwarding node",
        ))
        .frame(RED_A.sends(&local))
        .delivers(&RED_F, &local.clone().ttl(63)),
        open(Row::new(
            "a node of another host reaches what is behind a forwarding node",
        ))
        .frame(RED_B.arrives(&remote))
        .delivers(&RED_F, &remote),
        Row::new("the forwarding node's own group still decides")
            .world(|world| {
                world.rules(
                    &RED_F,
                    &[allow(Inbound).peer(Peer::Cidr([10, 0, 2, 0], 24))],
                );
            })
            .frame(RED_A.sends(&local))
            .drops(RED, Inbound, DropReason::SecurityGroup)
            .counts(&RED_A, Outbound, len_bytes)
            .flows(1),
        open(Row::new("a forwarding node sends from what is behind it"))
            .frame(RED_F.sends(&forwarded))
            .sends(&RED_F, &forwarded, Host::Two),
        open(Row::new("a forwarding node sends from any unicast address"))
            .frame(RED_F.sends(&forwarded.clone().source([192, 0, 2, 1])))
            .sends(&RED_F, &forwarded.clone().source([192, 0, 2, 1]), Host::Two),
        open(Row::new(
            "a forwarding node does not send from a multicast address",
        ))
        .frame(RED_F.sends(&forwarded.clone().source([224, 0, 0, 1])))
        .drops(RED, Outbound, DropReason::SpoofedAddress),
        open(Row::new("a forwarding node's MAC address is still checked"))
            .frame(RED_F.sends(&forwarded).edited(|bytes| bytes[11] ^= 1))
            .drops(RED, Outbound, DropReason::SpoofedMac),
        Row::new("a node that does not forward does not send from what is behind another")
            .frame(RED_A.sends(&RED_A.udp(&RED_B, PORTS).source(BEHIND_F)))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
        open(Row::new("a forwarding node gets what is for itself"))
            .frame(RED_B.arrives(&to_itself))
            .delivers(&RED_F, &to_itself),
        open(Row::new(
            "an answer from behind a forwarding node reaches the node that asked",
        ))
        .after(RED_A.sends(&to(RED_A.udp(&RED_F, (7, 53)), BEHIND_F)))
        .frame(RED_F.sends(&RED_F.udp(&RED_A, (53, 7)).source(BEHIND_F)))
        .delivers(&RED_A, &RED_F.udp(&RED_A, (53, 7)).source(BEHIND_F)),
        open(Row::new(
            "what comes from behind a forwarding node, unasked, meets a closed group",
        ))
        .frame(RED_F.sends(&RED_F.udp(&RED_A, (53, 7)).source(BEHIND_F)))
        .drops(RED, Inbound, DropReason::SecurityGroup)
        .counts(&RED_F, Outbound, RED_F.udp(&RED_A, (53, 7)).len_bytes())
        .flows(1),
    ]
}

fn elsewhere() -> Vec<Row> {
    let out = to(RED_A.udp(&RED_R, (7, 53)), BEHIND_R);
    let back = RED_R.udp(&RED_A, (53, 7)).source(BEHIND_R);
    let open_port = RED_R.tcp(&RED_A, (7, 8080), SYN).source(BEHIND_R);
    let impersonates = RED_R.tcp(&RED_A, (7, 8080), SYN).source(RED_B.ip);
    let unmapped = RED_R.tcp(&RED_A, (7, 8080), SYN).source([192, 0, 2, 1]);
    vec![
        Row::new("an answer from behind a forwarding node of another host passes a closed group")
            .after(RED_A.sends(&out))
            .frame(RED_R.arrives(&back))
            .delivers(&RED_A, &back),
        Row::new("the same answer, unasked, does not")
            .frame(RED_R.arrives(&back))
            .drops(RED, Inbound, DropReason::SecurityGroup),
        Row::new("an open port is reached from behind a forwarding node of another host")
            .frame(RED_R.arrives(&open_port))
            .delivers(&RED_A, &open_port),
        Row::new("a host without a forwarding node does not send from behind one")
            .frame(RED_R.arrives_from(&open_port, Host::Two))
            .drops(0, Inbound, DropReason::UnknownSource),
        Row::new("a host with a forwarding node may send from any address of the network")
            .frame(RED_R.arrives(&impersonates))
            .delivers(&RED_A, &impersonates),
        Row::new("rules by address hold for what is behind a forwarding node")
            .frame(RED_R.arrives(&unmapped))
            .drops(RED, Inbound, DropReason::SecurityGroup),
        Row::new("a forwarding node of red does not speak for blue")
            .frame(RED_R.arrives(&open_port).edited(|bytes| {
                bytes[33] = 200;
                bytes[49] = 200;
            }))
            .drops(0, Inbound, DropReason::UnknownSource),
        Row::new("a forwarded packet is not bounced back to a forwarding node here")
            .frame(
                RED_R.arrives(
                    &RED_R
                        .udp(&RED_F, PORTS)
                        .source(BEHIND_R)
                        .destination(BEHIND_F),
                ),
            )
            .drops(0, Inbound, DropReason::NotHere),
    ]
}

/// A forwarding node speaks of packets between others, as routers do.
fn errors() -> Vec<Row> {
    let sent = to(RED_A.udp(&RED_F, PORTS), BEHIND_F);
    let arrived = sent.clone().ttl(63);
    let error = |destination: &Node, quoted: &Packet| {
        let payload = quote(quoted);
        let body = Body::Icmp {
            kind: (11, 0),
            word: [0; 4],
            payload,
        };
        Packet::new(RED_F.ip, destination.ip, body)
    };
    let expired = error(&RED_A, &arrived);
    let refused = |name, packet: &Packet| {
        open(Row::new(name))
            .after(RED_A.sends(&sent))
            .frame(RED_F.sends(packet))
            .drops(RED, Outbound, DropReason::Unsolicited)
            .flows(2)
    };
    vec![
        open(Row::new(
            "a forwarding node tells a sender what became of its packet",
        ))
        .after(RED_A.sends(&sent))
        .frame(RED_F.sends(&expired))
        .delivers(&RED_A, &expired),
        refused(
            "a forwarding node does not tell another",
            &error(&RED_D, &arrived),
        ),
        refused(
            "a forwarding node does not tell of what it never got",
            &error(&RED_A, &RED_A.udp(&RED_F, (8, 9000)).destination(BEHIND_F)),
        ),
    ]
}
