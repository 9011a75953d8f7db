//! Networks, subnets, groups, lists, tables, hosts, projects: made, changed and deleted, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod service_support;

use std::sync::Arc;

use inlay_api::objects::Kind;
use inlay_manager::service::Action;
use serde_json::{Value, json};
use service_support::*;

fn words(words: (&str, &str)) -> (String, String) {
    (words.0.to_owned(), words.1.to_owned())
}

#[tokio::test]
async fn a_network_comes_with_a_group_and_a_list_and_takes_them_along() {
    let world = World::furnished().await;
    let network = world.read(Kind::Network, "acme/main").await;
    assert!(network["status"]["vni"].as_u64().unwrap() > 0);
    let group = world.read(Kind::SecurityGroup, "acme/main/default").await;
    assert_eq!(group["spec"]["inbound"][0]["peer"], "group:default");
    assert_eq!(group["spec"]["outbound"][0]["peer"], "0.0.0.0/0");
    let acl = world.read(Kind::Acl, "acme/main/default").await;
    assert_eq!(acl["spec"]["inbound"][0]["action"], "allow");
    assert_eq!(acl["status"]["subnets"], 1);
    for kind in [Kind::SecurityGroup, Kind::Acl] {
        let refused = world
            .refused(kind, "acme/main/default", Action::Delete)
            .await;
        assert_eq!(refused.0, "conflict");
    }
    let refused = world
        .refused(Kind::Network, "acme/main", Action::Delete)
        .await;
    assert_eq!(refused.0, "in-use");
    world.deleted(Kind::Subnet, "acme/main/front").await;
    world.deleted(Kind::Network, "acme/main").await;
    assert!(world.list(Kind::SecurityGroup, "acme").await.is_empty());
    assert!(world.list(Kind::Acl, "acme").await.is_empty());
}

#[tokio::test]
async fn a_freed_network_number_rests() {
    let world = World::furnished().await;
    let vni = |network: &Value| network["status"]["vni"].as_u64().unwrap();
    let spec = json!({ "cidrs": ["10.0.0.0/16"] });
    let first = world.made(Kind::Network, "acme/one", &spec).await;
    world.deleted(Kind::Network, "acme/one").await;
    // Another manager does not know what was given out last, and begins at the first that is free.
    let other = world.beside().await;
    let second = other.made(Kind::Network, "acme/two", &spec).await;
    assert_ne!(vni(&first), vni(&second));
    world.pass_s(i64::from(QUARANTINE_S) + 1);
    assert_eq!(world.service.janitor().await.unwrap().claims, 1);
    let third = world.beside().await;
    let third = third.made(Kind::Network, "acme/three", &spec).await;
    assert_eq!(vni(&first), vni(&third));
}

/// Kind, path and spec of what is refused; type of the problem, and its first field.
type Row = (Kind, &'static str, Value, (&'static str, &'static str));

async fn refused_all(world: &World, rows: Vec<Row>) {
    for (kind, path, spec, expected) in rows {
        let refused = world.refused(kind, path, create(&spec)).await;
        assert_eq!(refused, words(expected), "{kind:?} {path} {spec}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_field() {
    let world = World::furnished().await;
    let rows: Vec<Row> = vec![
        (
            Kind::Network,
            "acme/x",
            json!({"cidrs": ["10.0.0.1/8"]}),
            ("invalid", "spec.cidrs[0]"),
        ),
        (
            Kind::Network,
            "acme/x",
            json!({"cidrs": ["10.0.0.0/8", "10.2.0.0/16"]}),
            ("invalid", "spec.cidrs[1]"),
        ),
        (
            Kind::Network,
            "acme/x",
            json!({"cidrs": ["224.0.0.0/8"]}),
            ("invalid", "spec.cidrs[0]"),
        ),
        (
            Kind::Network,
            "acme/x",
            json!({"cidr": ["10.0.0.0/8"]}),
            ("invalid", "spec.cidr"),
        ),
        (
            Kind::Network,
            "acme/main",
            json!({"cidrs": ["10.0.0.0/8"]}),
            ("exists", ""),
        ),
        (
            Kind::Network,
            "none/x",
            json!({"cidrs": ["10.0.0.0/8"]}),
            ("not-found", ""),
        ),
        (
            Kind::Subnet,
            "acme/main/x",
            json!({"cidr": "10.1.0.0/24"}),
            ("invalid", "spec.cidr"),
        ),
        (
            Kind::Subnet,
            "acme/main/x",
            json!({"cidr": "10.0.1.128/25"}),
            ("invalid", "spec.cidr"),
        ),
        (
            Kind::Subnet,
            "acme/main/x",
            json!({"cidr": "10.0.2.0/31"}),
            ("invalid", "spec.cidr"),
        ),
        (
            Kind::Subnet,
            "acme/main/x",
            json!({"cidr": "10.0.2.0/24", "acl": "none"}),
            ("invalid", "spec.acl"),
        ),
        (
            Kind::Subnet,
            "acme/main/x",
            json!({"cidr": "10.0.2.0/24", "route_table": "none"}),
            ("invalid", "spec.route_table"),
        ),
        (
            Kind::Subnet,
            "acme/none/x",
            json!({"cidr": "10.0.2.0/24"}),
            ("not-found", ""),
        ),
        (
            Kind::Host,
            "x",
            json!({"prefix": "2001:db8:0:1::/64"}),
            ("conflict", "spec.prefix"),
        ),
        (
            Kind::Host,
            "x",
            json!({"prefix": "fe80::/64"}),
            ("invalid", "spec.prefix"),
        ),
        (
            Kind::Project,
            "x",
            json!({"quota": {"rules_per_group": 5000}}),
            ("invalid", "spec.quota.rules_per_group"),
        ),
        (Kind::Project, "UPPER", json!({}), ("not-found", "")),
        (Kind::Port, "acme/main/x", json!({}), ("conflict", "")),
    ];
    refused_all(&world, rows).await;
}

#[tokio::test]
async fn wrong_rules_are_refused_with_their_field() {
    let world = World::furnished().await;
    let web = json!({"inbound": [], "outbound": []});
    world.made(Kind::SecurityGroup, "acme/main/web", &web).await;
    let rule = |protocol: &str, ports: &str, peer: &str| json!({"inbound": [{"protocol": protocol, "ports": ports, "peer": peer}]});
    let rows: Vec<Row> = vec![
        (
            Kind::SecurityGroup,
            "acme/main/x",
            rule("tcp", "90-80", "0.0.0.0/0"),
            ("invalid", "spec.inbound[0].ports"),
        ),
        (
            Kind::SecurityGroup,
            "acme/main/x",
            rule("tcp", "80", "group:none"),
            ("invalid", "spec.inbound[0].peer"),
        ),
        (
            Kind::SecurityGroup,
            "acme/main/x",
            rule("all", "80", "group:web"),
            ("invalid", "spec.inbound[0].ports"),
        ),
        (
            Kind::Acl,
            "acme/main/x",
            json!({"inbound": [{"number": 0, "action": "allow", "protocol": "all", "peer": "0.0.0.0/0"}]}),
            ("invalid", "spec.inbound[0].number"),
        ),
        (
            Kind::RouteTable,
            "acme/main/x",
            json!({"routes": [{"destination": "0.0.0.0/0", "target": "internet"}]}),
            ("invalid", "spec.routes[0].target"),
        ),
        (
            Kind::RouteTable,
            "acme/main/x",
            json!({"routes": [{"destination": "0.0.0.0/0", "target": "node:none"}]}),
            ("invalid", "spec.routes[0].target"),
        ),
    ];
    refused_all(&world, rows).await;
}

#[tokio::test]
async fn all_problems_of_a_request_are_told_at_once() {
    let world = World::furnished().await;
    let body = json!({
        "kind": "node",
        "metadata": {"labels": {"a b": ""}},
        "spec": {"cidr": "10.9.0.0/24", "acl": "none", "description": "two\nlines", "location": "a b"},
    });
    let action = Action::Create { body, count: None };
    let problem = world
        .act(Kind::Subnet, "acme/main/x", action)
        .await
        .unwrap_err();
    let fields: Vec<_> = problem.errors.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "kind",
            "metadata.labels",
            "spec.description",
            "spec.location",
            "spec.cidr",
            "spec.acl"
        ]
    );
    assert_eq!(problem.status, 422);
}

#[tokio::test]
async fn ten_thousand_rules_are_one_problem() {
    let world = World::furnished().await;
    let rule = json!({"protocol": "tcp", "ports": "9-1", "peer": "group:none"});
    let spec = json!({"inbound": vec![rule; 10_000]});
    let action = create(&spec);
    let problem = world
        .act(Kind::SecurityGroup, "acme/main/x", action)
        .await
        .unwrap_err();
    assert_eq!(problem.errors.len(), 1);
    assert!(problem.detail.contains("10000 rules"), "{}", problem.detail);
}

#[tokio::test]
async fn what_is_in_use_stays_and_names_who_uses_it() {
    let world = World::furnished().await;
    let empty = json!({"inbound": [], "outbound": []});
    for path in ["acme/main/web", "acme/main/db"] {
        world.made(Kind::SecurityGroup, path, &empty).await;
    }
    let refers = json!({"inbound": [{"protocol": "all", "peer": "group:db"}]});
    world
        .act(Kind::SecurityGroup, "acme/main/web", replace(&refers))
        .await
        .unwrap();
    world.made(Kind::Acl, "acme/main/strict", &empty).await;
    world
        .made(Kind::RouteTable, "acme/main/out", &json!({"routes": []}))
        .await;
    let back = json!({"cidr": "10.0.2.0/24", "acl": "strict", "route_table": "out"});
    world.made(Kind::Subnet, "acme/main/back", &back).await;
    let node = json!({"subnet": "back", "security_groups": ["web"], "forwarding": true, "placement": {"host": "a"}});
    world.made(Kind::Node, "acme/main/fw", &node).await;
    let routes = json!({"routes": [{"destination": "10.9.0.0/16", "target": "node:fw"}]});
    world
        .act(Kind::RouteTable, "acme/main/out", replace(&routes))
        .await
        .unwrap();
    for (kind, path, by) in [
        (Kind::SecurityGroup, "acme/main/web", "nodes fw"),
        (Kind::SecurityGroup, "acme/main/db", "security groups web"),
        (Kind::Acl, "acme/main/strict", "subnets back"),
        (Kind::RouteTable, "acme/main/out", "subnets back"),
        (Kind::Subnet, "acme/main/back", "nodes fw"),
        (Kind::Node, "acme/main/fw", "route tables out"),
        (Kind::Network, "acme/main", "nodes fw"),
        (Kind::Host, "a", "acme/main"),
        (Kind::Project, "acme", "networks main"),
    ] {
        let problem = world.act(kind, path, Action::Delete).await.unwrap_err();
        assert_eq!(word(&problem), "in-use", "{kind:?} {path}");
        assert!(problem.detail.contains(by), "{kind:?}: {}", problem.detail);
    }
    assert_eq!(
        world.read(Kind::Acl, "acme/main/strict").await["status"]["subnets"],
        1
    );
    assert_eq!(
        world.read(Kind::RouteTable, "acme/main/out").await["status"]["subnets"],
        1
    );
    assert_eq!(
        world.read(Kind::SecurityGroup, "acme/main/web").await["status"]["nodes"],
        1
    );
    world
        .act(
            Kind::RouteTable,
            "acme/main/out",
            replace(&json!({"routes": []})),
        )
        .await
        .unwrap();
    for (kind, path) in [
        (Kind::Node, "acme/main/fw"),
        (Kind::Subnet, "acme/main/back"),
        (Kind::Subnet, "acme/main/front"),
        (Kind::RouteTable, "acme/main/out"),
        (Kind::Acl, "acme/main/strict"),
        (Kind::SecurityGroup, "acme/main/web"),
        (Kind::SecurityGroup, "acme/main/db"),
        (Kind::Host, "a"),
        (Kind::Network, "acme/main"),
        (Kind::Project, "acme"),
    ] {
        world.deleted(kind, path).await;
    }
}

#[tokio::test]
async fn what_cannot_be_changed_is_named() {
    let world = World::furnished().await;
    for (kind, path, spec, expected) in [
        (
            Kind::Host,
            "a",
            json!({"prefix": "2001:db8:0:9::/64"}),
            "spec.prefix",
        ),
        (
            Kind::Subnet,
            "acme/main/front",
            json!({"cidr": "10.0.2.0/24"}),
            "spec.cidr",
        ),
        (
            Kind::Subnet,
            "acme/main/front",
            json!({"cidr": "10.0.1.0/24", "gateway": "10.0.1.9"}),
            "spec.gateway",
        ),
        (
            Kind::Subnet,
            "acme/main/front",
            json!({"cidr": "10.0.1.0/24", "location": "x"}),
            "spec.location",
        ),
    ] {
        let refused = world.refused(kind, path, replace(&spec)).await;
        assert_eq!(refused, words(("invalid", expected)), "{spec}");
    }
    let gateway = json!({"cidr": "10.0.1.0/24", "gateway": "10.0.1.1", "description": "new"});
    let changed = world
        .act(Kind::Subnet, "acme/main/front", replace(&gateway))
        .await
        .unwrap();
    assert_eq!(changed["spec"]["description"], "new");
}

#[tokio::test]
async fn cidrs_come_and_go_around_what_uses_them() {
    let world = World::furnished().await;
    let of = |cidrs: &[&str]| replace(&json!({ "cidrs": cidrs }));
    let grown = world
        .act(
            Kind::Network,
            "acme/main",
            of(&["10.0.0.0/16", "10.1.0.0/16"]),
        )
        .await;
    assert!(grown.is_ok(), "{grown:?}");
    let refused = world
        .refused(Kind::Network, "acme/main", of(&["10.1.0.0/16"]))
        .await;
    assert_eq!(refused, words(("invalid", "spec.cidrs")));
    let table = json!({"routes": [{"destination": "10.2.0.0/16", "target": "blackhole"}]});
    world.made(Kind::RouteTable, "acme/main/out", &table).await;
    let refused = world
        .refused(
            Kind::Network,
            "acme/main",
            of(&["10.0.0.0/16", "10.2.0.0/16"]),
        )
        .await;
    assert_eq!(refused, words(("invalid", "spec.cidrs")));
    assert!(
        world
            .act(Kind::Network, "acme/main", of(&["10.0.0.0/16"]))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn quotas_hold() {
    let world = World::furnished().await;
    let quota = json!({"quota": {
        "networks": 1, "subnets_per_network": 1, "nodes_per_network": 2, "nodes": 2,
        "security_groups_per_network": 1, "rules_per_group": 1,
    }});
    world
        .act(Kind::Project, "acme", replace(&quota))
        .await
        .unwrap();
    let rules = json!({"inbound": [{"protocol": "all", "peer": "0.0.0.0/0"}]});
    let node = json!({"subnet": "front"});
    for (kind, path, action) in [
        (
            Kind::Network,
            "acme/two",
            create(&json!({"cidrs": ["10.0.0.0/16"]})),
        ),
        (
            Kind::Subnet,
            "acme/main/two",
            create(&json!({"cidr": "10.0.2.0/24"})),
        ),
        (Kind::SecurityGroup, "acme/main/two", create(&rules)),
        (Kind::Node, "acme/main/web", create_many(&node, 3)),
    ] {
        assert_eq!(
            world.refused(kind, path, action).await.0,
            "quota",
            "{kind:?}"
        );
    }
    world
        .act(Kind::Node, "acme/main/web", create_many(&node, 2))
        .await
        .unwrap();
    let acme = world.read(Kind::Project, "acme").await;
    assert_eq!(acme["status"]["usage"], json!({"networks": 1, "nodes": 2}));
    let two = json!({"inbound": [rules["inbound"][0], rules["inbound"][0]]});
    let refused = world
        .refused(Kind::SecurityGroup, "acme/main/default", replace(&two))
        .await;
    assert_eq!(refused, words(("invalid", "spec")));
}

#[tokio::test]
async fn rules_of_all_groups_of_a_node_are_counted_together() {
    let world = World::furnished().await;
    let rules = |count: usize| {
        let rule =
            |nth: usize| json!({"protocol": "tcp", "ports": nth.to_string(), "peer": "0.0.0.0/0"});
        json!({"inbound": (1..=count).map(rule).collect::<Vec<_>>()})
    };
    for path in ["acme/main/x", "acme/main/y"] {
        world.made(Kind::SecurityGroup, path, &rules(500)).await;
    }
    let node = json!({"subnet": "front", "security_groups": ["x", "y"]});
    world.made(Kind::Node, "acme/main/web", &node).await;
    let fits = world
        .act(Kind::SecurityGroup, "acme/main/y", replace(&rules(524)))
        .await;
    assert!(fits.is_ok(), "{fits:?}");
    let refused = world
        .refused(Kind::SecurityGroup, "acme/main/y", replace(&rules(525)))
        .await;
    assert_eq!(refused, words(("invalid", "spec")));
    world
        .made(Kind::SecurityGroup, "acme/main/z", &rules(1))
        .await;
    let node = json!({"subnet": "front", "security_groups": ["x", "y", "z"]});
    let refused = world
        .refused(Kind::Node, "acme/main/db", create(&node))
        .await;
    assert_eq!(refused, words(("invalid", "spec.security_groups")));
}

#[tokio::test]
async fn peerings_are_asked_for_and_answered() {
    let world = World::furnished().await;
    world.made(Kind::Project, "other", &json!({})).await;
    world
        .made(
            Kind::Network,
            "other/same",
            &json!({"cidrs": ["10.0.0.0/24"]}),
        )
        .await;
    world
        .made(
            Kind::Network,
            "other/apart",
            &json!({"cidrs": ["10.9.0.0/16"]}),
        )
        .await;
    let spec =
        |peer: &str| json!({"network": "main", "peer_project": "other", "peer_network": peer});
    for (name, peer) in [("a", "same"), ("b", "apart"), ("c", "none")] {
        let asked = world
            .made(Kind::Peering, &format!("acme/{name}"), &spec(peer))
            .await;
        assert_eq!(asked["status"]["state"], "requested", "{peer}");
    }
    let answer = |name: &str, action| {
        let mut asked = mutation(Kind::Peering, &format!("acme/{name}"), action);
        asked.actor = editor("other");
        asked
    };
    let problem = world.mutate(answer("a", Action::Accept)).await.unwrap_err();
    assert_eq!(word(&problem), "conflict");
    let problem = world.mutate(answer("c", Action::Accept)).await.unwrap_err();
    assert_eq!(word(&problem), "not-found");
    let mut own = answer("b", Action::Accept);
    own.actor = editor("acme");
    assert_eq!(word(&world.mutate(own).await.unwrap_err()), "forbidden");
    let accepted = world.mutate(answer("b", Action::Accept)).await.unwrap();
    assert_eq!(accepted["status"]["state"], "accepted");
    let refused = world
        .refused(Kind::Network, "other/apart", Action::Delete)
        .await;
    assert_eq!(refused.0, "in-use");
    // One that was only asked for binds the asking side alone.
    world.deleted(Kind::Network, "other/same").await;
    let grown = replace(&json!({"cidrs": ["10.0.0.0/16", "10.9.1.0/24"]}));
    let refused = world.refused(Kind::Network, "acme/main", grown).await;
    assert_eq!(refused, words(("invalid", "spec.cidrs")));
    let mut incoming = listing(Kind::Peering, "other");
    incoming.actor = editor("other");
    let list = world.service.list(incoming).await.unwrap().items;
    assert_eq!(names(&list), ["a", "b", "c"]);
    let rejected = world.mutate(answer("b", Action::Reject)).await.unwrap();
    assert_eq!(rejected["status"]["state"], "rejected");
    world.deleted(Kind::Network, "other/apart").await;
}

#[tokio::test]
async fn a_host_is_removed_with_its_identity() {
    let world = World::furnished().await;
    let transaction = inlay_manager::store::Transaction {
        conditions: Vec::new(),
        operations: vec![inlay_manager::store::Operation::Put(
            inlay_manager::keys::host_identity("a"),
            "{}".into(),
        )],
    };
    world.store.commit(transaction).await.unwrap();
    world.deleted(Kind::Host, "a").await;
    let identity = inlay_manager::keys::host_identity("a");
    assert_eq!(world.store.get(&identity).await.unwrap(), None);
    // Its prefix can be given to another one.
    world
        .made(Kind::Host, "d", &json!({"prefix": "2001:db8:0:1::/64"}))
        .await;
}

/// All projects wait while a change is decided, so that it must not read a group for each node that is in it.
#[tokio::test]
async fn a_change_of_a_group_reads_each_other_group_once() {
    let store = Arc::new(MemoryStore::default());
    let world = World::on(store.clone()).await;
    world.furnish().await;
    let empty = json!({"inbound": [], "outbound": []});
    for name in ["web", "g0", "g1", "g2", "g3", "g4"] {
        let path = format!("acme/main/{name}");
        world.made(Kind::SecurityGroup, &path, &empty).await;
    }
    for set in 1..32_u32 {
        let others = (0..5).filter(|nth| set & (1 << nth) != 0);
        let mut groups: Vec<String> = others.map(|nth| format!("g{nth}")).collect();
        groups.push("web".into());
        let spec = json!({"subnet": "front", "security_groups": groups});
        world
            .made(Kind::Node, &format!("acme/main/n{set}"), &spec)
            .await;
    }
    let rule = json!({"protocol": "all", "peer": "10.0.0.0/8"});
    let wider = json!({"inbound": [rule], "outbound": []});
    let before = store.gets();
    let changed = world.act(Kind::SecurityGroup, "acme/main/web", replace(&wider));
    changed.await.unwrap();
    let gets = store.gets() - before;
    assert!(gets < 20, "{gets} reads for 6 groups");
}
