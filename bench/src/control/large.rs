//! A network of a million mappings beside one of a thousand, held by the same hosts: what one more node costs.
//!
//! 500 copies of a million mappings would say how fast this machine encrypts. So one host is sent both networks, and
//! the others come with what it holds, as after a break of the stream: revision and digest are all that is compared.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{
    HOSTS, against_goal,
    client::Client,
    fleet::{self, Fleet},
    manager::Manager,
    percentile,
};
use crate::report::{Measurement, median};

/// Nodes of the networks, one mapping each.
const LARGE: usize = 1_000_000;
const SMALL: usize = 1_000;
/// Nodes of one call, at most.
const PER_CALL_MAX: usize = 1_000;
/// Nodes that are added to each, in each round.
const ADDED_PER_ROUND: usize = 20;
/// A change that takes longer has failed.
const DEADLINE: Duration = Duration::from_mins(1);
/// How long the manager's memory is looked at: it keeps a snapshot for ten seconds, and looks every five.
const QUIET: Duration = Duration::from_secs(20);
const COST_GOAL: f64 = 1.1;
const CONVERGED_GOAL_MS: f64 = 1_000.0;
const MEMORY_GOAL_MIB: f64 = 512.0;

/// Measures.
///
/// # Errors
/// Where the manager does not do what it is asked.
pub(super) async fn run(rounds: u32) -> Result<Vec<Measurement>> {
    let manager = Manager::start()?;
    let client = Client::of(&manager)?;
    let mut fleet = Fleet::join(&manager, &client, HOSTS).await?;
    let filling = client.clone();
    let began = Instant::now();
    let revision = tokio::task::spawn_blocking(move || fill(&filling)).await??;
    eprintln!("control: filled in {:.0} s", began.elapsed().as_secs_f64());
    let agents = manager.listening.agents;
    let began = Instant::now();
    fleet.start(agents, 0..1, fleet::nothing);
    fleet.board.wait(0..1, revision, began, DEADLINE).await?;
    let held = fleet.stop().await?;
    let held = held.first().context("one host holds the networks")?;
    let began = Instant::now();
    fleet.start(agents, 0..HOSTS, |_| held.clone());
    fleet
        .board
        .wait(0..HOSTS, revision, began, DEADLINE)
        .await?;
    let mut small_ms = Vec::new();
    let mut large_ms = Vec::new();
    for round in 0..rounds as usize {
        for number in 0..ADDED_PER_ROUND {
            let node = format!("timed-{round}-{number}");
            small_ms.push(add(&client, &fleet, "small", &node).await?);
            large_ms.push(add(&client, &fleet, "large", &node).await?);
        }
    }
    let ratios = large_ms
        .iter()
        .zip(&small_ms)
        .map(|(large, small)| large / small);
    let ratio = median(ratios.collect());
    Ok(vec![
        against_goal(
            "a node more, 1,000,000 mappings to 1,000",
            ratio,
            "",
            COST_GOAL,
        ),
        against_goal(
            "1,000,000 mappings, change to all hosts, p99",
            percentile(&large_ms, 0.99),
            "ms",
            CONVERGED_GOAL_MS,
        ),
        against_goal(
            "manager's memory at 1,000,000 mappings, 500 agents",
            quiet_mib(&manager)?,
            "MiB",
            MEMORY_GOAL_MIB,
        ),
    ])
}

/// The least memory within the time in which the manager drops what it keeps for agents that come back.
fn quiet_mib(manager: &Manager) -> Result<f64> {
    let began = Instant::now();
    let mut least = manager.resident_mib()?;
    while began.elapsed() < QUIET {
        std::thread::park_timeout(Duration::from_millis(500));
        least = least.min(manager.resident_mib()?);
    }
    Ok(least)
}

/// Fills both networks, host by host, so that every host holds both. Returns the last revision.
fn fill(client: &Client) -> Result<u64> {
    let quota = json!({ "networks": 1000, "nodes": 2_000_000, "nodes_per_network": 2_000_000 });
    let project = json!({ "metadata": { "name": "bench" }, "spec": { "quota": quota } });
    client.post("projects", &project)?;
    let mut revision = 0;
    for (network, nodes) in [("small", SMALL), ("large", LARGE)] {
        let body = json!({ "metadata": { "name": network }, "spec": { "cidrs": ["10.0.0.0/8"] } });
        client.post("projects/bench/networks", &body)?;
        let path = format!("projects/bench/networks/{network}");
        let subnet = json!({ "metadata": { "name": "all" }, "spec": { "cidr": "10.0.0.0/11" } });
        client.post(&format!("{path}/subnets"), &subnet)?;
        for place in 0..HOSTS {
            revision = fill_host(client, &path, &fleet::name(place), nodes / HOSTS)?;
            eprint!("\rcontrol: {network}: {} of {HOSTS} hosts   ", place + 1);
        }
        eprintln!();
    }
    Ok(revision)
}

/// Puts nodes on one host. Returns the last revision.
fn fill_host(client: &Client, path: &str, host: &str, nodes: usize) -> Result<u64> {
    let mut revision = 0;
    for (part, first) in (0..nodes).step_by(PER_CALL_MAX).enumerate() {
        let count = PER_CALL_MAX.min(nodes - first);
        let spec = json!({ "subnet": "all", "placement": { "host": host } });
        let body = json!({ "metadata": { "name": format!("{host}-{part}") }, "spec": spec });
        let made = client.post(&format!("{path}/nodes?count={count}"), &body)?;
        let last = match made["items"].as_array() {
            Some(nodes) => nodes.last().context("the nodes are answered")?,
            None => &made,
        };
        revision = last["metadata"]["revision"]
            .as_u64()
            .context("a revision")?;
    }
    Ok(revision)
}

/// Adds a node; in milliseconds, until all hosts have acknowledged it.
async fn add(client: &Client, fleet: &Fleet, network: &str, node: &str) -> Result<f64> {
    let client = client.clone();
    let path = format!("projects/bench/networks/{network}/nodes");
    let body = json!({ "metadata": { "name": node }, "spec": { "subnet": "all" } });
    let began = Instant::now();
    let made = tokio::task::spawn_blocking(move || client.post(&path, &body)).await??;
    let revision = made["metadata"]["revision"].as_u64();
    let revision = revision.context("a node has a revision")?;
    let took = fleet
        .board
        .wait(0..HOSTS, revision, began, DEADLINE)
        .await?;
    Ok(took.as_secs_f64() * 1e3)
}
