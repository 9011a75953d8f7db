//! Networks that clients create over the API, on two hosts whose agents follow the manager: what works, what is
//! closed, and what goes on while parts of the control plane do not.

#![allow(clippy::unwrap_used)]

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use inlay_tests::{
    netns::{
        Namespace,
        managed::{Managed, node_namespaces},
        probe::{self, PATIENCE, SILENCE},
        wait_for,
    },
    scenario::{B, C, rows},
};

const MAIN: &str = "--project red --network main";

#[test]
fn every_row_is_as_expected() -> Result<()> {
    let Some((_topology, hosts)) = Managed::with_networks("every_row_is_as_expected")? else {
        return Ok(());
    };
    let reports: Vec<_> = rows().iter().map(|row| row.run(&hosts)).collect();
    let failed: Vec<_> = reports
        .iter()
        .filter(|report| !report.outcome.passed)
        .collect();
    ensure!(failed.is_empty(), "{failed:#?}");
    Ok(())
}

#[test]
fn a_minute_without_the_manager_is_not_noticed() -> Result<()> {
    let Some((topology, hosts)) =
        Managed::with_networks("a_minute_without_the_manager_is_not_noticed")?
    else {
        return Ok(());
    };
    topology.kill_manager()?;
    // 2,000 pings in 60 s, while agents try to find their manager.
    let pings = Pings::start(&hosts.red_a, B, 2000, "0.03")?;
    ensure!(pings.lost()? == 0, "{}", topology.log("host1"));
    topology.start_manager()?;
    // The agents have waited longer and longer, half a minute at most.
    let are_back = || {
        let hosts = ["host1", "host2"].map(|host| topology.json(&format!("host show {host}")));
        hosts
            .into_iter()
            .all(|host| host.is_ok_and(|host| host["status"]["state"] == "ready"))
    };
    wait_for("the agents to be back", Duration::from_secs(45), are_back)
        .with_context(|| topology.log("host1"))?;
    topology.inlay(&format!(
        "node create e {MAIN} --subnet front --address 10.0.1.20 --host host2"
    ))?;
    ensure!(
        probe::ping(&hosts.red_a, "10.0.1.20", "", 3)?,
        "a node created after the manager came back"
    );
    Ok(())
}

#[test]
fn a_host_that_boots_without_its_manager_is_as_before() -> Result<()> {
    let Some((topology, hosts)) =
        Managed::with_networks("a_host_that_boots_without_its_manager_is_as_before")?
    else {
        return Ok(());
    };
    topology.await_disk("host1")?;
    topology.kill_manager()?;
    topology.reboot("host1")?;
    topology.start_agent("host1")?;
    let red_a = topology.node("host1", "red", "main", "a")?;
    let blue_a = topology.node("host1", "blue", "main", "a")?;
    let reached = || probe::ping(&red_a, &B.to_string(), "", 1).unwrap_or(false);
    wait_for("red-a to reach red-b", PATIENCE, reached).with_context(|| topology.log("host1"))?;
    ensure!(probe::ping(&red_a, &C.to_string(), "", 3)?, "other subnet");
    ensure!(
        probe::ping(&hosts.red_b, "10.0.1.10", "", 3)?,
        "the way back"
    );
    ensure!(probe::ping(&blue_a, &B.to_string(), "", 3)?, "blue");
    ensure!(
        probe::connect(&red_a, SocketAddrV4::new(B, 8081), SILENCE)?.is_none(),
        "a closed port stays closed"
    );
    Ok(())
}

#[test]
fn agents_are_upgraded_under_traffic() -> Result<()> {
    let Some((topology, hosts)) = Managed::with_networks("agents_are_upgraded_under_traffic")?
    else {
        return Ok(());
    };
    let pings = Pings::start(&hosts.red_a, B, 400, "0.01")?;
    // A start ends the agent that runs, and replaces its programs.
    for host in ["host1", "host2"] {
        topology.start_agent(host)?;
    }
    ensure!(pings.lost()? == 0, "{}", topology.log("host1"));
    Ok(())
}

#[test]
fn a_node_moves_under_traffic() -> Result<()> {
    let Some((topology, hosts)) = Managed::with_networks("a_node_moves_under_traffic")? else {
        return Ok(());
    };
    let to_others = Pings::start(&hosts.red_a, C, 600, "0.01")?;
    let to_it = Pings::start(&hosts.red_a, B, 600, "0.01")?;
    topology.inlay(&format!("node move b {MAIN} --to host1"))?;
    let moved = || {
        let node = topology
            .json(&format!("node show b {MAIN}"))
            .unwrap_or_default();
        node["status"]["host"] == "host1" && node["status"]["state"] == "ready"
    };
    wait_for(
        "the node to be ready on host1",
        Duration::from_secs(10),
        moved,
    )
    .with_context(|| topology.log("manager"))?;
    ensure!(to_others.lost()? == 0, "others are not concerned");
    // The new place has its own namespace: a moment passes while the mapping changes hosts.
    let lost = to_it.lost()?;
    ensure!(lost <= 50, "{lost} of 600 pings were lost");
    let moved_b = topology.node("host1", "red", "main", "b")?;
    ensure!(
        probe::ping(&moved_b, &C.to_string(), "", 3)?,
        "from its new place"
    );
    ensure!(
        probe::ping(&hosts.red_c, &B.to_string(), "", 3)?,
        "from the host that it left"
    );
    ensure!(
        !node_namespaces("host2")?.contains(&"host2.red.main.b".to_owned()),
        "the old place is gone"
    );
    ensure!(
        probe::ping(&hosts.blue_a, &B.to_string(), "", 3)?,
        "blue's node of that address stays"
    );
    Ok(())
}

#[test]
fn a_rule_that_is_taken_away_cuts_an_established_flow() -> Result<()> {
    let Some((topology, hosts)) =
        Managed::with_networks("a_rule_that_is_taken_away_cuts_an_established_flow")?
    else {
        return Ok(());
    };
    let (mut client, mut server) = connection(&hosts.red_a, &hosts.red_b, 8080)?;
    ensure!(passes(&mut client, &mut server)?, "it works at first");
    let rule = "tcp 8080 group:default";
    let verb: Vec<_> = "security-group rule remove default --project red --network main --inbound"
        .split(' ')
        .chain([rule])
        .collect();
    let output = topology.try_inlay(&verb)?;
    ensure!(output.status.success(), "{output:?}");
    ensure!(
        !passes(&mut client, &mut server)?,
        "the flow outlives its rule"
    );
    Ok(())
}

#[test]
fn nodes_come_and_go_with_their_namespaces() -> Result<()> {
    let Some((topology, hosts)) =
        Managed::with_networks("nodes_come_and_go_with_their_namespaces")?
    else {
        return Ok(());
    };
    topology.inlay(&format!("node create web {MAIN} --subnet back --count 4"))?;
    let nodes = topology.json(&format!("node list {MAIN}"))?;
    let nodes = nodes.as_array().context("a list")?;
    let web: Vec<_> = nodes
        .iter()
        .filter(|node| {
            node["metadata"]["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("web-"))
        })
        .collect();
    ensure!(web.len() == 4, "{web:#?}");
    for host in ["host1", "host2"] {
        let there = web.iter().filter(|node| node["status"]["host"] == host);
        ensure!(there.count() == 2, "spread over the hosts: {web:#?}");
    }
    for node in &web {
        let address = node["status"]["addresses"][0]
            .as_str()
            .context("an address")?;
        ensure!(probe::ping(&hosts.red_a, address, "", 1)?, "{address}");
    }
    for number in 1..=4 {
        topology.inlay(&format!("node delete web-{number} {MAIN}"))?;
    }
    for host in ["host1", "host2"] {
        let left = node_namespaces(host)?;
        ensure!(!left.iter().any(|name| name.contains("web-")), "{left:?}");
    }
    Ok(())
}

#[test]
fn a_join_token_serves_once_and_a_removed_host_is_refused() -> Result<()> {
    let Some(topology) = Managed::up("a_join_token_serves_once_and_a_removed_host_is_refused")?
    else {
        return Ok(());
    };
    topology.inlay("host delete host2")?;
    let is_told = || topology.log("host2").contains("refused");
    wait_for("host2 to be told", PATIENCE, is_told).with_context(|| topology.log("host2"))?;
    let status = topology.json("status")?;
    ensure!(!status.to_string().contains("host2"), "{status:#}");
    Ok(())
}

/// Pings under way, one process.
struct Pings(Child);

impl Pings {
    fn start(from: &Namespace, to: Ipv4Addr, count: u32, interval_s: &str) -> Result<Self> {
        let (count, to) = (count.to_string(), to.to_string());
        let child = from.run(|| {
            Ok(Command::new("ping")
                .args(["-n", "-q", "-c", &count, "-i", interval_s, "-W", "1", &to])
                .stdout(Stdio::piped())
                .spawn()?)
        })?;
        Ok(Self(child))
    }

    /// Waits for the end. How many were not answered.
    fn lost(mut self) -> Result<u64> {
        let mut text = String::new();
        let mut output = self.0.stdout.take().context("an output")?;
        output.read_to_string(&mut text)?;
        self.0.wait()?;
        // "600 packets transmitted, 600 received, …"
        let numbers: Vec<u64> = text
            .lines()
            .find(|line| line.contains("packets transmitted"))
            .context("what ping counted")?
            .split([' ', ','])
            .filter_map(|word| word.parse().ok())
            .collect();
        Ok(numbers[0] - numbers[1])
    }
}

impl Drop for Pings {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An open TCP connection between two nodes.
fn connection(from: &Namespace, at: &Namespace, l4_port: u16) -> Result<(TcpStream, TcpStream)> {
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, l4_port);
    let listener = at.run(|| Ok(TcpListener::bind(any)?))?;
    let client = probe::connect(from, SocketAddrV4::new(B, l4_port), PATIENCE)?;
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
