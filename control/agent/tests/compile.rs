//! States in YAML, and the records that they come to.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::{interface, interfaces, state, tag, virtual_ip};
use inlay_agent::{
    compile::{Attachment, CompileError, Compiled, Role, compile},
    interface::Interfaces,
};
use inlay_api::HostState;
use inlay_core::{
    ids::{HostPrefix, MacAddress},
    tables::{
        limits::PORTS_MAX,
        records::{
            Config, ForwarderKey, Interval, MappingKey, MappingRecord, NONE, PortRecord, RouteKind,
            RouteTarget, Span, SubnetRecord,
        },
    },
};
use inlay_dataplane::image::Image;

const EXAMPLE: &str = include_str!("../../api/examples/host.yaml");
const HOST1: HostPrefix = HostPrefix::from_octets([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1]);
const HOST2: HostPrefix = HostPrefix::from_octets([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 2]);
const RED: u32 = 0xaa;

/// uplink0 is 11, red-a 12, blue-a 13.
fn here() -> Interfaces {
    interfaces(["uplink0", "red-a", "blue-a"])
}

fn compiled(state: &HostState, interfaces: &Interfaces, previous: &[&Image]) -> Compiled {
    compile(state, interfaces, previous).unwrap()
}

fn example() -> Compiled {
    compiled(&state(EXAMPLE), &here(), &[])
}

fn port(image: &Image, vni: u32) -> (u32, PortRecord) {
    let found = image.ports.iter().find(|(_, port)| port.tag == tag(vni));
    found.map(|(slot, port)| (*slot, *port)).unwrap()
}

fn mapping(image: &Image, address: &str) -> MappingRecord {
    image.mappings[&MappingKey {
        tag: tag(RED),
        virtual_ip: virtual_ip(address),
    }]
}

fn red_subnet(image: &Image, address: &str) -> (u32, SubnetRecord) {
    let is_it = |it: &SubnetRecord| it.tag == tag(RED) && it.virtual_ip == virtual_ip(address);
    let found = image.subnets.iter().find(|(_, subnet)| is_it(subnet));
    found.map(|(slot, subnet)| (*slot, *subnet)).unwrap()
}

fn table(image: &Image, span: Span) -> Vec<(String, u32)> {
    let places = span.base..span.base + span.count;
    places
        .map(|place| {
            let Interval { start, value } = image.intervals[&place];
            (std::net::Ipv4Addr::from_bits(start).to_string(), value)
        })
        .collect()
}

#[test]
fn the_host() {
    let image = example().image;
    assert_eq!(
        image.config,
        Config {
            prefix: HOST1,
            virtual_mtu: 1500,
            hop_limit_min: 240
        }
    );
    assert_eq!(image.hosts, BTreeMap::from([(0, HOST1), (1, HOST2)]));
    let (red, blue) = (port(&image, RED).0, port(&image, 0xbb).0);
    assert_eq!(
        image.devices,
        BTreeMap::from([(11, PORTS_MAX), (12, red), (13, blue)])
    );
    let attachment = |name: &str, role| Attachment {
        interface: name.to_owned(),
        role,
    };
    let expected = [
        (11, attachment("uplink0", Role::Uplink)),
        (12, attachment("red-a", Role::Port)),
        (13, attachment("blue-a", Role::Port)),
    ];
    assert_eq!(example().attachments, BTreeMap::from(expected));
}

#[test]
fn a_port() {
    let image = example().image;
    let (_, port) = port(&image, RED);
    let (network, _) = image
        .networks
        .iter()
        .find(|(_, it)| it.tag == tag(RED))
        .unwrap();
    let expected = PortRecord {
        host_prefix: HOST1,
        mac: MacAddress::from_octets([2, 0, 0, 0, 0xaa, 0x0a]),
        device_mac: MacAddress::from_octets(interface(12).mac),
        tag: tag(RED),
        virtual_ip: virtual_ip("10.0.1.10"),
        interface_index: 12,
        network: *network,
        subnet: red_subnet(&image, "10.0.1.0").0,
        policy: port.policy,
        ring_base: 0,
        ring_mask: 8191,
        new_flows_per_s: 10_000,
        flags: PortRecord::MORE_ADDRESSES,
    };
    assert_eq!(port, expected);
    assert!(*network > 0, "slot 0 stands for none");
    assert_eq!(image.networks[network].epoch, 1);
    assert_eq!(image.policies[&port.policy].rules, 7);
}

#[test]
fn mappings_and_forwarders() {
    let image = example().image;
    let (slot, _) = port(&image, RED);
    assert_eq!(mapping(&image, "10.0.1.10").port, slot);
    assert_eq!(mapping(&image, "10.0.1.20"), mapping(&image, "10.0.1.10"));
    assert_eq!(mapping(&image, "10.0.1.10").host, 0);
    assert_eq!(
        (
            mapping(&image, "10.0.1.11").host,
            mapping(&image, "10.0.1.11").port
        ),
        (1, NONE)
    );
    let groups = |address| mapping(&image, address).groups;
    assert_eq!(groups("10.0.1.11"), groups("10.0.2.10"));
    assert_ne!(
        groups("10.0.1.11"),
        groups("10.0.1.10"),
        "it is in another group as well"
    );
    let key = ForwarderKey {
        prefix: HOST2,
        tag: tag(RED),
        reserved: 0,
    };
    let network = port(&image, RED).1.network;
    assert_eq!(image.forwarders, BTreeMap::from([(key, network)]));
}

#[test]
fn subnets_and_routes() {
    let image = example().image;
    let (front, record) = red_subnet(&image, "10.0.1.0");
    let (back, plain) = red_subnet(&image, "10.0.2.0");
    assert_eq!(record.mask, virtual_ip("255.255.255.0").0);
    assert_eq!(record.gateway, virtual_ip("10.0.1.1"));
    assert_eq!(
        (record.network, plain.acl),
        (port(&image, RED).1.network, NONE)
    );
    assert_eq!(image.policies[&record.acl].rules, 3);
    let text = |rows: &[(&str, u32)]| -> Vec<(String, u32)> {
        rows.iter()
            .map(|(start, value)| ((*start).to_owned(), *value))
            .collect()
    };
    let subnets = image.networks[&record.network].subnets;
    let expected = [
        ("0.0.0.0", NONE),
        ("10.0.1.0", front),
        ("10.0.2.0", back),
        ("10.0.3.0", NONE),
    ];
    assert_eq!(table(&image, subnets), text(&expected));
    let place = |kind, address| {
        let target = RouteTarget {
            kind,
            virtual_ip: virtual_ip(address),
        };
        *image
            .route_targets
            .iter()
            .find(|(_, it)| **it == target)
            .unwrap()
            .0
    };
    let local = place(RouteKind::LOCAL, "0.0.0.0");
    let hole = place(RouteKind::BLACKHOLE, "0.0.0.0");
    let node = place(RouteKind::VIA_NODE, "10.0.2.10");
    let expected = [
        ("0.0.0.0", node),
        ("10.0.0.0", local),
        ("10.0.99.0", hole),
        ("10.0.99.7", local),
        ("10.0.99.8", hole),
        ("10.0.100.0", local),
        ("10.1.0.0", node),
    ];
    assert_eq!(table(&image, record.routes), text(&expected));
    assert_eq!(image.route_targets[&0], RouteTarget::default());
    let expected = [("0.0.0.0", 0), ("10.0.0.0", local), ("10.1.0.0", 0)];
    assert_eq!(table(&image, plain.routes), text(&expected));
}

#[test]
fn labels_name_what_the_numbers_stand_for() {
    let Compiled { image, labels, .. } = example();
    let (slot, port) = port(&image, RED);
    assert_eq!(labels.ports[&slot].name, "a");
    assert_eq!(labels.ports[&slot].network, "red");
    assert_eq!(labels.subnets[&port.subnet], "front");
    assert_eq!(labels.hosts[&1], "host2");
    let policy = &labels.policies[&port.policy];
    assert_eq!(
        policy.name,
        "security groups default+ping-only of network red"
    );
    let expected = [
        "allow outbound all to 0.0.0.0/0 (security group default)",
        "allow inbound icmp from group:default (security group default)",
        "allow inbound icmp type 8 code 0 from 0.0.0.0/0 (security group ping-only)",
        "allow inbound tcp 5201 from group:default (security group default)",
        "allow inbound tcp 8080 from 10.0.0.0/16 (security group default)",
        "allow inbound udp 9000-9999 from group:default (security group default)",
        "allow inbound protocol 47 from 10.0.2.0/24 (security group ping-only)",
    ];
    assert_eq!(policy.rules, expected);
    let acl = &labels.policies[&image.subnets[&port.subnet].acl];
    assert_eq!(
        acl.rules[0],
        "100: allow outbound all to 0.0.0.0/0 (ACL no-telnet)"
    );
    let rules = image
        .policies
        .iter()
        .map(|(slot, policy)| (*slot, policy.rules as usize));
    let named = labels
        .policies
        .iter()
        .map(|(slot, policy)| (*slot, policy.rules.len()));
    assert!(rules.eq(named), "each rule of each policy has its text");
}

#[test]
fn a_port_without_its_interface_is_left_out() {
    let rows: &[(&str, Interfaces, &str)] = &[
        (
            "it is not there",
            interfaces(["uplink0", "blue-a"]),
            "there is no interface red-a; create it",
        ),
        (
            "its number collides",
            Interfaces::from([
                ("uplink0".to_owned(), interface(11)),
                ("red-a".to_owned(), interface(11 + (1 << 16))),
                ("blue-a".to_owned(), interface(13)),
            ]),
            "the number of interface red-a, 65547, ends in the same 16 bits as that of uplink0; \
             re-create the interface",
        ),
    ];
    for (name, interfaces, reason) in rows {
        let Compiled { image, status, .. } = compiled(&state(EXAMPLE), interfaces, &[]);
        assert_eq!(image.ports.len(), 1, "{name}");
        assert_eq!(image.networks.len(), 1, "{name}: red has no port here");
        assert!(
            image.mappings.keys().all(|key| key.tag == tag(0xbb)),
            "{name}"
        );
        let [degraded] = status.degraded.as_slice() else {
            panic!("{name}: {status:?}")
        };
        assert_eq!(degraded.reason, *reason, "{name}");
        assert_eq!(
            (degraded.network.as_deref(), degraded.node.as_deref()),
            (Some("red"), Some("a"))
        );
    }
}

#[test]
fn of_two_colliding_interfaces_the_one_in_use_stays() {
    let actual = example().image;
    let mut later = here();
    later.insert("blue-a".to_owned(), interface(12 + (1 << 16)));
    let image = compiled(&state(EXAMPLE), &later, &[&actual]).image;
    assert_eq!(port(&image, RED), port(&actual, RED));
    assert_eq!(image.ports.len(), 1);
    let used = compiled(
        &state(EXAMPLE),
        &interfaces(["uplink0", "-", "blue-a"]),
        &[],
    )
    .image;
    let both = Interfaces::from([
        ("uplink0".to_owned(), interface(11)),
        ("red-a".to_owned(), interface(13 + (1 << 16))),
        ("blue-a".to_owned(), interface(13)),
    ]);
    let image = compiled(&state(EXAMPLE), &both, &[&used]).image;
    assert_eq!(
        image
            .ports
            .values()
            .map(|port| port.tag)
            .collect::<Vec<_>>(),
        [tag(0xbb)]
    );
}

#[test]
fn a_port_keeps_its_slot() {
    let actual = example().image;
    let (slot, before) = port(&actual, RED);
    let rows = [
        ("its interface is made anew", EXAMPLE.to_owned(), 99),
        (
            "its node is renumbered",
            EXAMPLE.replace("[10.0.1.10, 10.0.1.20]", "[10.0.1.30]"),
            12,
        ),
        (
            "a port comes before it",
            EXAMPLE.replacen(
                "host: host2\n        addresses: [10.0.1.11]",
                "host: host1\n        interface: red-b\n        addresses: [10.0.1.11]",
                1,
            ),
            12,
        ),
    ];
    for (name, yaml, index) in rows {
        let mut here = here();
        here.insert("red-a".to_owned(), interface(index));
        here.insert("red-b".to_owned(), interface(50));
        let image = compiled(&state(&yaml), &here, &[&actual]).image;
        let after = image.ports[&slot];
        assert_eq!(
            (after.tag, after.interface_index),
            (tag(RED), index),
            "{name}"
        );
        assert_eq!(
            (after.ring_base, after.ring_mask),
            (before.ring_base, before.ring_mask),
            "{name}"
        );
        assert_eq!(image.networks[&after.network].epoch, 2, "{name}");
        let (_, blue) = port(&image, 0xbb);
        assert_eq!(
            blue,
            port(&actual, 0xbb).1,
            "{name}: the other network stays"
        );
        assert_eq!(image.networks[&blue.network].epoch, 1, "{name}");
    }
}

#[test]
fn what_changes_goes_to_other_places() {
    let actual = example().image;
    let yaml = EXAMPLE.replacen("ports: 5201", "ports: 5202", 1);
    let image = compiled(&state(&yaml), &here(), &[&actual]).image;
    let (before, after) = (port(&actual, RED).1, port(&image, RED).1);
    assert_ne!(after.policy, before.policy);
    let (old, policy) = (
        actual.policies[&before.policy],
        image.policies[&after.policy],
    );
    assert_ne!(policy.services, old.services);
    assert_eq!(policy.addresses, old.addresses, "the same content stays");
    assert_eq!(
        red_subnet(&image, "10.0.1.0"),
        red_subnet(&actual, "10.0.1.0")
    );
    let back = compiled(&state(EXAMPLE), &here(), &[&image, &actual]).image;
    let again = port(&back, RED).1;
    assert!(
        again.policy != after.policy && again.policy != before.policy,
        "both are in use"
    );
    assert_eq!(back.networks[&again.network].epoch, 3);
}

#[test]
fn ports_of_one_set_of_groups_share_a_policy() {
    let yaml = EXAMPLE.replacen(
        "host: host2\n        addresses: [10.0.1.11]",
        "host: host1\n        interface: red-b\n        security_groups: [ping-only, default]\n        addresses: [10.0.1.11]",
        1,
    );
    let mut here = here();
    here.insert("red-b".to_owned(), interface(14));
    let image = compiled(&state(&yaml), &here, &[]).image;
    let red = image.ports.values().filter(|port| port.tag == tag(RED));
    let policies: Vec<u32> = red.map(|port| port.policy).collect();
    assert_eq!(policies.len(), 2);
    assert_eq!(policies[0], policies[1]);
}

#[test]
fn groups_and_lists_without_rules_deny() {
    let yaml = "
version: 1
host: { name: host1, prefix: '2001:db8:0:1::/64', uplinks: [uplink0] }
networks:
  - name: red
    vni: 170
    cidrs: [10.0.0.0/16]
    subnets: [{ name: front, cidr: 10.0.1.0/24, acl: none }]
    security_groups: [{ name: none }]
    acls: [{ name: none }]
    nodes:
      - { name: a, host: host1, addresses: [10.0.1.10], mac: '02:00:00:00:aa:0a', security_groups: [none], interface: red-a }
";
    let Compiled { image, labels, .. } = compiled(&state(yaml), &here(), &[]);
    let (_, port) = port(&image, RED);
    let acl = red_subnet(&image, "10.0.1.0").1.acl;
    assert_eq!(port.policy, acl, "both come to the same");
    assert_eq!(image.policies[&acl].rules, 1);
    assert_eq!(image.rows[&image.policies[&acl].allow].0, [0; 16]);
    let label = &labels.policies[&acl];
    assert_eq!(
        label.name,
        "ACL none of network red, security groups none of network red"
    );
    assert_eq!(label.rules, ["deny everything, as there are no rules"]);
}

/// 1,024 rules are a policy; the state's own validation refuses one more.
#[test]
fn a_policy_takes_as_many_rules_as_a_state_may_have() {
    let rules: String = (0..1024)
        .map(|port| {
            format!(
                "\n          - {{ protocol: tcp, ports: {port}, peer: 10.{}.0.0/16 }}",
                port % 200
            )
        })
        .collect();
    let yaml = format!(
        "
version: 1
host: {{ name: host1, prefix: '2001:db8:0:1::/64', uplinks: [uplink0] }}
networks:
  - name: red
    vni: 170
    cidrs: [10.0.0.0/16]
    subnets: [{{ name: front, cidr: 10.0.1.0/24 }}]
    security_groups:
      - name: default
        inbound:{rules}
    nodes:
      - {{ name: a, host: host1, addresses: [10.0.1.10], mac: '02:00:00:00:aa:0a', interface: red-a }}
"
    );
    let image = compiled(&state(&yaml), &here(), &[]).image;
    assert_eq!(image.policies[&port(&image, RED).1.policy].rules, 1024);
}

/// Group numbers are spread over 32 bits, so each set of groups with a peer is an interval of its own.
#[test]
fn more_intervals_than_a_search_takes_are_refused() {
    let groups: String = (0..12)
        .map(|group| format!("\n      - {{ name: g{group} }}"))
        .collect();
    let nodes: String = (1..4096_u32)
        .map(|set| {
            let names: Vec<String> =
                (0..12).filter(|bit| set & (1 << bit) != 0).map(|bit| format!("g{bit}")).collect();
            let address = std::net::Ipv4Addr::from_bits(0x0a00_0100 + set);
            format!(
                "\n      - {{ name: n{set}, host: host2, addresses: [{address}], mac: '02:00:00:00:{:02x}:{:02x}', security_groups: [default, {}] }}",
                set >> 8,
                set & 0xff,
                names.join(", ")
            )
        })
        .collect();
    let yaml = format!(
        "
version: 1
host: {{ name: host1, prefix: '2001:db8:0:1::/64', uplinks: [uplink0] }}
hosts: [{{ name: host2, prefix: '2001:db8:0:2::/64' }}]
networks:
  - name: red
    vni: 170
    cidrs: [10.0.0.0/16]
    subnets: [{{ name: front, cidr: 10.0.0.0/16 }}]
    security_groups:
      - {{ name: default, inbound: [{{ protocol: all, peer: 'group:default' }}] }}{groups}
    nodes:
      - {{ name: a, host: host1, addresses: [10.0.0.10], mac: '02:00:00:00:aa:0a', interface: red-a }}{nodes}
"
    );
    let refusal = compile(&state(&yaml), &here(), &[]).unwrap_err();
    assert!(
        matches!(
            refusal,
            CompileError::TooManyIntervals { found: 4097.., .. }
        ),
        "{refusal}"
    );
    let text = refusal.to_string();
    assert!(
        text.starts_with("security groups default of network red splits security groups"),
        "{text}"
    );
}
