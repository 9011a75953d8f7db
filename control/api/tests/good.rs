//! Good files: the example of the documentation, and what is filled in where a file says nothing.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use inlay_api::{
    HostState, IcmpMatch, L4PortRange, Peer, Place, RouteTarget, Traffic, XdpMode, read_file,
    read_yaml,
};

fn example() -> HostState {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/host.yaml");
    read_file(&path).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn read(yaml: &str) -> HostState {
    read_yaml("host.yaml", yaml.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"))
}

#[test]
fn example_is_read() {
    let state = example();
    assert_eq!(state.host().name.as_str(), "host1");
    assert_eq!(state.host().substrate_mtu.virtual_mtu(), 1500);
    assert_eq!(
        state.host().prefix.octets(),
        [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1]
    );
    assert_eq!(state.networks().len(), 2);
    let [red, blue] = state.networks() else {
        panic!("two networks")
    };
    assert_eq!((red.vni.get(), blue.vni.get()), (0xaa, 0xbb));
    assert_eq!(state.mappings().count(), 6);
    let ports: Vec<_> = state
        .local_ports()
        .map(|port| port.port.interface.to_string())
        .collect();
    assert_eq!(ports, ["red-a", "blue-a"]);
}

#[test]
fn references_are_resolved() {
    let state = example();
    let red = &state.networks()[0];
    let a = &red.nodes[0];
    assert!(state.is_local(a));
    assert_eq!(a.primary_address().to_string(), "10.0.1.10");
    assert_eq!(a.mac.to_string(), "02:00:00:00:aa:0a");
    let Place::Local(port) = &a.place else {
        panic!("a is on host1")
    };
    assert_eq!((port.flows_max.get(), port.new_flows_per_s), (8192, 10_000));
    let subnet = red.subnet(a.subnet);
    assert_eq!(subnet.name.as_str(), "front");
    assert_eq!(red.acl_of(subnet).unwrap().name.as_str(), "no-telnet");
    let groups: Vec<_> = red.groups_of(a).map(|group| group.name.as_str()).collect();
    assert_eq!(groups, ["default", "ping-only"]);
    let Peer::Group(default) = red.security_groups[0].inbound[0].peer else {
        panic!("a group")
    };
    let members: Vec<_> = red
        .members(default)
        .map(|node| node.name.as_str())
        .collect();
    assert_eq!(members, ["a", "b", "firewall"]);
    let Place::Remote(host) = red.nodes[1].place else {
        panic!("b is on host2")
    };
    assert_eq!(state.remote_host(host).name.as_str(), "host2");
    assert_eq!(
        state.prefix_of(&red.nodes[1]).to_string(),
        "2001:db8:0:2::/64"
    );
}

#[test]
fn routes_are_in_lookup_order() {
    let state = example();
    let red = &state.networks()[0];
    let front = red.routes(&red.subnets[0]);
    let told: Vec<_> = front
        .iter()
        .map(|route| (route.destination.to_string(), route.target))
        .collect();
    let RouteTarget::Node(firewall) = told[3].1 else {
        panic!("the default route")
    };
    assert_eq!(red.node(firewall).name.as_str(), "firewall");
    let expected = [
        ("10.0.99.7/32".to_owned(), RouteTarget::Local),
        ("10.0.99.0/24".to_owned(), RouteTarget::Blackhole),
        ("10.0.0.0/16".to_owned(), RouteTarget::Local),
        ("0.0.0.0/0".to_owned(), RouteTarget::Node(firewall)),
    ];
    assert_eq!(told, expected);
    let back = red.routes(&red.subnets[1]);
    assert_eq!(back.len(), 1);
    assert_eq!(back[0].target, RouteTarget::Local);
}

#[test]
fn traffic_is_typed() {
    let state = example();
    let red = &state.networks()[0];
    let default = &red.security_groups[0].inbound;
    assert_eq!(default[0].traffic, Traffic::Icmp(IcmpMatch::Any));
    assert_eq!(
        default[1].traffic,
        Traffic::Tcp(L4PortRange::new(5201, 5201).unwrap())
    );
    assert_eq!(
        default[3].traffic,
        Traffic::Udp(L4PortRange::new(9000, 9999).unwrap())
    );
    let ping = &red.security_groups[1].inbound;
    assert_eq!(ping[0].traffic, Traffic::Icmp(IcmpMatch::TypeAndCode(8, 0)));
    assert!(matches!(ping[1].traffic, Traffic::Protocol(gre) if gre.get() == 47));
    let numbers: Vec<_> = red.acls[0]
        .inbound
        .iter()
        .map(|entry| entry.number)
        .collect();
    assert_eq!(numbers, [100, 200]);
}

#[test]
fn defaults_are_filled_in() {
    let state = read(
        "version: 1
host: {name: h, prefix: '2001:db8::/64', uplinks: [eth0]}
networks:
- name: red
  vni: 16777215
  cidrs: [10.0.0.0/8]
  subnets: [{name: s, cidr: 10.0.1.0/30}]
  security_groups: [{name: default}, {name: numbers, inbound: [{protocol: 6, ports: 80, peer: 0.0.0.0/0}]}]
  nodes: [{name: a, host: h, addresses: [10.0.1.2], mac: 02:00:00:00:00:0A, interface: tap0}]
",
    );
    let host = state.host();
    assert_eq!((host.substrate_mtu.get(), host.hop_limit_min), (1528, 240));
    assert_eq!(
        (host.xdp_mode, host.flows_per_port.get()),
        (XdpMode::Native, 4096)
    );
    let red = &state.networks()[0];
    assert_eq!(red.subnets[0].gateway.to_string(), "10.0.1.1");
    assert_eq!(red.groups_of(&red.nodes[0]).count(), 1);
    assert!(!red.nodes[0].forwarding);
    assert!(!red.nodes[0].dhcp);
    let http = Traffic::Tcp(L4PortRange::new(80, 80).unwrap());
    assert_eq!(red.security_groups[1].inbound[0].traffic, http);
}

#[test]
fn a_host_may_have_no_network() {
    let state = read(
        "version: 1\nhost: {name: h, prefix: '2001:db8::/64', uplinks: [eth0]}\nnetworks: []\n",
    );
    assert_eq!(state.mappings().count() + state.local_ports().count(), 0);
}

#[test]
fn byte_order_mark_and_carriage_returns_are_taken() {
    let yaml = "\u{feff}version: 1\r\nhost:\r\n  name: h\r\n  prefix: 2001:db8::/64\r\n  uplinks: [eth0]\r\nnetworks: []\r\n";
    assert_eq!(read(yaml).host().name.as_str(), "h");
}

#[test]
fn the_order_of_acl_entries_is_their_number() {
    let acl = |entries: &str| {
        read(&format!(
            "version: 1
host: {{name: h, prefix: '2001:db8::/64', uplinks: [eth0]}}
networks: [{{name: red, vni: 1, cidrs: [10.0.0.0/8], acls: [{{name: x, inbound: [{entries}]}}], nodes: []}}]
"
        ))
    };
    let low = "{number: 1, action: deny, protocol: tcp, peer: 0.0.0.0/0}";
    let high = "{number: 2, action: allow, protocol: all, peer: 0.0.0.0/0}";
    assert_eq!(
        acl(&format!("{low}, {high}")),
        acl(&format!("{high}, {low}"))
    );
}

#[test]
fn state_goes_out_as_json() {
    let json = serde_json::to_value(example()).unwrap();
    assert_eq!(json["host"]["prefix"], "2001:db8:0:1::/64");
    let red = &json["networks"][0];
    assert_eq!(red["vni"], 0xaa);
    assert_eq!(red["nodes"][0]["mac"], "02:00:00:00:aa:0a");
    assert_eq!(red["nodes"][0]["place"]["local"]["interface"], "red-a");
    assert_eq!(red["nodes"][1]["place"]["remote"], 0);
    assert_eq!(
        red["security_groups"][0]["inbound"][1]["traffic"]["tcp"]["first"],
        5201
    );
    assert_eq!(red["security_groups"][0]["inbound"][1]["peer"]["group"], 0);
}
