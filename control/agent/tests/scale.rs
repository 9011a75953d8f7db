//! What an update costs on a host of many mappings, from its arrival until the maps hold it, in time of a
//! processor. Run it with
//! `cargo test --release -p inlay-agent --test scale -- --nocapture`.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use common::{
    fake_backend::FakeBackend,
    fake_host::FakeHost,
    interfaces,
    resources::{Resources, batch, changes, config, resources},
    states::with_networks,
    temporary::Directory,
};
use inlay_agent::{
    Agent,
    manager::{
        held::{Held, Previous, ResourceKey},
        session::Session,
        state::{AtHome, InForce, build},
    },
    reconcile::reconcile,
    run_directory::RunDirectory,
};
use inlay_api::{
    HostState,
    raw::{RawNetwork, RawNode, RawRule, RawSecurityGroup, RawState, RawSubnet},
    wire::agent::Kind,
};

/// Updates that are measured.
const UPDATES: u32 = 20;

/// One network with so many nodes, ten of them here.
fn state(nodes: u32) -> RawState {
    let node = |number: u32| RawNode {
        name: format!("node-{number}"),
        host: format!("host{}", if number < 10 { 1 } else { 2 + number % 2 }),
        addresses: vec![std::net::Ipv4Addr::from_bits(0x0a00_0010 + number).to_string()],
        mac: format!(
            "02:00:00:{:02x}:{:02x}:{:02x}",
            number >> 16,
            (number >> 8) & 0xff,
            number & 0xff
        ),
        security_groups: Some(vec!["default".to_owned()]),
        interface: (number < 10).then(|| format!("port-{number}")),
        ..RawNode::default()
    };
    with_networks(vec![RawNetwork {
        project: Some("acme".to_owned()),
        name: "main".to_owned(),
        vni: 100,
        cidrs: vec!["10.0.0.0/8".to_owned()],
        subnets: vec![RawSubnet {
            name: "front".to_owned(),
            cidr: "10.0.0.0/8".to_owned(),
            ..RawSubnet::default()
        }],
        security_groups: vec![RawSecurityGroup {
            name: "default".to_owned(),
            inbound: vec![RawRule {
                protocol: "all".to_owned(),
                peer: "group:default".to_owned(),
                ..RawRule::default()
            }],
            ..RawSecurityGroup::default()
        }],
        nodes: (0..nodes).map(node).collect(),
        ..RawNetwork::default()
    }])
}

/// What this thread used of a processor: what others do on the machine does not count.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}

fn measured<T>(what: &str, times: u32, mut work: impl FnMut() -> T) -> T {
    let mut all: Vec<Duration> = Vec::new();
    let mut last = None;
    for _ in 0..times {
        let began = cpu_time();
        last = Some(work());
        all.push(cpu_time().saturating_sub(began));
    }
    all.sort_unstable();
    println!("  {what:<24} median {:?}", all[all.len() / 2]);
    last.unwrap()
}

/// The steps one by one.
fn steps(raw: &RawState, sent: &Resources) {
    let mut held = Held::default();
    held.apply(batch(1, &changes(&Resources::new(), sent)));
    let instead = Previous::new();
    let in_force = InForce {
        held: &held,
        instead: &instead,
    };
    let built = measured("resources to raw state", 5, || {
        build(in_force, &config(raw), &AtHome::new())
    });
    let state = measured("validation", 5, || HostState::from_raw(&built.raw).unwrap());
    let here = common::all_interfaces(&state);
    let first = reconcile(
        &state,
        &here,
        &inlay_dataplane::image::Image::default(),
        &[],
    )
    .unwrap();
    measured("compile and compare", 5, || {
        reconcile(&state, &here, &first.image, &[]).unwrap()
    });
}

/// One node more, and one less, again and again.
fn updates(raw: &RawState, sent: &Resources) -> Duration {
    let (host, directory) = (FakeHost::default(), Directory::make());
    host.machine().interfaces = interfaces(["up0", "up1"]);
    let agent = Agent::open(host.clone(), RunDirectory::open(directory.path()).unwrap()).unwrap();
    let backend = FakeBackend::of(&host);
    let mut session = Session::new(agent, backend, config(raw), "boot".to_owned());
    let all = batch(1, &changes(&Resources::new(), sent));
    session.take(vec![all], Instant::now()).unwrap();
    let mut less = sent.clone();
    less.remove(&ResourceKey::new(100, Kind::Node, "node-15"))
        .unwrap();
    let mut slowest = Duration::ZERO;
    let mut all = Vec::new();
    for number in 0..UPDATES {
        let (before, after) = if number % 2 == 0 {
            (sent, &less)
        } else {
            (&less, sent)
        };
        let change = batch(u64::from(number) + 2, &changes(before, after));
        let began = cpu_time();
        session.take(vec![change], Instant::now()).unwrap();
        let took = cpu_time().saturating_sub(began);
        all.push(took);
        slowest = slowest.max(took);
        let expected = after.keys().filter(|key| key.id.kind == Kind::Node).count();
        assert_eq!(host.machine().image.mappings.len(), expected);
    }
    all.sort_unstable();
    println!(
        "  update: median {:?}, slowest {slowest:?}",
        all[all.len() / 2]
    );
    all[all.len() / 2]
}

/// Without optimization everything takes some ten times longer, which is what the bounds allow for.
#[test]
fn an_update_costs_milliseconds() {
    for (nodes, most_ms) in [(4_000, 250), (60_000, 5_000)] {
        let raw = state(nodes);
        let sent = resources(&raw);
        println!("{nodes} mappings:");
        steps(&raw, &sent);
        let median = updates(&raw, &sent);
        assert!(median < Duration::from_millis(most_ms), "{median:?}");
    }
}
