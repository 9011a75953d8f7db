//! Agents whose link loses, and many agents at once: all of them come to hold what they should.

#![allow(clippy::unwrap_used)]

mod fleet;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use fleet::{
    agent::{Agent, Behaviour},
    objects::{group, network_with_parts, node},
    proxy::{Proxy, pass},
    scene::{Manager, Scene},
};
use inlay_api::wire::Follower;
use inlay_manager::{agents::Settings, hosts::Hosts as _};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rustls::ClientConfig;

/// How long the link loses.
const BAD_TIME: Duration = Duration::from_secs(3);

/// One that changes networks all the time, while hosts follow over links that lose.
async fn lossy(seed: u64) {
    let scene = Scene::new().await;
    scene.put(network_with_parts("main", 7)).await;
    scene.put(network_with_parts("other", 8)).await;
    let mut random = StdRng::seed_from_u64(seed);
    let mut agents = Vec::new();
    for number in 1..=3 {
        let config = scene.joined(number).await;
        let proxy = Proxy::new(scene.manager.address, seed + u64::from(number)).await;
        let agent = Agent::start(proxy.address, config, Follower::default());
        agents.push((format!("h{number}"), agent, proxy));
    }
    let end = Instant::now() + BAD_TIME;
    while Instant::now() < end {
        let network = ["main", "other"][random.random_range(0..2)];
        let (number, at) = (random.random_range(1..40), random.random_range(1..=3));
        match random.random_range(0..10) {
            0 => {
                scene
                    .put([group(network, "web", random.random_range(1..100))])
                    .await
            }
            1..=3 => {
                let key = node(network, number, at).0;
                scene
                    .commit(vec![inlay_manager::store::Operation::Delete(key)])
                    .await
            }
            _ => scene.put([node(network, number, at)]).await,
        };
        pass(Duration::from_millis(random.random_range(0..20))).await;
    }
    for (host, agent, proxy) in &agents {
        proxy.is_bad.store(false, Ordering::Relaxed);
        scene.manager.converges(host, agent).await;
    }
    let links = agents
        .iter()
        .map(|(_, _, proxy)| proxy.connections.load(Ordering::Relaxed));
    assert!(
        links.sum::<usize>() > agents.len(),
        "seed {seed}: nothing was lost"
    );
    let revision = scene
        .put([group("main", "web", 7), group("other", "web", 7)])
        .await;
    scene.manager.applied(revision).await;
    for (host, agent, _) in &agents {
        assert!(scene.manager.agrees(host, agent), "seed {seed}, {host}");
    }
    let mismatches = scene.manager.fleet.metrics().digest_mismatches.get();
    assert_eq!(
        mismatches, 0,
        "seed {seed}: what breaks off leaves nothing wrong behind"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_link_loses_hosts_come_to_hold_what_they_should() {
    let runs = (0..4).map(|run| tokio::spawn(lossy(1_000 * run)));
    for run in runs.collect::<Vec<_>>() {
        run.await.unwrap();
    }
}

/// Agents of the test below, and nodes of each.
const MANY: u32 = if cfg!(debug_assertions) { 100 } else { 500 };
const NODES: u32 = 2;

/// An agent whose times are those of real ones, so that a slow machine makes none of them try again.
fn patient(address: SocketAddr, config: &Arc<ClientConfig>, held: Follower) -> Agent {
    let behaviour = Behaviour {
        is_patient: true,
        ..Behaviour::default()
    };
    Agent::start_with(address, Arc::clone(config), held, behaviour)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_hosts_come_back_at_once() {
    let mut scene = Scene::with(Settings::default()).await;
    scene.put(network_with_parts("main", 7)).await;
    let mut configs = Vec::new();
    for number in 1..=MANY {
        scene.add_host(number).await;
        configs.push(scene.joined_quickly(number).await);
    }
    let nodes = (1..=NODES * MANY).map(|number| node("main", number, number % MANY + 1));
    let revision = scene.put(nodes).await;
    // All of them at once, with nothing: the network is encoded once.
    let begin = Instant::now();
    let address = scene.manager.address;
    let start = |config: &Arc<_>| patient(address, config, Follower::default());
    let agents: Vec<_> = configs.iter().map(start).collect();
    scene.manager.applied(revision).await;
    println!("{MANY} hosts with nothing: {:?}", begin.elapsed());
    assert_eq!(scene.manager.world.snapshots_built(), 1);
    // And one change reaches all.
    let begin = Instant::now();
    let revision = scene
        .put([node("main", 1, 1), group("main", "web", 80)])
        .await;
    scene.manager.applied(revision).await;
    println!("one change to {MANY} hosts: {:?}", begin.elapsed());
    // All of them at once after the manager is back, with everything.
    let held: Vec<_> = agents.iter().map(Agent::follower).collect();
    drop(agents);
    scene.manager = Manager::start(&scene.store, &scene.trust, Settings::default()).await;
    let begin = Instant::now();
    let address = scene.manager.address;
    let agents = configs.iter().zip(held);
    let agents: Vec<_> = agents
        .map(|(config, held)| patient(address, config, held))
        .collect();
    scene.manager.applied(1).await;
    let in_step = |number: &u32| {
        let view = scene.manager.fleet.host(&format!("h{number}"));
        view.applied_revision >= view.desired_revision
    };
    assert!((1..=MANY).all(|number| in_step(&number)));
    println!("{MANY} hosts with everything: {:?}", begin.elapsed());
    assert_eq!(scene.manager.world.snapshots_built(), 0);
    drop(agents);
}
