//! TCP's states: what opens a flow, what ends it, and how long it lasts.

use inlay_core::{
    drop_reason::DropReason,
    tables::Direction::{Inbound, Outbound},
};

use crate::{
    dataplane::Frame,
    nodes::{Host, RED_A, RED_B},
    packet::{
        Packet,
        flags::{ACK, FIN_ACK, RST, SYN, SYN_ACK, SYN_FIN},
    },
    row::Row,
    world::RED,
};

/// From red-a to port 22 of red-b, and back: 22 is closed at red-a, and so is 40000.
const PORTS: (u16, u16) = (40000, 22);

fn out(flags: u8) -> Packet {
    RED_A.tcp(&RED_B, PORTS, flags)
}

fn back(flags: u8) -> Packet {
    RED_B.tcp(&RED_A, (PORTS.1, PORTS.0), flags)
}

fn open() -> Vec<Frame> {
    vec![
        RED_A.sends(&out(SYN)),
        RED_B.arrives(&back(SYN_ACK)),
        RED_A.sends(&out(ACK)),
    ]
}

fn closed() -> Vec<Frame> {
    let mut frames = open();
    frames.extend([RED_A.sends(&out(FIN_ACK)), RED_B.arrives(&back(FIN_ACK))]);
    frames
}

fn goes_out(row: Row, flags: u8) -> Row {
    row.frame(RED_A.sends(&out(flags)))
        .sends(&RED_A, &out(flags), Host::Two)
}

fn comes_back(row: Row, flags: u8) -> Row {
    row.frame(RED_B.arrives(&back(flags)))
        .delivers(&RED_A, &back(flags))
}

fn dropped(name: &'static str, flags: u8, reason: DropReason) -> Row {
    Row::new(name)
        .frame(RED_A.sends(&out(flags)))
        .drops(RED, Outbound, reason)
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = opening();
    rows.extend(closing());
    rows.extend(timeouts());
    rows
}

fn opening() -> Vec<Row> {
    vec![
        goes_out(Row::new("a SYN starts a flow"), SYN),
        goes_out(
            Row::new("a segment of a running connection starts a flow"),
            ACK,
        ),
        dropped("a SYN+ACK starts no flow", SYN_ACK, DropReason::Unsolicited),
        dropped("a RST starts no flow", RST, DropReason::BadTcpFlags),
        dropped(
            "a SYN with FIN starts no flow",
            SYN_FIN,
            DropReason::BadTcpFlags,
        ),
        Row::new("a SYN+ACK from outside without its SYN is not let in, even to an open port")
            .frame(RED_B.arrives(&RED_B.tcp(&RED_A, (22, 8080), SYN_ACK)))
            .drops(RED, Inbound, DropReason::Unsolicited),
        Row::new("a RST from outside starts no flow, even to an open port")
            .frame(RED_B.arrives(&RED_B.tcp(&RED_A, (22, 8080), RST)))
            .drops(RED, Inbound, DropReason::BadTcpFlags),
        comes_back(
            Row::new("a SYN+ACK answers").after(RED_A.sends(&out(SYN))),
            SYN_ACK,
        ),
        goes_out(
            Row::new("an open connection goes on, outbound").after_all(open()),
            ACK,
        ),
        comes_back(
            Row::new("an open connection goes on, inbound").after_all(open()),
            ACK,
        ),
        goes_out(
            Row::new("a picked-up connection that was answered goes on")
                .after(RED_A.sends(&out(ACK)))
                .after(RED_B.arrives(&back(ACK))),
            ACK,
        ),
    ]
}

fn closing() -> Vec<Row> {
    let half = |row: Row| row.after_all(open()).after(RED_A.sends(&out(FIN_ACK)));
    vec![
        comes_back(
            half(Row::new(
                "the other side of a half-closed connection still sends",
            )),
            ACK,
        ),
        goes_out(
            Row::new("the last ACK of a closed connection passes").after_all(closed()),
            ACK,
        ),
        comes_back(
            Row::new("a RST within an open connection passes").after_all(open()),
            RST,
        ),
        goes_out(
            Row::new("a closed connection is opened again by a SYN").after_all(closed()),
            SYN,
        ),
        Row::new("a closed connection is not opened again from the side that the group closes")
            .after_all(closed())
            .frame(RED_B.arrives(&back(SYN)))
            .drops(RED, Inbound, DropReason::SecurityGroup)
            .flows(0),
        Row::new(
            "a connection that was reset is not opened again from the side that the group closes",
        )
        .after_all(open())
        .after(RED_A.sends(&out(RST)))
        .frame(RED_B.arrives(&back(SYN)))
        .drops(RED, Inbound, DropReason::SecurityGroup)
        .flows(0),
    ]
}

fn timeouts() -> Vec<Row> {
    let lasts = |name, before: Vec<Frame>, seconds| {
        comes_back(Row::new(name).after_all(before).wait_s(seconds), ACK)
    };
    let ends = |name, before: Vec<Frame>, seconds| {
        Row::new(name)
            .after_all(before)
            .wait_s(seconds)
            .frame(RED_B.arrives(&back(ACK)))
            .drops(RED, Inbound, DropReason::SecurityGroup)
            .flows(0)
    };
    let udp = RED_B.udp(&RED_A, (53, 7));
    let asked = RED_A.sends(&RED_A.udp(&RED_B, (7, 53)));
    vec![
        lasts(
            "an open connection lasts two hours and four minutes",
            open(),
            7439,
        ),
        ends("an open connection does not last longer", open(), 7441),
        lasts(
            "a SYN waits a minute for its answer",
            open()[..1].to_vec(),
            59,
        ),
        ends("a SYN does not wait longer", open()[..1].to_vec(), 61),
        lasts(
            "a closed connection's stragglers pass for a minute",
            closed(),
            59,
        ),
        ends(
            "a closed connection's stragglers do not pass for longer",
            closed(),
            61,
        ),
        Row::new("an answer by UDP may take half a minute")
            .after(asked.clone())
            .wait_s(29)
            .frame(RED_B.arrives(&udp))
            .delivers(&RED_A, &udp),
        Row::new("an answer by UDP may take no longer")
            .after(asked.clone())
            .wait_s(31)
            .frame(RED_B.arrives(&udp))
            .drops(RED, Inbound, DropReason::SecurityGroup),
        Row::new("an answered flow of UDP lasts three minutes")
            .after(asked.clone())
            .after(RED_B.arrives(&udp))
            .wait_s(179)
            .frame(RED_B.arrives(&udp))
            .delivers(&RED_A, &udp),
        Row::new("an answered flow of UDP lasts no longer")
            .after(asked.clone())
            .after(RED_B.arrives(&udp))
            .wait_s(181)
            .frame(RED_B.arrives(&udp))
            .drops(RED, Inbound, DropReason::SecurityGroup),
        Row::new("a packet renews its flow")
            .after(asked.clone())
            .after(RED_B.arrives(&udp))
            .wait_s(170)
            .after(RED_B.arrives(&udp))
            .wait_s(170)
            .frame(RED_B.arrives(&udp))
            .delivers(&RED_A, &udp),
        Row::new("a flow that another processor saw a tick later is not over")
            .after(asked)
            .after(RED_B.arrives(&udp))
            .wait_ticks(1u32.wrapping_neg())
            .frame(RED_B.arrives(&udp))
            .delivers(&RED_A, &udp),
    ]
}
