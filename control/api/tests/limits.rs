//! What is more than a state may hold is refused; what is just within is taken.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use inlay_api::limits::{
    ACL_ENTRIES_MAX, FLOWS_MAX, HOSTS_MAX, LOCAL_PORTS_MAX, MAPPINGS_MAX, NETWORK_CIDRS_MAX,
    NETWORKS_MAX, NODE_ADDRESSES_MAX, NODE_GROUPS_MAX, PROBLEMS_MAX, ROUTES_PER_TABLE_MAX,
    RULES_PER_PORT_MAX, SUBNETS_MAX,
};
use inlay_api::{HostState, Refusal, read_yaml};

const HOST: &str =
    "version: 1\nhost: {name: h, prefix: '2001:db8::/64', uplinks: [eth0], flows_per_port: 64}\n";

fn read(yaml: &str) -> Result<HostState, Refusal> {
    read_yaml("host.yaml", yaml.as_bytes())
}

/// `count` lines, made by their number.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut lines, n| {
        writeln!(lines, "{}", line(n)).unwrap();
        lines
    })
}

/// A file with one network, 10.0.0.0/8, and these lines in it.
fn in_network(lines: &str) -> String {
    let nodes = if lines.contains("  nodes:\n") {
        ""
    } else {
        "  nodes: []\n"
    };
    format!("{HOST}networks:\n- name: red\n  vni: 1\n  cidrs: [10.0.0.0/8]\n{lines}{nodes}")
}

/// Checks that `yaml(max)` is taken, and that `yaml(max + 1)` is refused with `expected` alone.
fn check_limit(max: usize, yaml: impl Fn(usize) -> String, expected: &str) {
    if let Err(refusal) = read(&yaml(max)) {
        panic!("{max} must be taken: {refusal}");
    }
    assert_eq!(read(&yaml(max + 1)).unwrap_err().to_string(), expected);
}

#[test]
fn hosts() {
    let yaml = |count| {
        let host = |n| format!("- {{name: h{n}, prefix: '2001:db8:1:{n:x}::/64'}}");
        format!("{HOST}hosts:\n{}networks: []\n", lines(count, host))
    };
    let expected =
        "host.yaml:4:3: hosts: 16384 other hosts are more than 16383; take 1 of them out";
    check_limit(HOSTS_MAX - 1, yaml, expected);
}

#[test]
fn networks() {
    let yaml = |count| {
        let network = |n| {
            format!(
                "- {{name: n{n}, vni: {}, cidrs: [10.0.0.0/8], nodes: []}}",
                n + 1
            )
        };
        format!("{HOST}networks:\n{}", lines(count, network))
    };
    let expected = "host.yaml:4:3: networks: 256 networks are more than 255; take 1 of them out";
    check_limit(NETWORKS_MAX, yaml, expected);
}

#[test]
fn cidrs() {
    let yaml = |count| {
        let cidrs = lines(count, |n| format!("  - 10.{n}.0.0/16"));
        format!("{HOST}networks:\n- name: red\n  vni: 1\n  cidrs:\n{cidrs}  nodes: []\n")
    };
    let expected =
        "host.yaml:7:5: networks[0].cidrs: 17 cidrs are more than 16; take 1 of them out";
    check_limit(NETWORK_CIDRS_MAX, yaml, expected);
}

#[test]
fn subnets() {
    let yaml = |count| {
        let subnet = |n| format!("  - {{name: s{n}, cidr: 10.{}.{}.0/24}}", n / 256, n % 256);
        in_network(&format!("  subnets:\n{}", lines(count, subnet)))
    };
    let expected =
        "host.yaml:4:3: networks: 1025 subnets in all networks are more than 1024; take 1 out";
    check_limit(SUBNETS_MAX, yaml, expected);
}

#[test]
fn routes() {
    let yaml = |count| {
        let route = |n| {
            format!(
                "    - {{destination: 172.{}.{}.0/24, target: blackhole}}",
                n / 256,
                n % 256
            )
        };
        let routes = lines(count, route);
        in_network(&format!(
            "  route_tables:\n  - name: main\n    routes:\n{routes}"
        ))
    };
    let expected = "host.yaml:10:7: networks[0].route_tables[0].routes: \
                    1000 routes are more than 999; take 1 of them out";
    check_limit(ROUTES_PER_TABLE_MAX - 1, yaml, expected);
}

#[test]
fn acl_entries() {
    let yaml = |count| {
        let entry = |n| {
            let number = n + 1;
            format!("    - {{number: {number}, action: deny, protocol: all, peer: 0.0.0.0/0}}")
        };
        let entries = lines(count, entry);
        in_network(&format!("  acls:\n  - name: x\n    inbound:\n{entries}"))
    };
    let expected = "host.yaml:8:5: networks[0].acls[0]: \
                    1025 entries are more than 1024; use wider entries or two subnets";
    check_limit(ACL_ENTRIES_MAX, yaml, expected);
}

/// A group of this many rules.
fn group(name: &str, count: usize) -> String {
    let rules = lines(count, |n| {
        format!("    - {{protocol: tcp, ports: {n}, peer: 0.0.0.0/0}}")
    });
    format!("  - name: {name}\n    inbound:\n{rules}")
}

#[test]
fn rules_of_a_group() {
    let yaml = |count| in_network(&format!("  security_groups:\n{}", group("a", count)));
    let expected = "host.yaml:8:5: networks[0].security_groups[0]: \
                    1025 rules are more than the 1024 of a port; use wider rules or two groups";
    check_limit(RULES_PER_PORT_MAX, yaml, expected);
}

#[test]
fn rules_of_a_port() {
    let yaml = |count: usize| {
        let groups = group("a", 1_000) + &group("b", count - 1_000);
        in_network(&format!(
            "  subnets: [{{name: s, cidr: 10.0.0.0/24}}]
  nodes:
  - {{name: n, host: h, addresses: [10.0.0.2], mac: '02:00:00:00:00:01', interface: tap0, \
security_groups: [a, b]}}
  security_groups:
{groups}"
        ))
    };
    let expected = "host.yaml:9:107: networks[0].nodes[0].security_groups: the groups have 1025 \
                    rules together, more than 1024; name fewer groups or use wider rules";
    check_limit(RULES_PER_PORT_MAX, yaml, expected);
}

/// A file with these nodes on this host.
fn with_nodes(nodes: &str) -> String {
    in_network(&format!(
        "  subnets: [{{name: s, cidr: 10.0.0.0/8}}]\n  security_groups: [{{name: default}}]\n  \
         nodes:\n{nodes}"
    ))
}

/// A node with `addresses_count` addresses of its own, the `n`th of such nodes.
fn node(n: usize, host: &str, addresses_count: usize) -> String {
    let first = 2 + n * addresses_count;
    let addresses: Vec<String> = (first..first + addresses_count)
        .map(|n| format!("10.{}.{}.{}", n >> 16, (n >> 8) & 255, n & 255))
        .collect();
    let (addresses, mac) = (
        addresses.join(", "),
        format!(
            "02:00:00:{:02x}:{:02x}:{:02x}",
            n >> 16,
            (n >> 8) & 255,
            n & 255
        ),
    );
    format!(
        "  - {{name: n{n}, host: {host}, addresses: [{addresses}], mac: '{mac}', interface: t{n}}}"
    )
}

#[test]
fn addresses_of_a_node() {
    let yaml = |count| with_nodes(&node(0, "h", count));
    let expected = "host.yaml:10:36: networks[0].nodes[0].addresses: \
                    17 addresses are more than 16; take 1 of them out";
    check_limit(NODE_ADDRESSES_MAX, yaml, expected);
}

#[test]
fn groups_of_a_node() {
    let yaml = |count| {
        let groups = lines(count, |n| format!("  - {{name: g{n}}}"));
        let names = lines(count, |n| format!("    - g{n}"));
        in_network(&format!(
            "  subnets: [{{name: s, cidr: 10.0.0.0/24}}]
  nodes:
  - name: n
    host: h
    addresses: [10.0.0.2]
    mac: '02:00:00:00:00:01'
    interface: tap0
    security_groups:
{names}  security_groups:
{groups}"
        ))
    };
    let expected = "host.yaml:15:7: networks[0].nodes[0].security_groups: \
                    17 security groups are more than 16; take 1 of them out";
    check_limit(NODE_GROUPS_MAX, yaml, expected);
}

#[test]
fn ports_of_this_host() {
    let yaml = |count| with_nodes(&lines(count, |n| node(n, "h", 1)));
    let expected = "host.yaml:4:3: networks: \
                    1025 ports on this host in all networks are more than 1024; take 1 out";
    check_limit(LOCAL_PORTS_MAX, yaml, expected);
}

#[test]
fn mappings() {
    // Nodes elsewhere, with 16 addresses each; the last has one.
    let yaml = |count: usize| {
        let rest = if count.is_multiple_of(16) {
            String::new()
        } else {
            node(count, "elsewhere", 1)
        };
        let nodes = lines(count / 16, |n| node(n, "elsewhere", 16));
        let hosts = "hosts: [{name: elsewhere, prefix: '2001:db8:1::/64'}]\n";
        with_nodes(&(nodes + &rest + "\n")) + hosts
    };
    assert_eq!(
        read(&yaml(MAPPINGS_MAX)).unwrap().mappings().count(),
        MAPPINGS_MAX
    );
    let refusal = read(&yaml(MAPPINGS_MAX + 1)).unwrap_err().to_string();
    let expected = "host.yaml:4:3: networks: \
                    65537 addresses of nodes in all networks are more than 65536; take 1 out";
    assert!(refusal.contains(expected), "{refusal}");
}

#[test]
fn flows_of_all_ports() {
    let yaml = |flows: u64, ports: usize| {
        with_nodes(&lines(ports, |n| node(n, "h", 1)))
            .replace("flows_per_port: 64", &format!("flows_per_port: {flows}"))
    };
    assert_eq!(FLOWS_MAX, 64 * 4096);
    read(&yaml(4096, 64)).unwrap();
    let expected = "host.yaml:2:75: host.flows_per_port: the 65 ports of this host ask for 266240 \
                    flows, more than 262144; lower flows_per_port to 2048";
    assert_eq!(read(&yaml(4096, 65)).unwrap_err().to_string(), expected);
    read(&yaml(2048, 65)).unwrap();
}

#[test]
fn flows_that_nodes_ask_for_themselves() {
    let own = |n| node(n, "h", 1).replace("interface", "flows_max: 65536, interface");
    let five = with_nodes(&lines(5, own));
    let expected = "host.yaml:2:75: host.flows_per_port: the 5 ports of this host ask for 327680 \
                    flows, more than 262144; lower flows_max of nodes and flows_per_port, or move nodes";
    assert_eq!(read(&five).unwrap_err().to_string(), expected);
}

#[test]
fn problems_past_the_limit_are_counted() {
    let wrong = lines(PROBLEMS_MAX + 7, |_| "  - ten".to_owned());
    let yaml = with_nodes(&format!(
        "  - name: n
    host: h
    interface: t0
    mac: '02:00:00:00:00:01'
    addresses: [10.0.0.2]
  route_tables:
  - name: main
    routes:
{}",
        wrong.replace("  - ten", "    - {destination: ten, target: local}")
    ));
    let refusal = read(&yaml).unwrap_err();
    // The list itself is too long as well; its first 999 are looked at.
    assert_eq!(
        (refusal.problems.len(), refusal.more_count),
        (PROBLEMS_MAX, 0)
    );
    let twice = yaml.replace("destination: ten", "destination: ten, destination: ten");
    let refusal = read(&twice).unwrap_err();
    assert_eq!(
        (refusal.problems.len(), refusal.more_count),
        (PROBLEMS_MAX, 7)
    );
    assert!(refusal.to_string().ends_with("\nand 7 more problems"));
}
