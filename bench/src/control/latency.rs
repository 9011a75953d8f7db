//! From the API call to the hosts: 100 networks, 10,000 nodes, 500 hosts; and what a restart of the manager costs then.

use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{
    HOSTS, against_goal,
    client::Client,
    fleet::{self, Fleet},
    manager::Manager,
    percentile, reconnect,
};
use crate::report::Measurement;

const NETWORKS: usize = 100;
const NODES_PER_NETWORK: usize = 100;
/// Changes that are timed, in each round.
const CHANGES_PER_ROUND: usize = 60;
const MIDDLE_GOAL_MS: f64 = 100.0;
const TAIL_GOAL_MS: f64 = 400.0;

/// Measures.
///
/// # Errors
/// Where the manager does not do what it is asked.
pub(super) async fn run(rounds: u32) -> Result<Vec<Measurement>> {
    let mut manager = Manager::start()?;
    let client = Client::of(&manager)?;
    let mut fleet = Fleet::join(&manager, &client, HOSTS).await?;
    fleet.start(manager.listening.agents, 0..HOSTS, fleet::nothing);
    reconnect::in_step(&manager, Instant::now()).await?;
    let setting_up = client.clone();
    tokio::task::spawn_blocking(move || create_networks(&setting_up)).await??;
    let changing = client.clone();
    let times = tokio::task::spawn_blocking(move || change(&changing, rounds)).await??;
    let middle = percentile(&times, 0.5);
    let tail = percentile(&times, 0.99);
    let mut measured = vec![
        against_goal("API call to hosts, p50", middle, "ms", MIDDLE_GOAL_MS),
        against_goal("API call to hosts, p99", tail, "ms", TAIL_GOAL_MS),
    ];
    measured.extend(reconnect::run(&mut manager, &mut fleet).await?);
    Ok(measured)
}

fn create_networks(client: &Client) -> Result<()> {
    eprintln!("control: {NETWORKS} networks of {NODES_PER_NETWORK} nodes");
    let quota = json!({ "networks": 1000, "nodes": 2_000_000, "nodes_per_network": 2_000_000 });
    let project = json!({ "metadata": { "name": "bench" }, "spec": { "quota": quota } });
    client.post("projects", &project)?;
    for number in 0..NETWORKS {
        let network = format!("n{number}");
        let body = json!({ "metadata": { "name": network }, "spec": { "cidrs": ["10.0.0.0/16"] } });
        client.post("projects/bench/networks", &body)?;
        let path = format!("projects/bench/networks/{network}");
        let subnet = json!({ "metadata": { "name": "all" }, "spec": { "cidr": "10.0.0.0/20" } });
        client.post(&format!("{path}/subnets"), &subnet)?;
        let nodes = json!({ "metadata": { "name": "node" }, "spec": { "subnet": "all" } });
        let count = format!("{path}/nodes?count={NODES_PER_NETWORK}&wait=applied&timeout=60s");
        client.post(&count, &nodes)?;
    }
    Ok(())
}

/// Adds a node to one network after the other, and takes it away again; in milliseconds, until the hosts have it.
fn change(client: &Client, rounds: u32) -> Result<Vec<f64>> {
    let mut times_ms = Vec::new();
    for round in 0..rounds {
        for number in 0..CHANGES_PER_ROUND {
            let network = (number + usize::try_from(round)? * CHANGES_PER_ROUND) % NETWORKS;
            let path = format!("projects/bench/networks/n{network}/nodes");
            let node = json!({ "metadata": { "name": "timed" }, "spec": { "subnet": "all" } });
            let began = Instant::now();
            client
                .post(&format!("{path}?wait=applied&timeout=20s"), &node)
                .context("add a node")?;
            times_ms.push(began.elapsed().as_secs_f64() * 1e3);
            client.delete(&format!("{path}/timed?wait=applied&timeout=20s"))?;
        }
    }
    Ok(times_ms)
}
