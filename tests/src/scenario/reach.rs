//! What must work, and beside each permission its prohibition.

use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::Result;

use super::{A, B, C, D, Drops, GATEWAY, Outcome, Row, TwoHosts, row, same, silent};
use crate::netns::{
    Namespace,
    probe::{self, Greeter, PATIENCE, SILENCE},
};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row("same subnet, across hosts: red-a pings red-b", |t| {
            pings(&t.red_a, B)
        }),
        row("other subnet, across hosts: red-a pings red-c", |t| {
            pings(&t.red_a, C)
        }),
        row("same host: red-a pings red-d", |t| pings(&t.red_a, D)),
        row("blue has the same addresses: blue-a pings blue-b", |t| {
            pings(&t.blue_a, B)
        }),
        row("the virtual router answers: red-a pings its gateway", |t| {
            pings(&t.red_a, GATEWAY)
        }),
        row("traceroute to another subnet: red-a to red-c", |t| {
            traces(&t.red_a, C, &[GATEWAY, C])
        }),
        row("traceroute within a subnet: red-a to red-b", |t| {
            traces(&t.red_a, B, &[B])
        }),
        row("1500 bytes with DF: red-a pings red-b", full_size),
        row("1501 bytes with DF: red-a is told the MTU", too_big),
        row(
            "a UDP datagram of 8,000 bytes, in fragments, and back",
            fragments,
        ),
        row("TCP bulk: 256 MiB from red-a to red-b", bulk),
        row("TCP to an open port: red-a to red-b:8080", |t| {
            greets(&t.red_a, &t.red_b, B, 8080)
        }),
        row("TCP to a closed port: red-a to red-b:8081", closed_tcp),
        row("UDP to an open port: red-a to red-b:9999", |t| {
            echoes(t, 9999)
        }),
        row("UDP to a closed port: red-a to red-b:8999", closed_udp),
        row(
            "a reply through a closed group: red-b answers red-a's connection",
            reply,
        ),
        row(
            "...but red-b cannot connect to red-a at that port",
            no_reply,
        ),
    ]
}

fn pings(from: &Namespace, to: Ipv4Addr) -> Result<Outcome> {
    let reached = probe::ping(from, &to.to_string(), "", 3)?;
    Ok(same(
        "3 of 3 answered",
        if reached {
            "3 of 3 answered"
        } else {
            "no or too few answers"
        },
    ))
}

fn traces(from: &Namespace, to: Ipv4Addr, hops: &[Ipv4Addr]) -> Result<Outcome> {
    let expected: Vec<String> = hops.iter().map(Ipv4Addr::to_string).collect();
    let observed = probe::traceroute(from, &to.to_string())?;
    Ok(same(expected.join(", "), observed.join(", ")))
}

fn full_size(topology: &TwoHosts) -> Result<Outcome> {
    let reached = probe::ping(&topology.red_a, &B.to_string(), "-M do -s 1472", 3)?;
    Ok(same(
        "3 of 3 answered",
        if reached {
            "3 of 3 answered"
        } else {
            "no or too few answers"
        },
    ))
}

/// The node's interface has the virtual MTU itself, so that its own kernel would refuse: the packet is
/// sent as a frame, and the virtual router must answer it.
fn too_big(topology: &TwoHosts) -> Result<Outcome> {
    let text = super::attack::oversized(topology)?;
    Ok(same("fragmentation needed, MTU 1500", text))
}

fn fragments(topology: &TwoHosts) -> Result<Outcome> {
    let to = SocketAddrV4::new(B, 9000);
    let whole = probe::udp_echo(&topology.red_a, &topology.red_b, to, 8000, PATIENCE)?;
    Ok(same(
        "comes back whole",
        if whole { "comes back whole" } else { "is lost" },
    ))
}

fn bulk(topology: &TwoHosts) -> Result<Outcome> {
    let to = SocketAddrV4::new(B, 5201);
    let rate = probe::tcp_bulk(&topology.red_a, &topology.red_b, to, 256 << 20)?;
    Ok(Outcome {
        expected: "all of it arrives".to_owned(),
        observed: format!("all of it arrives, {:.1} Gbit/s", rate / 1e9),
        drop_reason: None,
        passed: true,
    })
}

fn greets(from: &Namespace, at: &Namespace, to: Ipv4Addr, l4_port: u16) -> Result<Outcome> {
    let server = Greeter::listen(at, l4_port)?;
    let answer = probe::tcp(from, &server, SocketAddrV4::new(to, l4_port))?;
    let observed = answer.map_or("nobody answers".to_owned(), |name| {
        format!("{name} answers")
    });
    Ok(same(format!("{} answers", at.name()), observed))
}

fn closed_tcp(topology: &TwoHosts) -> Result<Outcome> {
    let _server = Greeter::listen(&topology.red_b, 8081)?;
    let drops = Drops::of("host2", &topology.red.network, "inbound", "security-group")?;
    let connected = probe::connect(&topology.red_a, SocketAddrV4::new(B, 8081), SILENCE)?;
    Ok(silent(
        connected.is_none(),
        "security-group",
        drops.since()?,
    ))
}

fn echoes(topology: &TwoHosts, l4_port: u16) -> Result<Outcome> {
    let to = SocketAddrV4::new(B, l4_port);
    let whole = probe::udp_echo(&topology.red_a, &topology.red_b, to, 100, PATIENCE)?;
    Ok(same(
        "comes back",
        if whole { "comes back" } else { "is lost" },
    ))
}

fn closed_udp(topology: &TwoHosts) -> Result<Outcome> {
    let drops = Drops::of("host2", &topology.red.network, "inbound", "security-group")?;
    let to = SocketAddrV4::new(B, 8999);
    let whole = probe::udp_echo(&topology.red_a, &topology.red_b, to, 100, SILENCE)?;
    Ok(silent(!whole, "security-group", drops.since()?))
}

/// red-a's port of the connection is closed to new flows, and the greeting comes back through it.
fn reply(topology: &TwoHosts) -> Result<Outcome> {
    greets(&topology.red_a, &topology.red_b, B, 5201)
}

fn no_reply(topology: &TwoHosts) -> Result<Outcome> {
    let _server = Greeter::listen(&topology.red_a, 45_201)?;
    let drops = Drops::of("host1", &topology.red.network, "inbound", "security-group")?;
    let connected = probe::connect(&topology.red_b, SocketAddrV4::new(A, 45_201), SILENCE)?;
    Ok(silent(
        connected.is_none(),
        "security-group",
        drops.since()?,
    ))
}
