//! From the manager's resources to states, and what is settled where not all of them are good.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::{
    resources::{Resources, batch, changes, config, resources},
    states::{any_state, of, shuffled, with_networks},
};
use inlay_agent::manager::{
    held::{Held, Previous, ResourceKey},
    settle::{Faults, settle},
    state::{AtHome, Built, InForce, build},
};
use inlay_api::{
    HostState, Network, Place,
    raw::{RawNetwork, RawNode, RawSecurityGroup, RawState, RawSubnet},
    wire::agent::{Kind, Node},
};
use proptest::prelude::*;
use prost::Message as _;

fn held(resources: &Resources) -> Held {
    let mut held = Held::default();
    held.apply(batch(1, &changes(&Resources::new(), resources)));
    held
}

fn built(resources: &Resources, raw: &RawState, before: &AtHome) -> Built {
    let (held, instead) = (held(resources), Previous::new());
    let in_force = InForce {
        held: &held,
        instead: &instead,
    };
    build(in_force, &config(raw), before)
}

/// The same with every list in the order of names, which is that of resources.
fn in_order(mut raw: RawState) -> RawState {
    raw.hosts.sort_by(|one, other| one.name.cmp(&other.name));
    raw.networks.sort_by_key(|network| network.vni);
    for network in &mut raw.networks {
        network
            .subnets
            .sort_by(|one, other| one.name.cmp(&other.name));
        network
            .nodes
            .sort_by(|one, other| one.name.cmp(&other.name));
        for node in &mut network.nodes {
            if node.host != raw.host.name {
                node.interface = None;
            }
        }
    }
    if raw.networks.is_empty() {
        raw.hosts.clear();
    }
    raw
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn resources_say_what_the_file_says(raw in any_state(), seed in any::<u64>()) {
        let expected = of(&in_order(raw.clone()));
        let built = built(&resources(&shuffled(raw.clone(), seed)), &raw, &AtHome::new());
        prop_assert!(built.faults.is_empty(), "{:?}", built.faults);
        let state = HostState::from_raw(&built.raw).unwrap();
        prop_assert_eq!(state.host(), expected.host());
        prop_assert_eq!(state.hosts(), expected.hosts());
        for (network, expected) in state.networks().iter().zip(expected.networks()) {
            prop_assert_eq!(&network.name, &expected.name);
            prop_assert_eq!(&network.subnets, &expected.subnets);
            prop_assert_eq!(&network.security_groups.len(), &expected.security_groups.len());
            prop_assert_eq!(network.nodes.len(), expected.nodes.len());
        }
        prop_assert_eq!(state.local_ports().count(), expected.local_ports().count());
        prop_assert_eq!(state.mappings().count(), expected.mappings().count());
    }
}

/// Two networks `main` of two projects; node `a` is here, `b` on host2.
fn two_projects() -> RawState {
    let node = |name: &str, host: &str, last: u32, interface: Option<&str>| RawNode {
        name: name.to_owned(),
        host: host.to_owned(),
        addresses: vec![format!("10.0.1.{last}")],
        mac: format!("02:00:00:00:00:{last:02x}"),
        security_groups: Some(vec!["default".to_owned()]),
        interface: interface.map(str::to_owned),
        ..RawNode::default()
    };
    let network = |project: &str, vni: u64| RawNetwork {
        project: Some(project.to_owned()),
        name: "main".to_owned(),
        vni,
        cidrs: vec!["10.0.0.0/16".to_owned()],
        subnets: vec![RawSubnet {
            name: "front".to_owned(),
            cidr: "10.0.1.0/24".to_owned(),
            ..RawSubnet::default()
        }],
        security_groups: vec![RawSecurityGroup {
            name: "default".to_owned(),
            ..RawSecurityGroup::default()
        }],
        nodes: vec![
            node("a", "host1", 10, Some(&format!("{project}-a"))),
            node("b", "host2", 11, None),
        ],
        ..RawNetwork::default()
    };
    with_networks(vec![network("acme", 100), network("globex", 200)])
}

#[test]
fn projects_may_have_networks_of_one_name() {
    let raw = two_projects();
    let state = of(&raw);
    let names: Vec<_> = state.networks().iter().map(Network::full_name).collect();
    assert_eq!(names, ["acme/main", "globex/main"]);
    let mut same = raw;
    same.networks[1].project = Some("acme".to_owned());
    let refusal = HostState::from_raw(&same).unwrap_err().to_string();
    assert!(
        refusal.contains("acme/main\" is there already"),
        "{refusal}"
    );
}

fn node_key(name: &str) -> ResourceKey {
    ResourceKey::new(100, Kind::Node, name)
}

/// `resources` with the node `a` of the first network on `host`.
fn moved(resources: &Resources, host: &str) -> Resources {
    let mut resources = resources.clone();
    let value = resources.get_mut(&node_key("a")).unwrap();
    let mut node = Node::decode(value.clone()).unwrap();
    host.clone_into(&mut node.host);
    *value = node.encode_to_vec().into();
    resources
}

#[test]
fn a_node_that_is_about_to_come_has_a_port_and_its_mapping_leads_away() {
    let raw = two_projects();
    let built = built(&moved(&resources(&raw), "host2"), &raw, &AtHome::new());
    let state = HostState::from_raw(&built.raw).unwrap();
    let node = &state.networks()[0].nodes[0];
    assert!(matches!(node.place, Place::Remote(_)));
    assert_eq!(node.local_port().unwrap().interface.as_str(), "acme-a");
    assert_eq!(state.local_ports().count(), 2);
    let prefix = state.prefix_of(node).to_string();
    assert_eq!(prefix, "2001:db8:0:2::/64");
    assert!(!built.at_home.contains_key(&(100, "a".to_owned())));
}

#[test]
fn a_node_that_left_stays_until_its_attachment_goes() {
    let raw = two_projects();
    let before = built(&resources(&raw), &raw, &AtHome::new()).at_home;
    let left = moved(&resources(&raw), "host2");
    let after = built(&left, &raw, &before);
    let state = HostState::from_raw(&after.raw).unwrap();
    assert!(state.is_local(&state.networks()[0].nodes[0]));
    assert_eq!(after.at_home, before);
    // Without it, it is gone.
    let mut gone = left.clone();
    let key = ResourceKey::new(0, Kind::Attachment, "acme/main/a");
    gone.remove(&key).unwrap();
    let last = built(&gone, &raw, &before);
    let state = HostState::from_raw(&last.raw).unwrap();
    assert!(!state.is_local(&state.networks()[0].nodes[0]));
    assert_eq!(state.local_ports().count(), 1);
    // One of another node of the name does not bring it back.
    let mut stranger = inlay_api::wire::agent::Attachment::decode(left[&key].clone()).unwrap();
    stranger.uid = "another".to_owned();
    let mut other = left.clone();
    other.insert(key, stranger.encode_to_vec().into());
    let state = HostState::from_raw(&built(&other, &raw, &before).raw).unwrap();
    assert!(!state.is_local(&state.networks()[0].nodes[0]));
}

#[test]
fn without_settings_there_is_no_state() {
    let raw = two_projects();
    let mut resources = resources(&raw);
    resources.remove(&ResourceKey::new(0, Kind::HostSettings, ""));
    let built = built(&resources, &raw, &AtHome::new());
    assert_eq!(built.faults.len(), 1);
    assert_eq!(built.faults[0].0.id.kind, Kind::HostSettings);
}

/// A test of states that refuses those with any of `bad` in force, naming them only if `names`.
fn test_of(
    all: &Previous,
    bad: &[ResourceKey],
    names: bool,
) -> impl FnMut(&Previous) -> Result<usize, Faults> {
    let (all, bad) = (all.len(), bad.to_vec());
    move |instead| {
        let found: Vec<_> = bad
            .iter()
            .filter(|key| !instead.contains_key(*key))
            .collect();
        let Some(first) = found.first() else {
            return Ok(all - instead.len());
        };
        Err(Faults {
            guilty: if names {
                vec![((*first).clone(), "bad".to_owned())]
            } else {
                Vec::new()
            },
            told: "bad".to_owned(),
        })
    }
}

fn many() -> Previous {
    let keys = (0..1000).map(|number| node_key(&number.to_string()));
    keys.map(|key| (key, None)).collect()
}

#[test]
fn the_guilty_are_put_back_and_nothing_else() {
    let all = many();
    let bad = [node_key("3"), node_key("500"), node_key("999")];
    for names in [true, false] {
        let settled = settle(&all, test_of(&all, &bad, names)).unwrap();
        let rejected: BTreeMap<_, _> = bad
            .iter()
            .map(|it| (it.clone(), "bad".to_owned()))
            .collect();
        assert_eq!(settled.rejections, rejected, "{names}");
        assert_eq!(settled.state, 997);
    }
}

#[test]
fn too_many_unnamed_guilty_are_put_back_with_the_rest() {
    let all = many();
    let bad: Vec<_> = (100..200).map(|it| node_key(&it.to_string())).collect();
    let settled = settle(&all, test_of(&all, &bad, false)).unwrap();
    for key in &bad {
        assert!(settled.instead.contains_key(key));
    }
    assert!(!settled.instead.contains_key(&node_key("0")));
}

#[test]
fn what_never_passes_is_refused_whole() {
    let all = many();
    let refuse = |_: &Previous| {
        Err::<(), _>(Faults {
            guilty: vec![(node_key("of another change"), "bad".to_owned())],
            told: "bad".to_owned(),
        })
    };
    assert_eq!(settle(&all, refuse).unwrap_err().told, "bad");
}
