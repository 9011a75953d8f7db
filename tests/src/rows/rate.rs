//! How many flows a port may start in a second.

use inlay_core::{
    drop_reason::DropReason,
    tables::Direction::{Inbound, Outbound},
};

use crate::{
    nodes::{Host, RED_A, RED_B, RED_D},
    packet::Packet,
    row::Row,
    world::RED,
};

/// Ticks after which another second counts.
const WINDOW_TICKS: u32 = 64;

fn out(flow: u16) -> Packet {
    RED_A.udp(&RED_B, (1000 + flow, 53))
}

fn limited(name: &'static str, new_flows_per_s: u32) -> Row {
    Row::new(name).world(|world| world.port(&RED_A).new_flows_per_s = new_flows_per_s)
}

fn sends(row: Row, flow: u16) -> Row {
    row.frame(RED_A.sends(&out(flow)))
        .sends(&RED_A, &out(flow), Host::Two)
}

pub(super) fn rows() -> Vec<Row> {
    let first = || RED_A.sends(&out(0));
    let second = || RED_A.sends(&out(1));
    let inbound = RED_B.udp(&RED_A, (7, 9000));
    let local = RED_A.udp(&RED_D, (7, 9000));
    vec![
        sends(
            limited("a port starts as many flows in a second as it may", 2).after(first()),
            1,
        )
        .flows(2),
        limited("a port starts no more flows in a second than it may", 2)
            .after(first())
            .after(second())
            .frame(RED_A.sends(&out(2)))
            .drops(RED, Outbound, DropReason::NewFlowRate)
            .flows(2),
        sends(
            limited("a port starts more flows in the next second", 2)
                .after(first())
                .after(second())
                .wait_ticks(WINDOW_TICKS),
            2,
        )
        .flows(3),
        sends(
            limited("a flow that was started goes on", 2)
                .after(first())
                .after(second()),
            1,
        )
        .flows(2),
        limited("a port that may start none starts none", 0)
            .frame(first())
            .drops(RED, Outbound, DropReason::NewFlowRate),
        limited("a peer's flows count at the port that receives them", 0)
            .frame(RED_B.arrives(&inbound))
            .drops(RED, Inbound, DropReason::NewFlowRate),
        limited("...but do not spend what the node itself may start", 1)
            .after(RED_B.arrives(&inbound))
            .frame(first())
            .sends(&RED_A, &out(0), Host::Two)
            .flows(2),
        limited("...nor the node's what its peers may start", 1)
            .after(first())
            .frame(RED_B.arrives(&inbound))
            .delivers(&RED_A, &inbound)
            .flows(2),
        limited("a denied flow does not count", 2)
            .after(first())
            .after_drop(RED_B.arrives(&RED_B.udp(&RED_A, (7, 53))))
            .frame(RED_B.arrives(&inbound))
            .delivers(&RED_A, &inbound)
            .flows(2),
        Row::new("one port's flows do not count at another")
            .world(|world| world.port(&RED_D).new_flows_per_s = 0)
            .frame(first())
            .sends(&RED_A, &out(0), Host::Two),
        Row::new("a flow on one host counts at the port that receives it, too")
            .world(|world| world.port(&RED_D).new_flows_per_s = 0)
            .frame(RED_A.sends(&local))
            .drops(RED, Inbound, DropReason::NewFlowRate)
            .counts(&RED_A, Outbound, local.len_bytes())
            .flows(1),
    ]
}
