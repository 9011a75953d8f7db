//! States in YAML, and the records that they come to.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::{
    example::{
        EXAMPLE, HOST1, HOST2, RED, compiled, example, here, mapping, port, red_subnet, table,
    },
    interface, interfaces, state, tag, virtual_ip,
};
use inlay_agent::{
    compile::{Attachment, Compiled, Role},
    interface::Interfaces,
};
use inlay_core::{
    ids::MacAddress,
    tables::{
        limits::PORTS_MAX,
        records::{Config, ForwarderKey, NONE, PortRecord, RouteKind, RouteTarget},
    },
};

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
    let with_dhcp = EXAMPLE.replace("dhcp: false", "dhcp: true");
    let image = compiled(&state(&with_dhcp), &here(), &[]).image;
    let flags = PortRecord::MORE_ADDRESSES | PortRecord::DHCP;
    assert_eq!(common::example::port(&image, RED).1.flags, flags);
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
