//! Policies: those that are shared, those without rules, and those that are too large.

#![allow(clippy::unwrap_used)]

mod common;

use common::{
    example::{EXAMPLE, RED, compiled, here, port, red_subnet},
    interface, state, tag,
};
use inlay_agent::compile::{CompileError, Compiled, compile};

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
    let rules = (0..1024)
        .map(|port| {
            format!(
                "\n          - {{ protocol: tcp, ports: {port}, peer: 10.{}.0.0/16 }}",
                port % 200
            )
        })
        .collect::<Vec<_>>()
        .concat();
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
    let groups = (0..12)
        .map(|group| format!("\n      - {{ name: g{group} }}"))
        .collect::<Vec<_>>()
        .concat();
    let nodes = (1..4096_u32)
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
        .collect::<Vec<_>>()
        .concat();
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
