//! The virtual MTU: what is larger is told or dropped, never cut.

use inlay_core::{drop_reason::DropReason, tables::Direction::Outbound};

use crate::{
    nodes::{Host, RED_A, RED_B, RED_C, RED_D, quote, router_error},
    packet::{Body, Packet},
    row::Row,
    world::{RED, VIRTUAL_MTU},
};

/// A UDP datagram whose IPv4 packet is of so many bytes.
fn of_len(to: &crate::nodes::Node, len_bytes: usize) -> Packet {
    RED_A.udp_of(to, (7, 9000), len_bytes - 28)
}

const MTU: usize = VIRTUAL_MTU as usize;

pub(super) fn rows() -> Vec<Row> {
    let whole = of_len(&RED_B, MTU);
    let over = of_len(&RED_B, MTU + 1);
    let told = |packet: &Packet| {
        RED_A.gets(&router_error(
            &RED_A,
            (3, 4),
            [0, 0, 5, 220],
            &quote(packet),
        ))
    };
    let jumbo = of_len(&RED_B, 8900);
    let local = of_len(&RED_D, MTU + 1);
    let error = Packet::new(
        RED_A.ip,
        RED_B.ip,
        Body::Icmp {
            kind: (3, 3),
            word: [0; 4],
            payload: [quote(&RED_B.udp(&RED_A, (7, 9000))), vec![0; MTU]].concat(),
        },
    );
    vec![
        Row::new("a packet of the virtual MTU leaves")
            .frame(RED_A.sends(&whole))
            .sends(&RED_A, &whole, Host::Two),
        Row::new("a packet of the virtual MTU leaves in an established flow")
            .after(RED_A.sends(&whole))
            .after(RED_B.arrives(&RED_B.udp(&RED_A, (9000, 7))))
            .frame(RED_A.sends(&whole))
            .sends(&RED_A, &whole, Host::Two),
        Row::new("a packet of the virtual MTU without DF leaves with a Fragment header")
            .frame(RED_A.sends(&whole.clone().may_fragment().identification(4)))
            .sends(
                &RED_A,
                &whole.clone().may_fragment().identification(4),
                Host::Two,
            ),
        Row::new("a larger one is told the MTU")
            .frame(RED_A.sends(&over))
            .replies(told(&over))
            .drops(RED, Outbound, DropReason::TooBig),
        Row::new("a larger one in an established flow is told the MTU")
            .after(RED_A.sends(&whole))
            .after(RED_B.arrives(&RED_B.udp(&RED_A, (9000, 7))))
            .frame(RED_A.sends(&over))
            .replies(told(&over))
            .drops(RED, Outbound, DropReason::TooBig)
            .flows(1),
        Row::new("a larger one to another subnet is told the MTU")
            .frame(RED_A.sends(&of_len(&RED_C, MTU + 1)))
            .replies(told(&of_len(&RED_C, MTU + 1)))
            .drops(RED, Outbound, DropReason::TooBig),
        Row::new("a larger one to a node of the same host is told the MTU")
            .frame(RED_A.sends(&local))
            .replies(told(&local))
            .drops(RED, Outbound, DropReason::TooBig),
        Row::new("a jumbo frame in several buffers is told the MTU")
            .frame(RED_A.sends(&jumbo))
            .replies(told(&jumbo))
            .drops(RED, Outbound, DropReason::TooBig),
        Row::new("a jumbo frame in several buffers leaves where the MTU allows it")
            .world(|world| world.image.config.virtual_mtu = 8972)
            .frame(RED_A.sends(&jumbo))
            .sends(&RED_A, &jumbo, Host::Two),
        Row::new("a jumbo frame in several buffers arrives")
            .frame(RED_B.arrives(&RED_B.udp_of(&RED_A, (7, 9000), 8000)))
            .delivers(&RED_A, &RED_B.udp_of(&RED_A, (7, 9000), 8000)),
        Row::new("a larger one without DF is dropped: the virtual router does not cut")
            .frame(RED_A.sends(&over.clone().may_fragment()))
            .drops(RED, Outbound, DropReason::TooBig),
        Row::new("a larger ICMP error is dropped in silence")
            .frame(RED_A.sends(&error))
            .drops(RED, Outbound, DropReason::TooBig),
    ]
}
