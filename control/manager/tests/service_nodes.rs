//! Nodes: placed, addressed, moved, given up; and what is known of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod service_support;

use std::collections::BTreeSet;
use std::sync::Arc;

use inlay_api::objects::{HostCondition, Kind, Quota};
use inlay_manager::hosts::HostView;
use inlay_manager::keys;
use inlay_manager::service::{Action, Mutation};
use inlay_manager::store::{Condition, Operation, Transaction};
use serde_json::{Value, json};
use service_support::*;

fn front() -> Value {
    json!({"subnet": "front"})
}

fn host(node: &Value) -> &str {
    node["status"]["host"].as_str().unwrap()
}

fn address(node: &Value) -> &str {
    node["status"]["addresses"][0].as_str().unwrap()
}

#[tokio::test]
async fn a_node_is_given_host_address_mac_and_interface() {
    let world = World::furnished().await;
    let node = world.made(Kind::Node, "acme/main/web", &front()).await;
    assert_eq!(host(&node), "a");
    assert_eq!(address(&node), "10.0.1.2");
    assert_eq!(node["status"]["mac"], "0a:58:0a:00:01:02");
    let interface = node["status"]["interface"].as_str().unwrap();
    assert!(
        interface.starts_with("in") && interface.len() == 14,
        "{interface}"
    );
    let port = world.read(Kind::Port, "acme/main/web").await;
    assert_eq!(port["kind"], "port");
    assert_eq!(port["status"]["interface"], *interface);
    assert_eq!(port["spec"]["security_groups"], json!(["default"]));
    assert_eq!(names(&world.list(Kind::Port, "acme/main").await), ["web"]);
}

#[tokio::test]
async fn many_nodes_are_spread_and_each_has_its_own() {
    let world = World::furnished().await;
    let action = create_many(&json!({"subnet": "front", "address_count": 2}), 6);
    let list = world
        .act(Kind::Node, "acme/main/web", action)
        .await
        .unwrap();
    let nodes = list["items"].as_array().unwrap();
    assert_eq!(
        names(nodes),
        ["web-1", "web-2", "web-3", "web-4", "web-5", "web-6"]
    );
    let hosts: Vec<_> = nodes.iter().map(host).collect();
    assert_eq!(hosts, ["a", "b", "c", "a", "b", "c"]);
    let addresses: BTreeSet<_> = nodes
        .iter()
        .flat_map(|node| node["status"]["addresses"].as_array().unwrap())
        .map(ToString::to_string)
        .collect();
    assert_eq!(addresses.len(), 12);
    let network = world.read(Kind::Network, "acme/main").await;
    assert_eq!(
        (&network["status"]["nodes"], &network["status"]["hosts"]),
        (&json!(6), &json!(3))
    );
    let subnet = world.read(Kind::Subnet, "acme/main/front").await;
    assert_eq!(subnet["status"]["addresses_used"], 12);
    assert_eq!(subnet["status"]["addresses_free"], 253 - 12);
    assert_eq!(world.read(Kind::Host, "a").await["status"]["nodes"], 2);
}

#[tokio::test]
async fn a_subnet_fills_to_its_last_address_and_no_further() {
    let world = World::furnished().await;
    world
        .made(
            Kind::Subnet,
            "acme/main/small",
            &json!({"cidr": "10.0.2.0/29", "gateway": "10.0.2.3"}),
        )
        .await;
    let small = json!({"subnet": "small"});
    let refused = world
        .refused(Kind::Node, "acme/main/x", create_many(&small, 6))
        .await;
    assert_eq!(refused.0, "no-room");
    let list = world
        .act(Kind::Node, "acme/main/x", create_many(&small, 5))
        .await
        .unwrap();
    let found: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(address)
        .collect();
    assert_eq!(
        found,
        ["10.0.2.1", "10.0.2.2", "10.0.2.4", "10.0.2.5", "10.0.2.6"]
    );
    let refused = world
        .refused(Kind::Node, "acme/main/y", create(&small))
        .await;
    assert_eq!(refused.0, "no-room");
}

#[tokio::test]
async fn freed_addresses_rest_before_another_node_has_them() {
    let world = World::furnished().await;
    world
        .made(
            Kind::Subnet,
            "acme/main/small",
            &json!({"cidr": "10.0.2.0/30"}),
        )
        .await;
    let small = json!({"subnet": "small"});
    let by_name = json!({"subnet": "small", "addresses": ["10.0.2.2"]});
    world.made(Kind::Node, "acme/main/x", &small).await;
    let refused = world
        .refused(Kind::Node, "acme/main/y", create(&by_name))
        .await;
    assert_eq!(
        refused,
        ("conflict".to_owned(), "spec.addresses[0]".to_owned())
    );
    world.deleted(Kind::Node, "acme/main/x").await;
    let subnet = world.read(Kind::Subnet, "acme/main/small").await;
    assert_eq!(
        (
            &subnet["status"]["addresses_used"],
            &subnet["status"]["addresses_free"]
        ),
        (&json!(0), &json!(0))
    );
    assert_eq!(
        world
            .refused(Kind::Node, "acme/main/y", create(&small))
            .await
            .0,
        "no-room"
    );
    assert_eq!(
        world
            .refused(Kind::Node, "acme/main/y", create(&by_name))
            .await
            .0,
        "conflict"
    );
    assert_eq!(world.service.janitor().await.unwrap().claims, 0);
    world.pass_s(i64::from(QUARANTINE_S) + 1);
    // Asked for by name it is had at once; otherwise once the janitor was there.
    world.made(Kind::Node, "acme/main/y", &by_name).await;
    world.deleted(Kind::Node, "acme/main/y").await;
    world.pass_s(i64::from(QUARANTINE_S) + 1);
    assert_eq!(world.service.janitor().await.unwrap().claims, 1);
    assert_eq!(
        address(&world.made(Kind::Node, "acme/main/y", &small).await),
        "10.0.2.2"
    );
}

#[tokio::test]
async fn what_a_client_chooses_is_its_own() {
    let world = World::furnished().await;
    let mac = json!({"subnet": "front", "mac": "02:00:00:00:00:01"});
    world.made(Kind::Node, "acme/main/x", &mac).await;
    let refused = world.refused(Kind::Node, "acme/main/y", create(&mac)).await;
    assert_eq!(refused, ("conflict".to_owned(), "spec.mac".to_owned()));
    let device = json!({"subnet": "front", "type": "device", "interface": "eth1", "placement": {"host": "a"}});
    world.made(Kind::Node, "acme/main/d", &device).await;
    let refused = world
        .refused(Kind::Node, "acme/main/e", create(&device))
        .await;
    assert_eq!(
        refused,
        ("conflict".to_owned(), "spec.interface".to_owned())
    );
    for node in ["x", "d"] {
        world
            .deleted(Kind::Node, &format!("acme/main/{node}"))
            .await;
    }
    world.made(Kind::Node, "acme/main/y", &mac).await;
    world.made(Kind::Node, "acme/main/e", &device).await;
}

#[tokio::test]
async fn devices_are_the_operators_to_attach() {
    let world = World::furnished().await;
    let device = json!({"subnet": "front", "type": "device", "interface": "eth1", "placement": {"host": "a"}});
    let of_editor = |spec: &Value| Mutation {
        actor: editor("acme"),
        ..mutation(Kind::Node, "acme/main/d", create(spec))
    };
    let dry_run = Mutation {
        dry_run: true,
        ..of_editor(&device)
    };
    for asked in [of_editor(&device), dry_run] {
        let refused = world.service.mutate(asked).await.unwrap_err();
        assert_eq!(
            (word(&refused).as_str(), refused.status),
            ("forbidden", 403)
        );
        assert_eq!(field(&refused), "spec.type");
        assert!(refused.detail.contains("the operator attaches it"));
    }
    // A tap is the editor's to make, and the same device the operator's.
    let tap = json!({"subnet": "front", "type": "tap"});
    world.mutate(of_editor(&tap)).await.unwrap();
    world.made(Kind::Node, "acme/main/e", &device).await;
}

#[tokio::test]
async fn wrong_nodes_are_refused_with_their_field() {
    let world = World::furnished().await;
    let one = |spec: Value| create(&spec);
    for (action, expected) in [
        (one(json!({"subnet": "none"})), "spec.subnet"),
        (
            one(json!({"subnet": "front", "addresses": ["10.0.1.1"]})),
            "spec.addresses[0]",
        ),
        (
            one(json!({"subnet": "front", "addresses": ["10.0.1.255"]})),
            "spec.addresses[0]",
        ),
        (
            one(json!({"subnet": "front", "addresses": ["10.0.2.2"]})),
            "spec.addresses[0]",
        ),
        (
            one(json!({"subnet": "front", "security_groups": ["none"]})),
            "spec.security_groups[0]",
        ),
        (
            one(json!({"subnet": "front", "security_groups": []})),
            "spec.security_groups",
        ),
        (
            one(json!({"subnet": "front", "mac": "0a:58:00:00:00:01"})),
            "spec.mac",
        ),
        (
            one(json!({"subnet": "front", "placement": {"host": "none"}})),
            "spec.placement.host",
        ),
        (
            one(json!({"subnet": "front", "type": "device"})),
            "spec.placement.host",
        ),
        (one(json!({"subnet": "front", "flows": 1})), "spec.flows"),
        (create_many(&front(), 0), "count"),
        (create_many(&front(), 10_001), "count"),
        (
            create_many(&json!({"subnet": "front", "address_count": 16}), 3_000),
            "count",
        ),
        (
            create_many(&json!({"subnet": "front", "mac": "02:00:00:00:00:01"}), 2),
            "spec.mac",
        ),
    ] {
        let refused = world
            .refused(Kind::Node, "acme/main/x", action.clone())
            .await;
        assert_eq!(
            refused,
            ("invalid".to_owned(), expected.to_owned()),
            "{action:?}"
        );
    }
    let long = format!("acme/main/{}", "x".repeat(62));
    let refused = world
        .refused(Kind::Node, &long, create_many(&front(), 2))
        .await;
    assert_eq!(refused, ("invalid".to_owned(), "metadata.name".to_owned()));
    assert!(world.list(Kind::Node, "acme/main").await.is_empty());
}

#[tokio::test]
async fn many_nodes_are_made_all_or_none() {
    let world = World::furnished().await;
    world.made(Kind::Node, "acme/main/web-3", &front()).await;
    let refused = world
        .refused(Kind::Node, "acme/main/web", create_many(&front(), 3))
        .await;
    assert_eq!(refused.0, "exists");
    assert_eq!(names(&world.list(Kind::Node, "acme/main").await), ["web-3"]);
}

#[tokio::test]
async fn no_host_that_does_not_fit_is_taken() {
    let world = World::furnished().await;
    let prefix = |nth: u32| format!("2001:db8:0:{nth}::/64");
    let spec = |nth, more: Value| {
        let mut spec = more;
        spec["prefix"] = json!(prefix(nth));
        replace(&spec)
    };
    world
        .act(Kind::Host, "a", spec(1, json!({"cordoned": true})))
        .await
        .unwrap();
    let one = json!({"node_types": [{"type": "netns", "capacity": 1}]});
    world.act(Kind::Host, "b", spec(2, one)).await.unwrap();
    world.hosts.set_state("c", HostCondition::Unreachable);
    assert_eq!(
        host(&world.made(Kind::Node, "acme/main/x", &front()).await),
        "b"
    );
    let problem = world
        .act(Kind::Node, "acme/main/y", create(&front()))
        .await
        .unwrap_err();
    assert_eq!(word(&problem), "no-room");
    for reason in ["1 cordoned", "1 unreachable", "1 full"] {
        assert!(problem.detail.contains(reason), "{}", problem.detail);
    }
    let by_name = |host: &str| create(&json!({"subnet": "front", "placement": {"host": host}}));
    for host in ["a", "b"] {
        assert_eq!(
            world
                .refused(Kind::Node, "acme/main/y", by_name(host))
                .await
                .0,
            "no-room"
        );
    }
    // Who names a host knows that it comes back.
    let named = json!({"subnet": "front", "placement": {"host": "c"}});
    assert_eq!(
        host(&world.made(Kind::Node, "acme/main/named", &named).await),
        "c"
    );
    world.hosts.set_state("c", HostCondition::Expected);
    assert_eq!(
        world
            .refused(Kind::Node, "acme/main/y", create(&front()))
            .await
            .0,
        "no-room"
    );
    let named = world
        .act(Kind::Node, "acme/main/y", by_name("c"))
        .await
        .unwrap();
    assert_eq!(
        (host(&named), &named["status"]["state"]),
        ("c", &json!("pending"))
    );
}

#[tokio::test]
async fn subnets_and_nodes_say_where() {
    let world = World::furnished().await;
    let there = json!({"prefix": "2001:db8:0:3::/64", "location": "fra1"});
    let labelled = Action::Replace {
        body: json!({"metadata": {"labels": {"disk": "ssd"}}, "spec": there}),
    };
    world.act(Kind::Host, "c", labelled).await.unwrap();
    world
        .made(
            Kind::Subnet,
            "acme/main/fra",
            &json!({"cidr": "10.0.2.0/24", "location": "fra1"}),
        )
        .await;
    for (name, spec) in [
        ("x", json!({"subnet": "fra"})),
        (
            "y",
            json!({"subnet": "front", "placement": {"location": "fra1"}}),
        ),
        (
            "z",
            json!({"subnet": "front", "placement": {"host_labels": {"disk": "ssd"}}}),
        ),
    ] {
        let node = world
            .made(Kind::Node, &format!("acme/main/{name}"), &spec)
            .await;
        assert_eq!(host(&node), "c", "{name}");
    }
    let nowhere = json!({"subnet": "fra", "placement": {"location": "ams1"}});
    assert_eq!(
        world
            .refused(Kind::Node, "acme/main/w", create(&nowhere))
            .await
            .0,
        "no-room"
    );
}

/// What the mover does once the next host holds the node.
async fn arrive(world: &World, path: &str) {
    let key = format!("objects/node/{path}");
    let entry = world.store.get(&key).await.unwrap().unwrap();
    let mut node: Value = serde_json::from_slice(&entry.value).unwrap();
    node["status"]["host"] = node["status"]["next_host"].take();
    node["status"].as_object_mut().unwrap().remove("next_host");
    let transaction = Transaction {
        conditions: vec![Condition::Unchanged(key.clone(), entry.modified)],
        operations: vec![Operation::Put(key, node.to_string().into())],
    };
    world.store.commit(transaction).await.unwrap();
}

#[tokio::test]
async fn a_node_moves_and_is_known_on_both_hosts_until_it_is_there() {
    let world = World::furnished().await;
    world.made(Kind::Node, "acme/main/web", &front()).await;
    let moved = world
        .act(Kind::Node, "acme/main/web", move_to(None))
        .await
        .unwrap();
    assert_eq!(
        (host(&moved), &moved["status"]["next_host"]),
        ("a", &json!("b"))
    );
    assert_eq!(moved["status"]["state"], "moving");
    for host in ["a", "b"] {
        let refused = world.refused(Kind::Host, host, Action::Delete).await;
        assert_eq!(refused.0, "in-use");
    }
    let elsewhere = world
        .act(Kind::Node, "acme/main/web", move_to(Some("c")))
        .await
        .unwrap();
    assert_eq!(elsewhere["status"]["next_host"], "c");
    world.deleted(Kind::Host, "b").await;
    arrive(&world, "acme/main/web").await;
    let back = world
        .act(Kind::Node, "acme/main/web", move_to(Some("a")))
        .await
        .unwrap();
    assert_eq!(
        (host(&back), &back["status"]["next_host"]),
        ("c", &json!("a"))
    );
    let stays = world
        .act(Kind::Node, "acme/main/web", move_to(Some("c")))
        .await
        .unwrap();
    assert_eq!(
        (host(&stays), &stays["status"]["next_host"]),
        ("c", &Value::Null)
    );
    world.deleted(Kind::Host, "a").await;
}

#[tokio::test]
async fn another_host_in_the_spec_moves_the_node() {
    let world = World::furnished().await;
    let on = |host: &str| json!({"subnet": "front", "placement": {"host": host}});
    world.made(Kind::Node, "acme/main/web", &on("a")).await;
    let moved = world
        .act(Kind::Node, "acme/main/web", replace(&on("b")))
        .await
        .unwrap();
    assert_eq!(moved["status"]["next_host"], "b");
    let moved = world
        .act(Kind::Node, "acme/main/web", move_to(Some("c")))
        .await
        .unwrap();
    assert_eq!(moved["spec"]["placement"]["host"], "c");
    let device = json!({"subnet": "front", "type": "device", "interface": "eth1", "placement": {"host": "a"}});
    world.made(Kind::Node, "acme/main/d", &device).await;
    for action in [move_to(Some("b")), move_to(None)] {
        assert_eq!(
            world.refused(Kind::Node, "acme/main/d", action).await.0,
            "conflict"
        );
    }
    let refused = world
        .refused(Kind::Node, "acme/main/web", move_to(Some("none")))
        .await;
    assert_eq!(refused, ("invalid".to_owned(), "host".to_owned()));
    assert_eq!(
        world
            .refused(Kind::Subnet, "acme/main/front", move_to(None))
            .await
            .0,
        "conflict"
    );
}

#[tokio::test]
async fn what_a_node_is_made_of_stays() {
    let world = World::furnished().await;
    world
        .made(
            Kind::Subnet,
            "acme/main/back",
            &json!({"cidr": "10.0.2.0/24"}),
        )
        .await;
    world.made(Kind::Node, "acme/main/web", &front()).await;
    for (spec, expected) in [
        (json!({"subnet": "back"}), "spec.subnet"),
        (json!({"subnet": "front", "type": "tap"}), "spec.type"),
        (
            json!({"subnet": "front", "mac": "02:00:00:00:00:01"}),
            "spec.mac",
        ),
        (
            json!({"subnet": "front", "addresses": ["10.0.1.9"]}),
            "spec.addresses",
        ),
        (
            json!({"subnet": "front", "address_count": 2}),
            "spec.address_count",
        ),
    ] {
        let refused = world
            .refused(Kind::Node, "acme/main/web", replace(&spec))
            .await;
        assert_eq!(refused, ("invalid".to_owned(), expected.to_owned()));
    }
    let as_read = json!({
        "subnet": "front", "addresses": ["10.0.1.2"], "mac": "0a:58:0a:00:01:02", "description": "new",
    });
    let changed = world
        .act(Kind::Node, "acme/main/web", replace(&as_read))
        .await
        .unwrap();
    assert_eq!(changed["spec"]["description"], "new");
    assert_eq!(address(&changed), "10.0.1.2");
    let groups = json!({"subnet": "front", "security_groups": ["default"], "description": "new"});
    assert!(
        world
            .act(Kind::Node, "acme/main/web", replace(&groups))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_router_that_routes_lead_to_goes_on_forwarding() {
    let world = World::furnished().await;
    let node = json!({"subnet": "front", "forwarding": true});
    world.made(Kind::Node, "acme/main/fw", &node).await;
    world.made(Kind::Node, "acme/main/web", &front()).await;
    let to = |node: &str| json!({"routes": [{"destination": "0.0.0.0/0", "target": format!("node:{node}")}]});
    let refused = world
        .refused(Kind::RouteTable, "acme/main/out", create(&to("web")))
        .await;
    assert_eq!(
        refused,
        ("invalid".to_owned(), "spec.routes[0].target".to_owned())
    );
    world
        .made(Kind::RouteTable, "acme/main/out", &to("fw"))
        .await;
    let refused = world
        .refused(Kind::Node, "acme/main/fw", replace(&front()))
        .await;
    assert_eq!(
        refused,
        ("conflict".to_owned(), "spec.forwarding".to_owned())
    );
    world.deleted(Kind::RouteTable, "acme/main/out").await;
    assert!(
        world
            .act(Kind::Node, "acme/main/fw", replace(&front()))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn the_state_of_a_node_is_what_the_hosts_say() {
    let world = World::furnished().await;
    let node = world.made(Kind::Node, "acme/main/web", &front()).await;
    let revision = node["metadata"]["revision"].as_u64().unwrap();
    let network = world.read(Kind::Network, "acme/main").await;
    let vni = u32::try_from(network["status"]["vni"].as_u64().unwrap()).unwrap();
    let state = async || world.read(Kind::Node, "acme/main/web").await["status"].clone();
    assert_eq!(state().await["state"], "ready");

    world.hosts.held.lock().unwrap().insert(vni, revision - 1);
    assert_eq!(state().await["state"], "pending");
    world.hosts.held.lock().unwrap().insert(vni, revision);
    assert_eq!(state().await["state"], "ready");

    let behind = HostView {
        state: HostCondition::Ready,
        desired_revision: revision,
        applied_revision: revision - 1,
        ..HostView::default()
    };
    world.hosts.views.lock().unwrap().insert("a".into(), behind);
    world
        .hosts
        .subscribers
        .lock()
        .unwrap()
        .insert(vni, BTreeSet::from(["a".into(), "b".into()]));
    let status = state().await;
    assert_eq!(status["state"], "pending");
    let reason = status["reason"].as_str().unwrap();
    assert!(reason.ends_with(": a"), "{reason}");

    world.hosts.set_state("a", HostCondition::Ready);
    world
        .hosts
        .degraded
        .lock()
        .unwrap()
        .insert("acme/main/web".into(), vec!["GRO is off".into()]);
    let status = state().await;
    assert_eq!(
        (&status["state"], &status["reason"]),
        (&json!("degraded"), &json!("GRO is off"))
    );

    world.hosts.set_state("a", HostCondition::Unreachable);
    assert_eq!(state().await["state"], "unreachable");
}

#[tokio::test]
async fn a_host_knows_no_more_addresses_than_it_can() {
    let world = World::furnished().await;
    for (nth, host) in ["a", "b", "c"].into_iter().enumerate() {
        let prefix = format!("2001:db8:0:{}::/64", nth + 1);
        let mappings_max = if host == "c" { 100 } else { 3 };
        let spec = json!({"prefix": prefix, "mappings_max": mappings_max});
        world.act(Kind::Host, host, replace(&spec)).await.unwrap();
    }
    world
        .act(Kind::Node, "acme/main/x", create_many(&front(), 3))
        .await
        .unwrap();
    let problem = world
        .act(Kind::Node, "acme/main/y", create(&front()))
        .await
        .unwrap_err();
    assert_eq!(word(&problem), "no-room");
    assert!(
        problem.detail.contains("mappings_max"),
        "{}",
        problem.detail
    );
    // Another network concerns hosts that have no node of it yet only by what they know already.
    world
        .made(
            Kind::Network,
            "acme/two",
            &json!({"cidrs": ["10.0.0.0/16"]}),
        )
        .await;
    world
        .made(
            Kind::Subnet,
            "acme/two/front",
            &json!({"cidr": "10.0.1.0/24"}),
        )
        .await;
    let node = world.made(Kind::Node, "acme/two/x", &front()).await;
    assert_eq!(host(&node), "c");
}

#[tokio::test]
async fn flows_of_a_hosts_nodes_are_bounded() {
    let world = World::furnished().await;
    let on_a =
        |flows: u64| json!({"subnet": "front", "flows_max": flows, "placement": {"host": "a"}});
    for nth in 0..4 {
        world
            .made(Kind::Node, &format!("acme/main/x{nth}"), &on_a(65_536))
            .await;
    }
    assert_eq!(
        world
            .refused(Kind::Node, "acme/main/y", create(&on_a(64)))
            .await
            .0,
        "no-room"
    );
    let less = world
        .act(Kind::Node, "acme/main/x0", replace(&on_a(32_768)))
        .await;
    assert!(less.is_ok(), "{less:?}");
    world.made(Kind::Node, "acme/main/y", &on_a(32_768)).await;
    let refused = world
        .refused(Kind::Node, "acme/main/x0", replace(&on_a(65_536)))
        .await;
    assert_eq!(refused.0, "no-room");
}

/// The other manager decides and commits between this one's decision and its transaction.
#[tokio::test]
async fn two_managers_that_decide_at_once_decide_one_after_another() {
    let store = Arc::new(MemoryStore::default());
    let world = World::on(store.clone()).await;
    world.furnish().await;
    let other = world.beside().await;
    let other_makes = |path: &'static str, kind: Kind, spec: Value| {
        let other = other.service.clone();
        store.interpose(async move {
            let made = other.mutate(mutation(kind, path, create(&spec))).await;
            assert!(made.is_ok(), "{made:?}");
        });
    };
    other_makes("acme/main/y", Kind::Node, front());
    let ours = world.made(Kind::Node, "acme/main/x", &front()).await;
    let others = world.read(Kind::Node, "acme/main/y").await;
    assert_eq!((address(&ours), host(&ours)), ("10.0.1.3", "b"));
    assert_eq!((address(&others), host(&others)), ("10.0.1.2", "a"));

    other_makes("acme/main/z", Kind::Node, front());
    let refused = world
        .refused(Kind::Node, "acme/main/z", create(&front()))
        .await;
    assert_eq!(refused.0, "exists");

    // A subnet that another manager gives a node meanwhile stays.
    world
        .made(
            Kind::Subnet,
            "acme/main/back",
            &json!({"cidr": "10.0.2.0/24"}),
        )
        .await;
    other_makes("acme/main/w", Kind::Node, json!({"subnet": "back"}));
    let refused = world
        .refused(Kind::Subnet, "acme/main/back", Action::Delete)
        .await;
    assert_eq!(refused.0, "in-use");

    other_makes("acme/two", Kind::Network, json!({"cidrs": ["10.0.0.0/16"]}));
    let three = world
        .made(
            Kind::Network,
            "acme/three",
            &json!({"cidrs": ["10.0.0.0/16"]}),
        )
        .await;
    let two = world.read(Kind::Network, "acme/two").await;
    assert_ne!(two["status"]["vni"], three["status"]["vni"]);
}

/// The mover writes nodes without asking; what was decided on the node as it was is decided anew.
#[tokio::test]
async fn a_node_that_arrives_while_it_is_changed_is_not_sent_back() {
    let store = Arc::new(MemoryStore::default());
    let world = Arc::new(World::on(store.clone()).await);
    world.furnish().await;
    world.made(Kind::Node, "acme/main/web", &front()).await;
    world
        .act(Kind::Node, "acme/main/web", move_to(Some("b")))
        .await
        .unwrap();
    let mover = world.clone();
    store.interpose(async move { arrive(&mover, "acme/main/web").await });
    let spec = json!({"subnet": "front", "description": "new"});
    let changed = world
        .act(Kind::Node, "acme/main/web", replace(&spec))
        .await
        .unwrap();
    assert_eq!(
        (host(&changed), &changed["status"]["next_host"]),
        ("b", &Value::Null)
    );
    assert_eq!(changed["spec"]["description"], "new");
}

#[tokio::test]
async fn who_opens_later_knows_the_same() {
    let world = World::furnished().await;
    world
        .act(Kind::Node, "acme/main/x", create_many(&front(), 7))
        .await
        .unwrap();
    world.deleted(Kind::Node, "acme/main/x-7").await;
    let other = world.beside().await;
    for (kind, path) in [
        (Kind::Network, "acme/main"),
        (Kind::Subnet, "acme/main/front"),
        (Kind::SecurityGroup, "acme/main/default"),
        (Kind::Acl, "acme/main/default"),
        (Kind::Host, "b"),
        (Kind::Project, "acme"),
    ] {
        assert_eq!(
            world.read(kind, path).await,
            other.read(kind, path).await,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_thousand_commits_behind_the_index_is_in_step_again() {
    // The store in memory closes receivers that are 64 commits behind.
    let world = World::furnished().await;
    let transactions = 1_000_u32;
    for nth in 0..transactions {
        let transaction = Transaction {
            conditions: Vec::new(),
            operations: vec![Operation::Put("other".into(), nth.to_string().into())],
        };
        world.store.commit(transaction).await.unwrap();
    }
    world.made(Kind::Node, "acme/main/x", &front()).await;
    assert_eq!(
        world.read(Kind::Network, "acme/main").await["status"]["nodes"],
        1
    );
}

#[tokio::test]
async fn a_trace_finds_nodes_by_name_and_by_address_and_no_others() {
    let world = World::furnished().await;
    world.made(Kind::Node, "acme/main/web", &front()).await;
    world.made(Kind::Node, "acme/main/db", &front()).await;
    let web = target(Kind::Node, "acme/main/web");
    let from = world
        .service
        .authorize_trace(&reader("acme"), &web)
        .await
        .unwrap();
    assert_eq!((from.host.as_str(), from.addresses.len()), ("a", 1));
    let to = "10.0.1.3".parse().unwrap();
    let found = world
        .service
        .node_at(&reader("acme"), &web, to)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.name.as_str(), found.host.as_str()), ("db", "b"));
    let nobody = "10.0.1.99".parse().unwrap();
    assert_eq!(
        world
            .service
            .node_at(&reader("acme"), &web, nobody)
            .await
            .unwrap(),
        None
    );
    let refused = world.service.authorize_trace(&reader("other"), &web).await;
    assert_eq!(word(&refused.unwrap_err()), "not-found");
    world.deleted(Kind::Node, "acme/main/db").await;
    assert_eq!(
        world
            .service
            .node_at(&reader("acme"), &web, to)
            .await
            .unwrap(),
        None
    );
}

/// A host with 4,096 flows a port and 262,144 flows in all takes 64 nodes; these take 4,096 each.
#[tokio::test]
async fn a_subnet_of_thirty_thousand_nodes() {
    let world = World::furnished().await;
    let quota = Quota {
        nodes: 100_000,
        nodes_per_network: 100_000,
        ..Quota::default()
    };
    world
        .act(Kind::Project, "acme", replace(&json!({ "quota": quota })))
        .await
        .unwrap();
    for nth in 0..8 {
        let spec = json!({
            "prefix": format!("2001:db8:1:{nth}::/64"),
            "node_types": [{"type": "netns", "capacity": 10_000}],
            "mappings_max": 1_000_000,
            "flows_per_port": 64,
        });
        world.made(Kind::Host, &format!("big{nth}"), &spec).await;
    }
    for host in ["a", "b", "c"] {
        world.deleted(Kind::Host, host).await;
    }
    world
        .made(
            Kind::Network,
            "acme/big",
            &json!({"cidrs": ["10.0.0.0/16"]}),
        )
        .await;
    world
        .made(
            Kind::Subnet,
            "acme/big/all",
            &json!({"cidr": "10.0.0.0/16"}),
        )
        .await;
    for nth in 0..3 {
        let action = create_many(&json!({"subnet": "all"}), 10_000);
        let path = format!("acme/big/x{nth}");
        let list = world.act(Kind::Node, &path, action).await.unwrap();
        assert_eq!(list["items"].as_array().unwrap().len(), 10_000);
    }
    let subnet = world.read(Kind::Subnet, "acme/big/all").await;
    assert_eq!(subnet["status"]["addresses_used"], 30_000);
    assert_eq!(subnet["status"]["addresses_free"], 65_533 - 30_000);
    assert_eq!(
        world.read(Kind::Host, "big0").await["status"]["nodes"],
        3_750
    );
    let vni = world.read(Kind::Network, "acme/big").await["status"]["vni"]
        .as_u64()
        .unwrap();
    let claims = keys::address_claims(u32::try_from(vni).unwrap());
    let (mut count, mut after) = (0, Arc::from(""));
    loop {
        let page = world.store.range(&claims, &after, 10_000).await.unwrap();
        count += page.entries.len();
        match page.entries.last() {
            Some(last) if page.more => after = last.key.clone(),
            _ => break,
        }
    }
    assert_eq!(count, 30_000);
}
