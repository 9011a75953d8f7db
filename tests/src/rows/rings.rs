//! A port's share of the flow table: its own flows go, and nobody else's.

use inlay_core::{
    drop_reason::DropReason,
    tables::Direction::{Inbound, Outbound},
};

use crate::{
    dataplane::Frame,
    nodes::{Host, Node, RED_A, RED_B, RED_D},
    packet::Packet,
    row::Row,
    world::{RED, RING_MASK},
};

/// Flows that a port's ring holds.
const PLACES: u16 = 16;

const _: () = assert!(PLACES as u32 == RING_MASK + 1);

fn out(node: &Node, flow: u16) -> Packet {
    node.udp(&RED_B, (1000 + flow, 53))
}

fn back(node: &Node, flow: u16) -> Packet {
    RED_B.udp(node, (53, 1000 + flow))
}

fn one_way(node: &Node, flows: std::ops::Range<u16>) -> Vec<Frame> {
    flows.map(|flow| node.sends(&out(node, flow))).collect()
}

fn answered(node: &Node, flows: std::ops::Range<u16>) -> Vec<Frame> {
    flows
        .flat_map(|flow| {
            [
                node.sends(&out(node, flow)),
                RED_B.arrives(&back(node, flow)),
            ]
        })
        .collect()
}

pub(super) fn rows() -> Vec<Row> {
    let places = usize::from(PLACES);
    let remains = |row: Row, flow| {
        row.frame(RED_B.arrives(&back(&RED_A, flow)))
            .delivers(&RED_A, &back(&RED_A, flow))
    };
    let is_gone = |row: Row, flow| {
        row.frame(RED_B.arrives(&back(&RED_A, flow)))
            .drops(RED, Inbound, DropReason::SecurityGroup)
    };
    vec![
        Row::new("a port's ring holds so many flows")
            .after_all(one_way(&RED_A, 0..PLACES - 1))
            .frame(RED_A.sends(&out(&RED_A, PLACES)))
            .sends(&RED_A, &out(&RED_A, PLACES), Host::Two)
            .flows(places),
        Row::new("one more takes the place of another")
            .after_all(one_way(&RED_A, 0..PLACES))
            .frame(RED_A.sends(&out(&RED_A, PLACES)))
            .sends(&RED_A, &out(&RED_A, PLACES), Host::Two)
            .flows(places),
        is_gone(
            Row::new("of unanswered flows the oldest goes")
                .after_all(one_way(&RED_A, 0..PLACES + 1)),
            0,
        )
        .flows(places),
        remains(
            Row::new("of unanswered flows the second remains")
                .after_all(one_way(&RED_A, 0..PLACES + 1)),
            1,
        )
        .flows(places),
        remains(
            Row::new("an answered flow is not pushed out by unanswered ones")
                .after_all(answered(&RED_A, 0..1))
                .after_all(one_way(&RED_A, 1..3 * PLACES)),
            0,
        )
        .flows(places),
        is_gone(
            Row::new("where all flows are answered, the fourth that is looked at goes")
                .after_all(answered(&RED_A, 0..PLACES + 1)),
            3,
        )
        .flows(places),
        remains(
            Row::new("where all flows are answered, the first that is looked at remains")
                .after_all(answered(&RED_A, 0..PLACES + 1)),
            0,
        )
        .flows(places),
        is_gone(
            Row::new("an answered flow that is over makes room")
                .after_all(answered(&RED_A, 0..1))
                .wait_s(181)
                .after_all(one_way(&RED_A, 1..PLACES + 1)),
            0,
        )
        .flows(places),
        remains(
            Row::new("one port's flows push out nobody else's")
                .after_all(one_way(&RED_A, 0..1))
                .after_all(one_way(&RED_D, 0..5 * PLACES)),
            0,
        )
        .flows(places + 1),
        Row::new("a flow that gets no place in the table is dropped")
            .world(|world| world.flows_max = 2)
            .after_all(one_way(&RED_A, 0..2))
            .frame(RED_A.sends(&out(&RED_A, 2)))
            .drops(RED, Outbound, DropReason::FlowTableFull)
            .flows(2)
            .core_only("the kernel's table holds as many as all rings together"),
    ]
}
