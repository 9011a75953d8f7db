//! ICMP among nodes: echo is a flow, an error belongs to the flow that it quotes.

use inlay_core::{
    drop_reason::DropReason,
    tables::Direction::{Inbound, Outbound},
};

use crate::{
    nodes::{Host, Node, RED_A, RED_B, RED_D, RED_H, quote},
    packet::{Body, Packet},
    policy::allow,
    row::Row,
    world::RED,
};

/// An error of `from` to `to` that quotes `quoted`.
fn error(from: &Node, to: &Node, kind: (u8, u8), quoted: Vec<u8>) -> Packet {
    Packet::new(
        from.ip,
        to.ip,
        Body::Icmp {
            kind,
            word: [0; 4],
            payload: quoted,
        },
    )
}

const UNREACHABLE: (u8, u8) = (3, 3);

pub(super) fn rows() -> Vec<Row> {
    let mut rows = echo();
    rows.extend(inbound_errors());
    rows.extend(outbound_errors());
    rows
}

fn echo() -> Vec<Row> {
    let ping = RED_A.ping(RED_B.ip, 7);
    let pong = RED_B.pong(RED_A.ip, 7);
    let closed = |row: Row| row.world(|world| world.rules(&RED_A, &[allow(Outbound)]));
    vec![
        Row::new("an echo request leaves")
            .frame(RED_A.sends(&ping))
            .sends(&RED_A, &ping, Host::Two),
        closed(Row::new("its reply passes a closed group"))
            .after(RED_A.sends(&ping))
            .frame(RED_B.arrives(&pong))
            .delivers(&RED_A, &pong),
        Row::new("an echo reply without its request does not, even where ICMP is open")
            .frame(RED_B.arrives(&pong))
            .drops(RED, Inbound, DropReason::Unsolicited),
        Row::new("an echo reply with another identifier does not")
            .after(RED_A.sends(&ping))
            .frame(RED_B.arrives(&RED_B.pong(RED_A.ip, 8)))
            .drops(RED, Inbound, DropReason::Unsolicited)
            .flows(1),
        closed(Row::new(
            "an echo request is no reply, with the same identifier",
        ))
        .after(RED_A.sends(&ping))
        .frame(RED_B.arrives(&RED_B.ping(RED_A.ip, 7)))
        .drops(RED, Inbound, DropReason::SecurityGroup)
        .flows(1),
        closed(Row::new(
            "an echo request is no reply, with the identifier 0",
        ))
        .after(RED_A.sends(&RED_A.ping(RED_B.ip, 0)))
        .frame(RED_B.arrives(&RED_B.ping(RED_A.ip, 0)))
        .drops(RED, Inbound, DropReason::SecurityGroup)
        .flows(1),
        closed(Row::new("an echo reply with the identifier 0 passes"))
            .after(RED_A.sends(&RED_A.ping(RED_B.ip, 0)))
            .frame(RED_B.arrives(&RED_B.pong(RED_A.ip, 0)))
            .delivers(&RED_A, &RED_B.pong(RED_A.ip, 0)),
        Row::new("an echo request and its reply pass on one host")
            .after(RED_A.sends(&RED_A.ping(RED_D.ip, 7)))
            .frame(RED_D.sends(&RED_D.pong(RED_A.ip, 7)))
            .delivers(&RED_A, &RED_D.pong(RED_A.ip, 7)),
        Row::new("an ICMP message of a reserved type is no echo")
            .world(|world| {
                world.rules(
                    &RED_A,
                    &[allow(Inbound).protocol(1).services(0x0800, 0x0800)],
                );
            })
            .frame(RED_B.arrives(&RED_B.icmp(RED_A.ip, (255, 1), [0, 1, 0, 1])))
            .drops(RED, Inbound, DropReason::SecurityGroup),
        Row::new("a timestamp request is matched by its type and code")
            .world(|world| {
                world.rules(
                    &RED_A,
                    &[allow(Inbound).protocol(1).services(0x0d00, 0x0d00)],
                );
            })
            .frame(RED_B.arrives(&RED_B.icmp(RED_A.ip, (13, 0), [0, 1, 0, 1])))
            .delivers(&RED_A, &RED_B.icmp(RED_A.ip, (13, 0), [0, 1, 0, 1])),
        Row::new("an echo request is not matched by another type and code")
            .world(|world| {
                world.rules(
                    &RED_A,
                    &[allow(Inbound).protocol(1).services(0x0d00, 0x0d00)],
                );
            })
            .frame(RED_B.arrives(&RED_B.ping(RED_A.ip, 7)))
            .drops(RED, Inbound, DropReason::SecurityGroup),
    ]
}

fn inbound_errors() -> Vec<Row> {
    let asked = RED_A.udp(&RED_B, (7, 53));
    let unreachable = error(&RED_B, &RED_A, UNREACHABLE, quote(&asked));
    let of_another = error(
        &RED_B,
        &RED_A,
        UNREACHABLE,
        quote(&RED_A.udp(&RED_B, (8, 53))),
    );
    let router = error(&RED_H, &RED_A, (11, 0), quote(&asked));
    let about_nobody = error(
        &RED_B,
        &RED_A,
        UNREACHABLE,
        quote(&RED_D.udp(&RED_B, (7, 53))),
    );
    let error_about_error = error(&RED_B, &RED_A, UNREACHABLE, quote(&unreachable));
    let short = error(&RED_B, &RED_A, UNREACHABLE, quote(&asked)[..24].to_vec());
    let options = error(
        &RED_B,
        &RED_A,
        UNREACHABLE,
        quote(&asked.clone().options(&[1, 1, 1, 0])),
    );
    let closed = |row: Row| {
        row.world(|world| world.rules(&RED_A, &[allow(Outbound)]))
            .after(RED_A.sends(&asked))
    };
    let refused = |name, packet: &Packet| {
        closed(Row::new(name))
            .frame(RED_B.arrives(packet))
            .drops(RED, Inbound, DropReason::Unsolicited)
            .flows(1)
    };
    vec![
        closed(Row::new(
            "an error about a node's packet passes a closed group",
        ))
        .frame(RED_B.arrives(&unreachable))
        .delivers(&RED_A, &unreachable),
        closed(Row::new("an error from a router on the way passes too"))
            .frame(RED_H.arrives(&router))
            .delivers(&RED_A, &router),
        Row::new("an error about nothing that the node sent does not, even where ICMP is open")
            .frame(RED_B.arrives(&unreachable))
            .drops(RED, Inbound, DropReason::Unsolicited),
        refused("an error about another flow does not", &of_another),
        refused(
            "an error about another node's packet does not",
            &about_nobody,
        ),
        refused("an error about an error does not", &error_about_error),
        refused("an error that quotes too little does not", &short),
        refused(
            "an error that quotes options, which no node's packet has, does not",
            &options,
        ),
        closed(Row::new("an error about a flow that is over does not"))
            .wait_s(31)
            .frame(RED_B.arrives(&unreachable))
            .drops(RED, Inbound, DropReason::Unsolicited)
            .flows(1),
    ]
}

fn outbound_errors() -> Vec<Row> {
    let asked = RED_B.udp(&RED_A, (7, 9000));
    let unreachable = error(&RED_A, &RED_B, UNREACHABLE, quote(&asked));
    let local = RED_D.udp(&RED_A, (7, 9000));
    let local_error = error(&RED_A, &RED_D, UNREACHABLE, quote(&local));
    vec![
        Row::new("a node's error about a packet that it got leaves a port without outbound rules")
            .world(|world| world.rules(&RED_A, &[allow(Inbound)]))
            .after(RED_B.arrives(&asked))
            .frame(RED_A.sends(&unreachable))
            .sends(&RED_A, &unreachable, Host::Two),
        Row::new("a node's error about a packet that it never got does not leave it")
            .frame(RED_A.sends(&unreachable))
            .drops(RED, Outbound, DropReason::Unsolicited),
        Row::new("a node's error about another's flow does not leave it")
            .after(RED_D.sends(&local))
            .frame(RED_A.sends(&error(
                &RED_A,
                &RED_B,
                UNREACHABLE,
                quote(&RED_B.udp(&RED_D, (7, 9000))),
            )))
            .drops(RED, Outbound, DropReason::Unsolicited)
            .flows(2),
        Row::new("a node's error reaches a node of the same host")
            .after(RED_D.sends(&local))
            .frame(RED_A.sends(&local_error))
            .delivers(&RED_D, &local_error),
    ]
}
