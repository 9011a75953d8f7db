//! What stays where it is when a state or the interfaces change, and what does not.

#![allow(clippy::unwrap_used)]

mod common;

use common::{
    example::{EXAMPLE, RED, compiled, example, here, port, red_subnet},
    interface, interfaces, state, tag,
};
use inlay_agent::interface::Interfaces;
use inlay_dataplane::image::Image;

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

/// A flow is decided by all of these, so that a change of any has the flows of its network, and of no
/// other, decided anew.
#[test]
fn what_a_flow_depends_on_has_its_network_decided_anew() {
    let actual = example().image;
    let epoch = |image: &Image, vni: u32| {
        let network = image
            .networks
            .values()
            .find(|network| network.tag == tag(vni));
        network.unwrap().epoch
    };
    let rows = [
        ("nothing", "", "", [1, 1]),
        ("a description", "the shop", "the store", [1, 1]),
        (
            "a host that nobody is on",
            "hosts:",
            "hosts:\n  - { name: host3, prefix: \"2001:db8:0:3::/64\" }",
            [1, 1],
        ),
        (
            "the prefix of a host",
            "2001:db8:0:2::/64",
            "2001:db8:0:9::/64",
            [2, 2],
        ),
        (
            "the host's own prefix",
            "2001:db8:0:1::/64",
            "2001:db8:0:9::/64",
            [2, 2],
        ),
        (
            "where a node is",
            "host: host2\n        addresses: [10.0.1.11]",
            "host: host3\n        addresses: [10.0.1.11]",
            [2, 1],
        ),
        (
            "a node's address",
            "addresses: [10.0.1.11]",
            "addresses: [10.0.1.12]",
            [2, 1],
        ),
        (
            "a node's groups",
            "mac: \"02:00:00:00:aa:0b\"",
            "mac: \"02:00:00:00:aa:0b\"\n        security_groups: [ping-only]",
            [2, 1],
        ),
        (
            "a rule",
            "icmp: { type: 8, code: 0 }",
            "icmp: { type: 8 }",
            [2, 1],
        ),
        ("an entry of an ACL", "ports: 23", "ports: 24", [2, 1]),
        ("a route", "10.0.99.7/32", "10.0.99.8/32", [2, 1]),
        ("a subnet", "cidr: 10.0.2.0/24", "cidr: 10.0.2.0/25", [2, 1]),
        (
            "the forwarder",
            "host: host2\n        addresses: [10.0.2.10]",
            "host: host3\n        addresses: [10.0.2.10]",
            [2, 1],
        ),
    ];
    for (name, from, to, expected) in rows {
        let mut yaml = EXAMPLE.replacen(from, to, 1);
        if to.contains("host: host3") {
            yaml = yaml.replacen(
                "hosts:",
                "hosts:\n  - { name: host3, prefix: \"2001:db8:0:3::/64\" }",
                1,
            );
        }
        assert!(from.is_empty() || yaml != EXAMPLE, "{name}");
        let image = compiled(&state(&yaml), &here(), &[&actual]).image;
        assert_eq!(
            [epoch(&image, RED), epoch(&image, 0xbb)],
            expected,
            "{name}"
        );
    }
}
