//! Input that is wrong: a problem that names the field and the limit, nothing half done, and a manager that stays up.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

mod contract_support;
#[path = "http_support/fake.rs"]
mod fake;
mod http_support;

use contract_support::{MAIN, World, named, network};
use serde_json::{Value, json};

const NETWORKS: &str = "/v1/projects/acme/networks";

/// A row: what is posted where, and which field is wrong for which reason.
struct Row {
    name: &'static str,
    path: String,
    body: Value,
    field: &'static str,
    says: &'static str,
}

fn row(
    name: &'static str,
    path: &str,
    body: Value,
    field: &'static str,
    says: &'static str,
) -> Row {
    Row {
        name,
        path: path.to_owned(),
        body,
        field,
        says,
    }
}

fn rule(changed: &Value) -> Value {
    let mut rule = json!({"protocol": "tcp", "peer": "0.0.0.0/0"});
    for (key, value) in changed.as_object().unwrap() {
        rule[key] = value.clone();
    }
    named("bad", &json!({"inbound": [rule]}))
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let subnets = &format!("{MAIN}/subnets");
    let groups = &format!("{MAIN}/security-groups");
    let acls = &format!("{MAIN}/acls");
    let tables = &format!("{MAIN}/route-tables");
    let nodes = &format!("{MAIN}/nodes");
    let subnet = |cidr: &str| named("bad", &json!({"cidr": cidr}));
    let node = |spec: Value| named("bad", &spec);
    vec![
        row("no name", NETWORKS, json!({"spec": {"cidrs": ["10.0.0.0/8"]}}), "metadata.name", ""),
        row("upper case", NETWORKS, network("Main", "10.0.0.0/8"), "metadata.name", "a-z"),
        row("long name", NETWORKS, network(&"x".repeat(64), "10.0.0.0/8"), "metadata.name", "63"),
        row("no CIDR", NETWORKS, named("bad", &json!({"cidrs": []})), "spec.cidrs", ""),
        row("host bits", NETWORKS, network("bad", "10.0.0.1/8"), "spec.cidrs[0]", "10.0.0.0/8"),
        row("no IPv4", NETWORKS, network("bad", "fd00::/64"), "spec.cidrs[0]", ""),
        row("reserved", NETWORKS, network("bad", "127.0.0.0/8"), "spec.cidrs[0]", ""),
        row("multicast", NETWORKS, network("bad", "224.0.0.0/8"), "spec.cidrs[0]", ""),
        row("overlap", NETWORKS, named("bad", &json!({"cidrs": ["10.0.0.0/8", "10.1.0.0/16"]})), "spec.cidrs[1]", "10.0.0.0/8"),
        row("unknown field", NETWORKS, named("bad", &json!({"cidrs": ["10.0.0.0/8"], "color": 1})), "color", "color"),
        row("wrong type", NETWORKS, named("bad", &json!({"cidrs": "10.0.0.0/8"})), "cidrs", ""),
        row("other kind", NETWORKS, json!({"kind": "node", "metadata": {"name": "bad"}, "spec": {"cidrs": ["10.0.0.0/8"]}}), "kind", "network"),
        row("many CIDRs", NETWORKS, named("bad", &json!({"cidrs": (0..17).map(|it| format!("10.{it}.0.0/16")).collect::<Vec<_>>()})), "spec.cidrs", "16"),
        row("many labels", NETWORKS, json!({"metadata": {"name": "bad", "labels": (0..17).map(|it| (format!("l{it}"), json!("x"))).collect::<serde_json::Map<_, _>>()}, "spec": {"cidrs": ["10.0.0.0/8"]}}), "metadata.labels", "16"),
        row("outside", subnets, subnet("10.200.0.0/24"), "spec.cidr", ""),
        row("subnets overlap", subnets, subnet("10.0.1.0/24"), "spec.cidr", "a"),
        row("subnet's host bits", subnets, subnet("10.0.99.1/24"), "spec.cidr", "10.0.99.0/24"),
        row("too small", subnets, subnet("10.0.99.0/31"), "spec.cidr", "30"),
        row("gateway outside", subnets, named("bad", &json!({"cidr": "10.0.99.0/24", "gateway": "10.0.98.1"})), "spec.gateway", ""),
        row("no such ACL", subnets, named("bad", &json!({"cidr": "10.0.99.0/24", "acl": "none"})), "spec.acl", "no such access control list"),
        row("reversed ports", groups, rule(&json!({"ports": "90-80"})), "spec.inbound[0].ports", ""),
        row("no port", groups, rule(&json!({"ports": "70000"})), "spec.inbound[0].ports", "65535"),
        row("ports of ICMP", groups, rule(&json!({"protocol": "icmp", "ports": "80"})), "spec.inbound[0].ports", ""),
        row("no protocol", groups, rule(&json!({"protocol": "quic"})), "spec.inbound[0].protocol", ""),
        row("no such group", groups, rule(&json!({"peer": "group:none"})), "spec.inbound[0].peer", "none"),
        row("peer's host bits", groups, rule(&json!({"peer": "10.0.0.1/8"})), "spec.inbound[0].peer", "10.0.0.0/8"),
        row("same number", acls, named("bad", &json!({"inbound": [
            {"number": 1, "action": "allow", "protocol": "all", "peer": "0.0.0.0/0"},
            {"number": 1, "action": "deny", "protocol": "all", "peer": "0.0.0.0/0"}]})), "spec.inbound[1].number", ""),
        row("number", acls, named("bad", &json!({"inbound": [
            {"number": 40000, "action": "allow", "protocol": "all", "peer": "0.0.0.0/0"}]})), "spec.inbound[0].number", "32766"),
        row("action", acls, named("bad", &json!({"inbound": [
            {"number": 1, "action": "perhaps", "protocol": "all", "peer": "0.0.0.0/0"}]})), "spec.inbound[0].action", "allow"),
        row("target", tables, named("bad", &json!({"routes": [{"destination": "192.0.2.0/24", "target": "vpn"}]})), "spec.routes[0].target", ""),
        row("no such router", tables, named("bad", &json!({"routes": [{"destination": "192.0.2.0/24", "target": "node:none"}]})), "spec.routes[0].target", "none"),
        row("no such subnet", nodes, node(json!({"subnet": "none"})), "spec.subnet", "no such subnet"),
        row("gateway's address", nodes, node(json!({"subnet": "a", "addresses": ["10.0.0.1"]})), "spec.addresses[0]", ""),
        row("network's address", nodes, node(json!({"subnet": "a", "addresses": ["10.0.0.0"]})), "spec.addresses[0]", ""),
        row("outside the subnet", nodes, node(json!({"subnet": "a", "addresses": ["10.0.99.9"]})), "spec.addresses[0]", ""),
        row("many addresses", nodes, node(json!({"subnet": "a", "address_count": 17})), "spec.address_count", "16"),
        row("multicast MAC", nodes, node(json!({"subnet": "a", "mac": "01:00:00:00:00:01"})), "spec.mac", ""),
        row("flows", nodes, node(json!({"subnet": "a", "flows_max": 100})), "spec.flows_max", "power of two"),
        row("device", nodes, node(json!({"subnet": "a", "type": "device"})), "spec.interface", ""),
        row("no such host", nodes, node(json!({"subnet": "a", "placement": {"host": "none"}})), "spec.placement.host", "no such host"),
        row("prefix", "/v1/hosts", named("bad", &json!({"prefix": "2001:db8::/48"})), "spec.prefix", "64"),
        row("taken prefix", "/v1/hosts", named("bad", &json!({"prefix": "2001:db8:0:1::/64"})), "spec.prefix", "another host"),
        row("expired", "/v1/tokens", named("bad", &json!({"role": "reader", "project": "acme", "expires_at": "yesterday"})), "spec.expires_at", ""),
    ]
}

#[test]
fn what_is_wrong_is_named_and_nothing_is_done() {
    let world = World::furnished();
    let before = world.revision();
    let mut wrong = Vec::new();
    for Row {
        name,
        path,
        body,
        field,
        says,
    } in rows()
    {
        let answer = world.admin.post(&path, &body);
        let text = answer.body.to_string();
        let is_problem = [400, 409, 422].contains(&answer.status)
            && answer.header("content-type") == "application/problem+json";
        let errors = answer.body["errors"].as_array();
        let named = errors.is_some_and(|errors| {
            errors
                .iter()
                .any(|error| error["field"].as_str().unwrap().contains(field))
        });
        if !(is_problem && named && text.contains(says)) {
            wrong.push(format!("{name}: {} {text}", answer.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(world.revision(), before);
}

#[test]
fn ten_thousand_rules_are_refused_with_the_limit() {
    let world = World::furnished();
    let rules = |count: usize| -> Vec<Value> {
        let rule = |number: usize| json!({"protocol": "tcp", "ports": (1 + number).to_string(), "peer": "10.0.0.0/8"});
        (0..count).map(rule).collect()
    };
    let group = |count| named("many", &json!({"inbound": rules(count)}));
    let groups = format!("{MAIN}/security-groups");
    let before = world.revision();
    let answer = world.admin.post(&groups, &group(10_000));
    assert!([403, 422].contains(&answer.status), "{answer:?}");
    assert!(answer.body.to_string().contains("1000"), "{answer:?}");
    assert_eq!(world.revision(), before);
    world.admin.post(&groups, &group(1_000)).expect(201);
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let world = World::furnished();
    let body = named(
        "bad",
        &json!({"cidrs": ["10.0.0.1/8", "x"], "dns_servers": ["y"]}),
    );
    let answer = world.admin.post(NETWORKS, &body).expect_problem(422);
    let errors = answer.body["errors"].as_array().unwrap();
    let fields: Vec<_> = errors
        .iter()
        .map(|it| it["field"].as_str().unwrap())
        .collect();
    assert_eq!(
        fields,
        ["spec.cidrs[0]", "spec.cidrs[1]", "spec.dns_servers[0]"]
    );
}

#[test]
fn of_many_nodes_all_are_made_or_none() {
    let world = World::furnished();
    let small = named("small", &json!({"cidr": "10.0.99.0/28"}));
    world
        .admin
        .post(&format!("{MAIN}/subnets"), &small)
        .expect(201);
    let before = world.revision();
    let body = named("web", &json!({"subnet": "small"}));
    let answer = world.admin.post(&format!("{MAIN}/nodes?count=20"), &body);
    assert!([409, 422].contains(&answer.status), "{answer:?}");
    assert_eq!(world.revision(), before);
    world
        .admin
        .post(&format!("{MAIN}/nodes?count=10"), &body)
        .expect(201);
}
