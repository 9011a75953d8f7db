//! Two hosts in namespaces: every row of `cargo xtask run`, and what happens to running traffic when agents
//! die, programs are replaced, rules are revoked and nodes move.

#![allow(clippy::unwrap_used)]

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use inlay_tests::{
    netns::{
        Namespace,
        probe::{self, PATIENCE, SILENCE},
        topology::Topology,
        wait_for,
    },
    scenario::{A, B, C, Drops, flows_of, rows},
};

/// Pings every 2 ms in both directions while `disturb` runs. Every one must be answered.
fn without_loss(topology: &Topology, disturb: impl FnOnce() -> Result<()>) -> Result<()> {
    let ping = |from: &Namespace, to: Ipv4Addr| -> Result<String> {
        from.output(&format!("ping -n -q -i 0.002 -c 2000 -W 2 {to}"))
    };
    let hosts = &topology.hosts;
    let (there, back) = thread::scope(|scope| -> Result<_> {
        let there = scope.spawn(|| ping(&hosts.red_a, B));
        let back = scope.spawn(|| ping(&hosts.red_b, A));
        disturb()?;
        ensure!(
            !there.is_finished() && !back.is_finished(),
            "the pings ended before the disturbance"
        );
        Ok((there.join().unwrap()?, back.join().unwrap()?))
    })?;
    for text in [there, back] {
        ensure!(
            text.contains(" 2000 received"),
            "not every ping was answered: {text}"
        );
    }
    Ok(())
}

/// A connection from red-a to red-b's port, both ends.
fn connection(topology: &Topology, l4_port: u16) -> Result<(TcpStream, TcpStream)> {
    pair(&topology.hosts.red_a, &topology.hosts.red_b, B, l4_port)
}

fn pair(
    from: &Namespace,
    at: &Namespace,
    to: Ipv4Addr,
    l4_port: u16,
) -> Result<(TcpStream, TcpStream)> {
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, l4_port);
    let listener = at.run(|| Ok(TcpListener::bind(any)?))?;
    let client = probe::connect(from, SocketAddrV4::new(to, l4_port), PATIENCE)?;
    let (server, _) = listener.accept()?;
    let client = client.context("nobody answered")?;
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(SILENCE))?;
    }
    Ok((client, server))
}

/// Whether a byte gets through.
fn passes(from: &mut TcpStream, to: &mut TcpStream) -> Result<bool> {
    from.write_all(b"x")?;
    let mut byte = [0];
    Ok(to.read_exact(&mut byte).is_ok())
}

#[test]
fn every_row_is_as_expected() -> Result<()> {
    let Some(topology) = Topology::up("every_row_is_as_expected")? else {
        return Ok(());
    };
    let reports: Vec<_> = rows().iter().map(|row| row.run(&topology.hosts)).collect();
    let failed: Vec<_> = reports
        .iter()
        .filter(|report| !report.outcome.passed)
        .collect();
    ensure!(failed.is_empty(), "{failed:#?}");
    Ok(())
}

#[test]
fn killed_agents_are_not_missed_and_new_ones_adopt() -> Result<()> {
    let Some(topology) = Topology::up("killed_agents_are_not_missed_and_new_ones_adopt")? else {
        return Ok(());
    };
    let (mut client, mut server) = connection(&topology, 8080)?;
    without_loss(&topology, || {
        topology.kill_agent("host1")?;
        topology.kill_agent("host2")?;
        topology.start_agent("host1")?;
        topology.start_agent("host2")
    })?;
    ensure!(passes(&mut client, &mut server)? && passes(&mut server, &mut client)?);
    // A new agent's programs are others: they were replaced, under the same traffic.
    Ok(())
}

#[test]
fn programs_are_replaced_without_loss() -> Result<()> {
    let Some(topology) = Topology::up("programs_are_replaced_without_loss")? else {
        return Ok(());
    };
    let before = attached_programs(&topology.hosts.host1)?;
    without_loss(&topology, || topology.start_agent("host1"))?;
    let after = attached_programs(&topology.hosts.host1)?;
    ensure!(
        before.len() == 4 && after.len() == 4,
        "three ports and an uplink: {before:?} {after:?}"
    );
    ensure!(
        before.iter().all(|program| !after.contains(program)),
        "{before:?} {after:?}"
    );
    Ok(())
}

/// Numbers of the programs on a host's interfaces, as `ip` tells them.
fn attached_programs(host: &Namespace) -> Result<Vec<String>> {
    let text = host.output("ip -d link show")?;
    let mut programs = Vec::new();
    for line in text.lines().filter(|line| line.contains("prog/xdp id")) {
        let number = line
            .split_whitespace()
            .skip_while(|word| *word != "id")
            .nth(1);
        programs.push(number.context("a number")?.to_owned());
    }
    Ok(programs)
}

#[test]
fn a_revoked_rule_cuts_an_established_flow() -> Result<()> {
    let Some(topology) = Topology::up("a_revoked_rule_cuts_an_established_flow")? else {
        return Ok(());
    };
    let (mut client, mut server) = connection(&topology, 8080)?;
    ensure!(passes(&mut client, &mut server)?, "it works at first");
    let rule = r#"{ protocol: tcp, ports: 8080, peer: "group:default" }"#;
    let other = r#"{ protocol: tcp, ports: 8090, peer: "group:default" }"#;
    topology.edit("host2", rule, other)?;
    let drops = Drops::of("host2", "red", "inbound", "security-group")?;
    ensure!(
        !passes(&mut client, &mut server)?,
        "the flow outlives its rule"
    );
    ensure!(drops.since()? > 0, "nothing was counted");
    topology.edit("host2", other, rule)?;
    server.set_read_timeout(Some(PATIENCE))?;
    let mut byte = [0];
    server
        .read_exact(&mut byte)
        .context("what waited arrives when the rule is back")?;
    Ok(())
}

#[test]
fn a_file_with_mistakes_is_refused_and_what_ran_goes_on() -> Result<()> {
    let Some(topology) = Topology::up("a_file_with_mistakes_is_refused_and_what_ran_goes_on")?
    else {
        return Ok(());
    };
    let before = topology.revision("host1");
    topology.write("host1", "addresses: [10.0.1.12]", "addresses: [10.9.1.12]")?;
    let is_told = || topology.log("host1").contains("10.9.1.12");
    wait_for("a problem in the log", PATIENCE, is_told).with_context(|| topology.log("host1"))?;
    ensure!(
        topology.log("host1").contains("host1.yaml:"),
        "{}",
        topology.log("host1")
    );
    ensure!(
        topology.revision("host1") == before,
        "a refused file was applied"
    );
    ensure!(
        probe::ping(&topology.hosts.red_a, &B.to_string(), "", 3)?,
        "what ran does not go on"
    );
    topology.write("host1", "addresses: [10.9.1.12]", "addresses: [10.0.1.12]")
}

#[test]
fn a_port_that_goes_and_comes_back_works_again() -> Result<()> {
    let Some(topology) = Topology::up("a_port_that_goes_and_comes_back_works_again")? else {
        return Ok(());
    };
    let hosts = &topology.hosts;
    hosts.host1.output("ip link del red-a")?;
    make_node_link(&hosts.host1, "red-a", "0a", A)?;
    let reached = || probe::ping(&hosts.red_a, &B.to_string(), "", 1).unwrap_or(false);
    wait_for(
        "red-a to reach red-b again",
        Duration::from_secs(10),
        reached,
    )
    .with_context(|| topology.log("host1"))?;
    ensure!(
        probe::ping(&hosts.red_a, &C.to_string(), "", 3)?,
        "other subnet"
    );
    ensure!(
        probe::ping(&hosts.blue_a, &B.to_string(), "", 3)?,
        "blue was not concerned"
    );
    Ok(())
}

/// A new veth between a host and a red node, as the topology's script makes it.
fn make_node_link(host: &Namespace, node: &str, letter: &str, address: Ipv4Addr) -> Result<()> {
    let gateway = Ipv4Addr::from(u32::from(address) & 0xffff_ff00 | 1);
    let space = format!("inlay-{node}");
    for line in [
        format!(
            "ip link add {node} mtu 1500 address 02:00:00:01:01:{letter} type veth peer name eth0 \
             mtu 1500 address 02:00:00:01:00:{letter} netns {space}"
        ),
        format!("ip netns exec {space} ethtool -K eth0 tx off gro on"),
        format!("ip link set {node} up"),
        format!("ip -n {space} link set eth0 up"),
        format!("ip -n {space} addr add {address}/24 dev eth0"),
        format!("ip -n {space} route add default via {gateway}"),
    ] {
        host.output(&line)?;
    }
    Ok(())
}

/// red-b moves from host 2 to host 1. Host 1 knows first, so that nobody else's packets to it are lost
/// to a host that no longer has it.
#[test]
fn flows_follow_a_node_that_moves() -> Result<()> {
    let Some(topology) = Topology::up("flows_follow_a_node_that_moves")? else {
        return Ok(());
    };
    let hosts = &topology.hosts;
    let client = hosts.red_a.run(|| Ok(UdpSocket::bind((A, 9100))?))?;
    client.connect((B, 9000))?;
    client.set_read_timeout(Some(Duration::from_millis(5)))?;
    ensure!(
        echoes_within(hosts, &client, PATIENCE)?.is_some(),
        "it works at first"
    );
    hosts.host2.output("ip link del red-b")?;
    make_node_link(&hosts.host1, "red-b", "0b", B)?;
    let (from, to) = ("{ name: red-b, host: host2,", "{ name: red-b, host: host1,");
    topology.edit("host2", from, to)?;
    topology.edit("host1", from, to)?;
    let took = echoes_within(hosts, &client, PATIENCE)?;
    let took = took.context("the flow does not follow")?;
    ensure!(
        took <= Duration::from_millis(100),
        "the flow followed after {took:?}"
    );
    ensure!(
        probe::ping(&hosts.red_c, &B.to_string(), "", 3)?,
        "from the host that it left"
    );
    ensure!(
        probe::ping(&hosts.blue_a, &B.to_string(), "", 3)?,
        "blue's node of that address stays"
    );
    Ok(())
}

/// How long it takes until a datagram of `client` comes back from red-b.
fn echoes_within(
    hosts: &inlay_tests::scenario::TwoHosts,
    client: &UdpSocket,
    deadline: Duration,
) -> Result<Option<Duration>> {
    let server = hosts
        .red_b
        .run(|| Ok(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 9000))?))?;
    server.set_nonblocking(true)?;
    let start = Instant::now();
    let mut buffer = [0; 64];
    while start.elapsed() < deadline {
        // An ICMP error of the old place is no answer.
        let _ = client.send(b"still there?");
        if let Ok((len, peer)) = server.recv_from(&mut buffer) {
            server.send_to(&buffer[..len], peer)?;
        }
        if client.recv(&mut buffer).is_ok() {
            return Ok(Some(start.elapsed()));
        }
    }
    Ok(None)
}

#[test]
fn a_port_that_floods_the_flow_table_leaves_others_alone() -> Result<()> {
    let Some(topology) = Topology::up("a_port_that_floods_the_flow_table_leaves_others_alone")?
    else {
        return Ok(());
    };
    let hosts = &topology.hosts;
    let (mut blue_client, mut blue_server) = pair(&hosts.blue_a, &hosts.blue_b, B, 8080)?;
    let (mut d_client, mut d_server) = pair(&hosts.red_d, &hosts.red_b, B, 5201)?;
    let others = flows_of("host1", "blue-a")?;
    let flood = hosts.red_a.run(|| Ok(UdpSocket::bind((A, 0))?))?;
    for round in 0..4u32 {
        for l4_port in 9000..=9999u16 {
            let sender = if round == 0 { None } else { Some(round) };
            send_flood(&hosts.red_a, &flood, sender, l4_port)?;
        }
    }
    let own = flows_of("host1", "red-a")?;
    ensure!(
        own > 1000 && own <= 4096,
        "red-a has {own} flows, its share is 4,096"
    );
    ensure!(
        flows_of("host1", "blue-a")? >= others,
        "blue lost flows to red"
    );
    ensure!(
        passes(&mut blue_client, &mut blue_server)? && passes(&mut blue_server, &mut blue_client)?
    );
    ensure!(passes(&mut d_client, &mut d_server)? && passes(&mut d_server, &mut d_client)?);
    Ok(())
}

/// Floods from `first`, or from a source port of its own, which makes a new flow.
fn send_flood(at: &Namespace, first: &UdpSocket, round: Option<u32>, l4_port: u16) -> Result<()> {
    let sent = if round.is_none() {
        first.send_to(b"flood", (B, l4_port))
    } else {
        at.run(|| Ok(UdpSocket::bind((A, 0))?))?
            .send_to(b"flood", (B, l4_port))
    };
    sent.map(drop).context("send")
}
