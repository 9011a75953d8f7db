//! The compiler: networks in, what each host must hold out; and that every way to it leads to the same.

#![allow(clippy::unwrap_used)]

mod fleet;

use std::{collections::BTreeMap, sync::Arc};

use fleet::{
    bring_up, commit,
    memory::MemoryStore,
    objects::{acl, group, host, network, network_with_parts, node, route_table, subnet, write},
    puts,
};
use inlay_api::wire::{
    Digest, Follower, ResourceId,
    agent::{self, Kind},
    resource_digest,
};
use inlay_manager::{
    store::{Store, Transaction},
    world::World,
};
use proptest::prelude::*;
use prost::Message;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

/// What a host that has nothing is given.
async fn all(world: &Arc<World>, host: &str) -> Follower {
    let mut follower = Follower::default();
    bring_up(world, host, &mut follower).await;
    check_digests(world, host, &follower);
    follower
}

/// The states are what the world says, and the digests those of the resources.
fn check_digests(world: &World, host: &str, follower: &Follower) {
    let mut expected = world.scopes(host);
    expected.sort_unstable_by_key(|state| state.vni);
    assert_eq!(follower.states(), expected, "{host}");
    for (vni, scope) in follower.scopes() {
        let mut sum = Digest::default();
        for (id, value) in &scope.resources {
            sum += resource_digest(id, value);
        }
        assert_eq!(sum, scope.digest, "{host} {vni}");
        assert_eq!(world.resources(host, *vni), scope.resources.len());
    }
}

/// Scopes and resources, as `VNI KIND KEY`.
fn listing(follower: &Follower) -> Vec<String> {
    let of_scope = |(vni, scope): (&u32, &inlay_api::wire::HeldScope)| {
        let line = |id: &ResourceId| {
            format!("{vni} {:?} {}", id.kind, id.key)
                .trim_end()
                .to_owned()
        };
        scope.resources.keys().map(line).collect::<Vec<_>>()
    };
    follower.scopes().iter().flat_map(of_scope).collect()
}

fn resource<M: Message + Default>(follower: &Follower, vni: u32, kind: Kind, key: &str) -> M {
    let id = ResourceId {
        kind,
        key: key.into(),
    };
    let value = &follower.scopes()[&vni].resources[&id];
    M::decode(value.clone()).unwrap()
}

fn world_of(commits: &[inlay_manager::store::Commit]) -> Arc<World> {
    let world = World::new("epoch".into());
    for commit in commits {
        world.commit(commit);
    }
    Arc::new(world)
}

/// Three hosts; network 7 with nodes on h1 and h2, network 8 with one on h2.
fn example() -> Vec<inlay_manager::store::Commit> {
    vec![
        puts(1, (1..=3).map(host)),
        puts(2, network_with_parts("main", 7)),
        puts(3, network_with_parts("other", 8)),
        puts(
            4,
            [node("main", 1, 1), node("main", 2, 2), node("other", 1, 2)],
        ),
    ]
}

#[tokio::test]
async fn each_host_is_told_of_its_networks_and_of_no_other() {
    let world = world_of(&example());
    let main = |vni| {
        [
            "Network",
            "Subnet a",
            "SecurityGroup default",
            "Acl default",
        ]
        .map(|text| format!("{vni} {text}"))
    };
    let h1 = listing(&all(&world, "h1").await);
    let mut expected = vec!["0 HostSettings".into(), "0 Attachment 7/n1".into()];
    let [network, subnet, group, acl] = main(7);
    expected.extend([
        network,
        "7 Host h1".into(),
        "7 Host h2".into(),
        subnet,
        group,
        acl,
    ]);
    expected.extend(["7 Node n1".into(), "7 Node n2".into()]);
    assert_eq!(h1, expected);
    let h2 = listing(&all(&world, "h2").await);
    assert!(h2.contains(&"0 Attachment 7/n2".into()) && h2.contains(&"0 Attachment 8/n1".into()));
    assert!(h2.contains(&"8 Host h2".into()) && !h2.contains(&"8 Host h1".into()));
    assert!(!h2.contains(&"0 Attachment 7/n1".into()));
    assert_eq!(listing(&all(&world, "h3").await), ["0 HostSettings"]);
    assert_eq!(world.subscribers(7), ["h1".into(), "h2".into()]);
    assert_eq!(world.subscribers(8), ["h2".into()]);
    assert!(world.subscribers(9).is_empty());
}

#[tokio::test]
async fn values_say_what_the_objects_say() {
    let world = world_of(&example());
    let held = all(&world, "h2").await;
    let settings: agent::HostSettings = resource(&held, 0, Kind::HostSettings, "");
    assert_eq!(
        (&*settings.prefix, settings.flows_per_port),
        ("2001:db8:0:2::/64", 2048)
    );
    let attachment: agent::Attachment = resource(&held, 0, Kind::Attachment, "7/n2");
    let expected = agent::Attachment {
        project: "acme".into(),
        network: "main".into(),
        node: "n2".into(),
        vni: 7,
        uid: "0198c0de-0000-7000-8000-000000000002".into(),
        backend: agent::Backend::Netns.into(),
        interface: "inl2".into(),
        addresses: vec![0x0a00_0012],
        prefix_len: 9,
        gateway: 0x0a00_0001,
        mac: vec![2, 0, 0, 0, 0, 2],
        dns_servers: vec![0x0a00_0035],
        dns_domain: "acme.test".into(),
        flows_max: 0,
        new_flows_per_s: 0,
    };
    assert_eq!(attachment, expected);
    let node: agent::Node = resource(&held, 7, Kind::Node, "n1");
    assert_eq!(
        (&*node.host, &*node.security_groups),
        ("h1", &["default".to_owned()][..])
    );
    let subnet: agent::Subnet = resource(&held, 7, Kind::Subnet, "a");
    assert_eq!((&*subnet.acl, &*subnet.route_table), ("default", ""));
    assert_eq!(
        (&*subnet.cidr, &*subnet.gateway),
        ("10.0.0.0/9", "10.0.0.1")
    );
    let host: agent::Host = resource(&held, 7, Kind::Host, "h1");
    assert_eq!(host.prefix, "2001:db8:0:1::/64");
    let acl: agent::Acl = resource(&held, 7, Kind::Acl, "default");
    let entry = &acl.inbound[0];
    assert_eq!(
        (entry.number, entry.icmp_type, entry.icmp_code),
        (100, Some(8), None)
    );
    let group: agent::SecurityGroup = resource(&held, 7, Kind::SecurityGroup, "default");
    assert_eq!(
        (&*group.inbound[0].ports, &*group.inbound[0].peer),
        ("22", "10.0.0.0/8")
    );
}

#[tokio::test]
async fn a_move_prepares_the_next_host_and_keeps_the_former_one() {
    let world = world_of(&example());
    let moving = |host: u32, next: &str, former: &str| {
        let (key, mut object) = node("main", 1, host);
        object["status"]["next_host"] = next.into();
        object["status"]["former_host"] = former.into();
        (key, object)
    };
    let mut h3 = all(&world, "h3").await;
    world.commit(&puts(5, [moving(1, "h3", "")]));
    assert_eq!(
        world.concerned(5).unwrap(),
        ["h3".into()],
        "nobody else sees a difference"
    );
    bring_up(&world, "h3", &mut h3).await;
    assert!(listing(&h3).contains(&"0 Attachment 7/n1".into()));
    assert_eq!(resource::<agent::Node>(&h3, 7, Kind::Node, "n1").host, "h1");
    assert_eq!(world.moving().len(), 1);

    world.commit(&puts(6, [moving(3, "", "h1")]));
    assert_eq!(
        world.concerned(6).unwrap(),
        ["h1".into(), "h2".into(), "h3".into()]
    );
    let h1 = all(&world, "h1").await;
    assert!(listing(&h1).contains(&"0 Attachment 7/n1".into()));
    assert_eq!(resource::<agent::Node>(&h1, 7, Kind::Node, "n1").host, "h3");
    assert!(
        !listing(&h1).contains(&"7 Host h1".into()),
        "it has no node left"
    );

    world.commit(&puts(7, [moving(3, "", "")]));
    assert_eq!(world.concerned(7).unwrap(), ["h1".into()]);
    assert_eq!(listing(&all(&world, "h1").await), ["0 HostSettings"]);
    assert!(world.moving().is_empty());
}

#[tokio::test]
async fn what_does_not_concern_a_host_does_not_reach_it() {
    let world = world_of(&example());
    let mut h1 = all(&world, "h1").await;
    world.commit(&puts(5, [node("other", 2, 2)]));
    world.commit(&puts(6, [group("other", "default", 80)]));
    world.commit(&commit(
        7,
        vec![("tokens/ab".into(), None), ("audit/7".into(), None)],
    ));
    assert_eq!(world.concerned(5).unwrap(), ["h2".into()]);
    assert_eq!(world.concerned(6).unwrap(), ["h2".into()]);
    assert!(world.concerned(7).unwrap().is_empty());
    let before = h1.states();
    assert_eq!(bring_up(&world, "h1", &mut h1).await, Some(vec![]));
    assert_eq!(h1.states(), before);
    world.commit(&puts(8, [group("main", "default", 80)]));
    assert_eq!(world.concerned(8).unwrap(), ["h1".into(), "h2".into()]);
    assert!(world.changed_by(8, "h1", (7, Kind::SecurityGroup, "default")));
    assert!(!world.changed_by(8, "h1", (7, Kind::Node, "n1")));
    bring_up(&world, "h1", &mut h1).await;
    let group: agent::SecurityGroup = resource(&h1, 7, Kind::SecurityGroup, "default");
    assert_eq!(group.inbound[0].ports, "80");
}

#[tokio::test]
async fn what_is_deleted_is_gone_everywhere() {
    let world = world_of(&example());
    let mut h2 = all(&world, "h2").await;
    let delete = |(key, _): (String, serde_json::Value)| (key, None);
    world.commit(&commit(5, vec![delete(node("main", 2, 2))]));
    bring_up(&world, "h2", &mut h2).await;
    assert!(!h2.scopes().contains_key(&7) && h2.scopes().contains_key(&8));
    let rest = vec![
        network("other", 8),
        subnet("other", "a"),
        group("other", "default", 1),
    ];
    let mut rest: Vec<_> = rest.into_iter().map(delete).collect();
    rest.extend([delete(acl("other", "default")), delete(node("other", 1, 2))]);
    world.commit(&commit(6, rest));
    bring_up(&world, "h2", &mut h2).await;
    check_digests(&world, "h2", &h2);
    assert_eq!(listing(&h2), ["0 HostSettings"]);
    world.commit(&commit(7, vec![delete(host(2))]));
    assert_eq!(bring_up(&world, "h2", &mut h2).await, None);
    assert!(!world.has_host("h2") && world.has_host("h1"));
}

#[tokio::test]
async fn objects_that_make_no_sense_are_left_out() {
    let world = world_of(&example());
    let (key, mut node_without_mac) = node("main", 3, 1);
    node_without_mac["status"]["mac"] = "x".into();
    let mut bad = vec![(key, node_without_mac)];
    for key in [
        "host/h9",
        "network/acme/bad",
        "subnet/acme/main/b",
        "node/acme/main/n4",
        "acl/x",
        "what/ever",
    ] {
        bad.push((format!("objects/{key}"), serde_json::json!({ "spec": 7 })));
    }
    // The number of another network.
    bad.push(network("thief", 7));
    bad.push(node("thief", 5, 3));
    let before = listing(&all(&world, "h1").await);
    world.commit(&puts(5, bad));
    assert_eq!(listing(&all(&world, "h1").await), before);
    assert_eq!(listing(&all(&world, "h3").await), ["0 HostSettings"]);
    // One that made sense and does not any more is gone; the number is the thief's when its owner is gone.
    let (key, _) = node("main", 1, 1);
    world.commit(&puts(6, [(key, serde_json::json!({}))]));
    assert!(!listing(&all(&world, "h2").await).contains(&"7 Node n1".into()));
    world.commit(&commit(7, vec![(network("main", 7).0, None)]));
    world.commit(&puts(8, [subnet("thief", "a")]));
    assert!(listing(&all(&world, "h3").await).contains(&"0 Attachment 7/n5".into()));
    assert!(!listing(&all(&world, "h2").await).contains(&"7 Node n2".into()));
}

#[tokio::test]
async fn a_subnet_that_comes_late_attaches_its_nodes() {
    let world = world_of(&[puts(1, [node("main", 1, 1)]), puts(2, [network("main", 7)])]);
    world.commit(&puts(3, [host(1)]));
    let h1 = all(&world, "h1").await;
    assert_eq!(
        listing(&h1),
        ["0 HostSettings", "7 Network", "7 Host h1", "7 Node n1"]
    );
    world.commit(&puts(4, [subnet("main", "a")]));
    assert!(listing(&all(&world, "h1").await).contains(&"0 Attachment 7/n1".into()));
    let (key, mut changed) = network("main", 7);
    changed["spec"]["dns_domain"] = "changed.test".into();
    world.commit(&puts(5, [(key, changed)]));
    let attachment: agent::Attachment =
        resource(&all(&world, "h1").await, 0, Kind::Attachment, "7/n1");
    assert_eq!(attachment.dns_domain, "changed.test");
}

#[tokio::test]
async fn a_log_that_overflows_replaces_the_scope_and_no_other() {
    let world = world_of(&example());
    let mut few = all(&world, "h1").await;
    let mut many = few.clone();
    world.commit(&puts(5, (10..20).map(|number| node("main", number, 2))));
    assert_eq!(bring_up(&world, "h1", &mut few).await, Some(vec![]));
    world.commit(&puts(6, (20..1_100).map(|number| node("main", number, 2))));
    assert_eq!(bring_up(&world, "h1", &mut few).await, Some(vec![7]));
    assert_eq!(bring_up(&world, "h1", &mut many).await, Some(vec![7]));
    assert_eq!(
        world.snapshots_built(),
        2,
        "that of the start, and one for both"
    );
    check_digests(&world, "h1", &few);
    assert_eq!(listing(&few), listing(&many));
    // The log of a large scope is longer.
    world.commit(&puts(
        7,
        (1_100..9_000).map(|number| node("main", number, 2)),
    ));
    bring_up(&world, "h1", &mut few).await;
    world.commit(&puts(
        8,
        (9_000..11_000).map(|number| node("main", number, 2)),
    ));
    assert_eq!(bring_up(&world, "h1", &mut few).await, Some(vec![]));
    check_digests(&world, "h1", &few);
}

#[tokio::test]
async fn an_older_snapshot_serves_while_the_log_reaches_back_to_it() {
    let world = world_of(&example());
    all(&world, "h1").await;
    world.commit(&puts(5, [node("main", 9, 2), group("main", "web", 80)]));
    let late = all(&world, "h1").await;
    assert_eq!(world.snapshots_built(), 1);
    assert!(listing(&late).contains(&"7 Node n9".into()));
}

#[tokio::test]
async fn a_loaded_world_is_the_one_that_was_followed() {
    let store = MemoryStore::new("epoch");
    for commit in example() {
        let changes = commit.changes.iter();
        let operations = changes.map(|change| {
            let value = serde_json::from_slice(change.value.as_ref().unwrap()).unwrap();
            write((change.key.to_string(), value))
        });
        let transaction = Transaction {
            operations: operations.collect(),
            ..Transaction::default()
        };
        store.commit(transaction).await.unwrap();
    }
    let followed = world_of(&example());
    let loaded = Arc::new(World::load(&store).await.unwrap());
    assert_eq!(loaded.revision(), 4);
    let digests = |world: &World, host| {
        let scopes = world.scopes(host).into_iter();
        scopes
            .map(|state| (state.vni, state.digest))
            .collect::<Vec<_>>()
    };
    for host in ["h1", "h2", "h3"] {
        assert_eq!(digests(&loaded, host), digests(&followed, host));
        // Whoever followed the one is up to date with the other, though it has no log.
        let mut held = all(&followed, host).await;
        assert_eq!(bring_up(&loaded, host, &mut held).await, Some(vec![]));
    }
    assert_eq!(loaded.concerned(2), None, "nobody knows");
}

/// A step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Put(String, serde_json::Value),
    Delete(String),
}

fn step() -> impl Strategy<Value = Step> {
    let name = prop_oneof![Just("main"), Just("other")];
    let vni = |name: &str| if name == "main" { 7 } else { 8 };
    let object =
        (name, 1..6_u32, 1..4_u32, 0..12_u32).prop_map(
            move |(name, number, at, what)| match what {
                0 => host(at),
                1 => network(name, vni(name)),
                2 => subnet(name, "a"),
                3 => group(name, "default", u16::try_from(number).unwrap()),
                4 => acl(name, &format!("l{number}")),
                5 => route_table(name, "t"),
                6..=8 => {
                    let (key, mut object) = node(name, number, at);
                    if what == 8 {
                        object["status"]["next_host"] = format!("h{}", number % 3 + 1).into();
                    }
                    (key, object)
                }
                9 => (
                    node(name, number, at).0,
                    serde_json::json!({ "broken": true }),
                ),
                _ => node(name, number, at),
            },
        );
    (object, prop::bool::weighted(0.3)).prop_map(|((key, value), delete)| {
        if delete {
            Step::Delete(key)
        } else {
            Step::Put(key, value)
        }
    })
}

fn apply(world: &World, revision: u64, steps: &[Step]) {
    // A key occurs once in a transaction: the last one counts.
    let changes: BTreeMap<_, _> = steps
        .iter()
        .map(|step| match step {
            Step::Put(key, value) => (key.clone(), Some(value.clone())),
            Step::Delete(key) => (key.clone(), None),
        })
        .collect();
    world.commit(&commit(revision, changes.into_iter().collect()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// From wherever a host begins, what it is sent leads to what a new one is sent.
    #[test]
    fn every_start_leads_to_the_same(
        history in prop::collection::vec(prop::collection::vec(step(), 1..6), 1..25),
        stops in prop::collection::vec(0..25_usize, 1..4),
        lies in prop::collection::vec((0..3_u32, any::<u64>(), 1..u64::MAX), 0..3),
    ) {
        runtime().block_on(async {
            let world = Arc::new(World::new("epoch".into()));
            let mut followers = vec![Follower::default(); 3];
            for (index, steps) in history.iter().enumerate() {
                apply(&world, index as u64 + 1, steps);
                if stops.contains(&index) {
                    for (number, follower) in followers.iter_mut().enumerate() {
                        let host = format!("h{}", number + 1);
                        bring_up(&world, &host, follower).await;
                    }
                }
            }
            for (number, follower) in followers.iter_mut().enumerate() {
                let host = format!("h{}", number + 1);
                if !world.has_host(&host) {
                    continue;
                }
                bring_up(&world, &host, follower).await;
                check_digests(&world, &host, follower);
                let new = all(&world, &host).await;
                prop_assert_eq!(follower.scopes(), new.scopes());
                // States that never were are replaced, or dropped.
                for (vni, revision, digest) in &lies {
                    let mut held: BTreeMap<_, _> = new.states().into_iter().map(|s| (s.vni, s)).collect();
                    let vni = [0, 7, 8][*vni as usize];
                    held.insert(vni, agent::ScopeState { vni, revision: *revision, digest: *digest });
                    let mut snapshots = BTreeMap::new();
                    if let Some(snapshot) = world.snapshot(vni).await {
                        snapshots.insert(vni, snapshot);
                    }
                    let inlay_manager::world::Planned::Ready(plan) = world.plan(&host, &held, &snapshots) else {
                        panic!("it has all snapshots");
                    };
                    prop_assert!(plan.replaced.contains(&vni) || plan.dropped.contains(&vni));
                }
            }
            Ok(())
        })?;
    }

    /// The order in which objects come does not matter.
    #[test]
    fn order_does_not_matter(
        objects in prop::collection::btree_map(any::<u8>(), step(), 1..40),
        shuffled in prop::collection::vec(any::<prop::sample::Index>(), 40),
    ) {
        let puts: BTreeMap<_, _> = objects.into_values().filter_map(|step| match step {
            Step::Put(key, value) => Some((key, value)),
            Step::Delete(_) => None,
        }).collect();
        let mut other: Vec<_> = puts.clone().into_iter().collect();
        for (index, to) in (0..other.len()).zip(&shuffled) {
            let to = to.index(other.len());
            other.swap(index, to);
        }
        let digests = |objects: Vec<(String, serde_json::Value)>| {
            let world = World::new("epoch".into());
            for (index, object) in objects.into_iter().enumerate() {
                world.commit(&fleet::puts(index as u64 + 1, [object]));
            }
            ["h1", "h2", "h3"].map(|host| {
                let mut states: Vec<_> = world.scopes(host).into_iter().map(|s| (s.vni, s.digest)).collect();
                states.sort_unstable();
                states
            })
        };
        prop_assert_eq!(digests(puts.into_iter().collect()), digests(other));
    }
}
