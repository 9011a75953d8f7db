//! Access lists of subnets: ordered, stateless, asked about what enters or leaves the subnet.

use inlay_core::{
    drop_reason::DropReason,
    tables::{
        Direction::{Inbound, Outbound},
        records::NONE,
    },
};

use crate::{
    nodes::{Host, RED_A, RED_B, RED_C, RED_E},
    packet::flags::{ACK, SYN, SYN_ACK},
    policy::{Peer, Rule, allow},
    row::Row,
    world::{RED, RED_1, RED_2},
};

const PORTS: (u16, u16) = (40000, 8080);
const BACK: (u16, u16) = (8080, 40000);

fn one_way() -> Vec<Rule> {
    vec![allow(Outbound)]
}

fn both_ways() -> Vec<Rule> {
    let answers = allow(Inbound).protocol(6).services(32768, 65535);
    vec![allow(Outbound).protocol(6).services(8080, 8080), answers]
}

pub(super) fn rows() -> Vec<Row> {
    let syn = RED_A.tcp(&RED_C, PORTS, SYN);
    let syn_ack = RED_C.tcp(&RED_A, BACK, SYN_ACK);
    let within = RED_A.tcp(&RED_B, PORTS, SYN);
    let local = RED_A.tcp(&RED_E, PORTS, SYN);
    let len_bytes = local.len_bytes();
    let opening = [
        RED_A.sends(&syn),
        RED_C.arrives(&syn_ack),
        RED_A.sends(&RED_A.tcp(&RED_C, PORTS, ACK)),
    ];
    vec![
        Row::new("an access list that allows it lets a packet leave the subnet")
            .world(|world| world.acl(RED_1, &one_way()))
            .frame(RED_A.sends(&syn))
            .sends(&RED_A, &syn.clone().ttl(63), Host::Two),
        Row::new("an empty access list lets nothing leave the subnet")
            .world(|world| world.acl(RED_1, &[]))
            .frame(RED_A.sends(&syn))
            .drops(RED, Outbound, DropReason::Acl)
            .rule(NONE),
        Row::new("an access list is not asked within the subnet")
            .world(|world| world.acl(RED_1, &[]))
            .frame(RED_A.sends(&within))
            .sends(&RED_A, &within, Host::Two),
        Row::new("an access list knows no flows: the answer needs a rule of its own")
            .world(|world| world.acl(RED_1, &one_way()))
            .after(RED_A.sends(&syn))
            .frame(RED_C.arrives(&syn_ack))
            .drops(RED, Inbound, DropReason::Acl)
            .flows(1),
        Row::new("an answer for which the access list has a rule arrives")
            .world(|world| world.acl(RED_1, &both_ways()))
            .after(RED_A.sends(&syn))
            .frame(RED_C.arrives(&syn_ack))
            .delivers(&RED_A, &syn_ack),
        Row::new("an established flow goes on under an access list that allows both directions")
            .world(|world| world.acl(RED_1, &both_ways()))
            .after_all(opening.clone())
            .frame(RED_A.sends(&RED_A.tcp(&RED_C, PORTS, ACK)))
            .sends(&RED_A, &RED_A.tcp(&RED_C, PORTS, ACK).ttl(63), Host::Two),
        Row::new("an established flow ends when the access list closes")
            .world(|world| world.acl(RED_1, &both_ways()))
            .after_all(opening)
            .change(|world| world.acl(RED_1, &[]))
            .frame(RED_A.sends(&RED_A.tcp(&RED_C, PORTS, ACK)))
            .drops(RED, Outbound, DropReason::Acl)
            .flows(1),
        Row::new("the first matching rule of an access list decides: deny")
            .world(|world| {
                let denied = allow(Outbound).peer(Peer::Cidr([10, 0, 2, 0], 24)).deny();
                world.acl(RED_1, &[denied, allow(Outbound)]);
            })
            .frame(RED_A.sends(&syn))
            .drops(RED, Outbound, DropReason::Acl)
            .rule(0),
        Row::new("the first matching rule of an access list decides: allow")
            .world(|world| {
                let denied = allow(Outbound).peer(Peer::Cidr([10, 0, 2, 0], 24)).deny();
                world.acl(RED_1, &[allow(Outbound), denied]);
            })
            .frame(RED_A.sends(&syn))
            .sends(&RED_A, &syn.clone().ttl(63), Host::Two),
        Row::new("an access list of the sender's subnet is asked for a node of the same host")
            .world(|world| world.acl(RED_1, &[]))
            .frame(RED_A.sends(&local))
            .drops(RED, Outbound, DropReason::Acl),
        Row::new("an access list of the receiver's subnet is asked for a node of the same host")
            .world(|world| world.acl(RED_2, &[allow(Outbound)]))
            .frame(RED_A.sends(&local))
            .drops(RED, Inbound, DropReason::Acl)
            .counts(&RED_A, Outbound, len_bytes)
            .flows(1),
        Row::new("both access lists that allow it let a packet through on one host")
            .world(|world| world.acl(RED_2, &[allow(Inbound)]))
            .frame(RED_A.sends(&local))
            .delivers(&RED_E, &local.clone().ttl(63)),
        Row::new("an access list tells an echo reply from a request")
            .world(|world| {
                world.acl(
                    RED_1,
                    &[allow(Outbound), allow(Inbound).protocol(1).services(0, 255)],
                );
            })
            .after(RED_A.sends(&RED_A.ping(RED_C.ip, 5)))
            .frame(RED_C.arrives(&RED_C.pong(RED_A.ip, 5)))
            .delivers(&RED_A, &RED_C.pong(RED_A.ip, 5)),
        Row::new("an access list that lets echo replies in lets no request in")
            .world(|world| {
                world.acl(
                    RED_1,
                    &[allow(Outbound), allow(Inbound).protocol(1).services(0, 255)],
                );
            })
            .frame(RED_C.arrives(&RED_C.ping(RED_A.ip, 5)))
            .drops(RED, Inbound, DropReason::Acl),
        Row::new("what the group denies is denied by the group, whatever the access list says")
            .world(|world| world.acl(RED_1, &[allow(Inbound), allow(Outbound)]))
            .frame(RED_C.arrives(&RED_C.tcp(&RED_A, (40000, 22), SYN)))
            .drops(RED, Inbound, DropReason::SecurityGroup),
    ]
}
