//! Objects as they are in the store.

use inlay_manager::store::Operation;
use serde_json::{Value, json};

use super::memory::put;

pub(crate) const PROJECT: &str = "acme";

pub(crate) fn host(number: u32) -> (String, Value) {
    let name = format!("h{number}");
    let object = json!({
        "kind": "host",
        "metadata": { "name": name },
        "spec": { "prefix": format!("2001:db8:0:{number:x}::/64"), "flows_per_port": 2048 },
    });
    (format!("objects/host/{name}"), object)
}

pub(crate) fn network(name: &str, vni: u32) -> (String, Value) {
    let object = json!({
        "kind": "network",
        "metadata": { "project": PROJECT, "name": name },
        "spec": { "cidrs": ["10.0.0.0/8"], "dns_servers": ["10.0.0.53"], "dns_domain": "acme.test" },
        "status": { "vni": vni },
    });
    (format!("objects/network/{PROJECT}/{name}"), object)
}

fn part(kind: &str, network: &str, name: &str, spec: &Value) -> (String, Value) {
    let object = json!({
        "kind": kind,
        "metadata": { "project": PROJECT, "network": network, "name": name },
        "spec": spec,
    });
    (format!("objects/{kind}/{PROJECT}/{network}/{name}"), object)
}

pub(crate) fn subnet(network: &str, name: &str) -> (String, Value) {
    let (key, mut object) = part("subnet", network, name, &json!({ "cidr": "10.0.0.0/9" }));
    object["status"] = json!({ "gateway": "10.0.0.1" });
    (key, object)
}

pub(crate) fn group(network: &str, name: &str, port: u16) -> (String, Value) {
    let rule = json!({ "protocol": "tcp", "ports": port.to_string(), "peer": "10.0.0.0/8" });
    part(
        "security-group",
        network,
        name,
        &json!({ "inbound": [rule] }),
    )
}

pub(crate) fn acl(network: &str, name: &str) -> (String, Value) {
    let entry = json!({ "number": 100, "action": "allow", "protocol": "icmp", "icmp": { "type": 8 }, "peer": "0.0.0.0/0" });
    part("acl", network, name, &json!({ "inbound": [entry] }))
}

pub(crate) fn route_table(network: &str, name: &str) -> (String, Value) {
    let route = json!({ "destination": "192.0.2.0/24", "target": "blackhole" });
    part("route-table", network, name, &json!({ "routes": [route] }))
}

/// A node `nNUMBER` on the host `hHOST`.
pub(crate) fn node(network: &str, number: u32, host: u32) -> (String, Value) {
    let (key, mut object) = part(
        "node",
        network,
        &format!("n{number}"),
        &json!({ "subnet": "a" }),
    );
    object["metadata"]["uid"] = json!(format!("0198c0de-0000-7000-8000-{number:012x}"));
    object["status"] = json!({
        "host": format!("h{host}"),
        "addresses": [std::net::Ipv4Addr::from_bits(0x0a00_0010 + number).to_string()],
        "mac": format!("02:00:00:{:02x}:{:02x}:{:02x}", number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff),
        "interface": format!("inl{number:x}"),
    });
    (key, object)
}

pub(crate) fn write((key, object): (String, Value)) -> Operation {
    put(&key, &object)
}

/// All that a network `name` consists of before it has nodes.
pub(crate) fn network_with_parts(name: &str, vni: u32) -> Vec<(String, Value)> {
    vec![
        network(name, vni),
        subnet(name, "a"),
        group(name, "default", 22),
        acl(name, "default"),
    ]
}
