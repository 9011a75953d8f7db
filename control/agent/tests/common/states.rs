//! Random states, all of them valid, in a domain so small that rules overlap and groups are shared.

use inlay_api::{
    HostState,
    raw::{
        RawAcl, RawAclEntry, RawHost, RawIcmp, RawNetwork, RawNode, RawRemoteHost, RawRoute,
        RawRouteTable, RawRule, RawSecurityGroup, RawState, RawSubnet,
    },
};
use proptest::{collection::vec, option, prelude::*, sample::subsequence};

const GROUPS: usize = 3;
const NODES_MAX: usize = 6;
const SUBNETS: usize = 3;

/// The state of `raw`, which is valid.
pub(crate) fn of(raw: &RawState) -> HostState {
    HostState::from_raw(raw).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// A state of up to three networks with the same addresses, on host1 of three.
pub(crate) fn any_state() -> impl Strategy<Value = RawState> {
    vec(any_network(), 0..=3).prop_map(|networks| {
        let numbered = networks.into_iter().enumerate();
        with_networks(
            numbered
                .map(|(number, network)| named(number, network))
                .collect(),
        )
    })
}

/// A state of these networks.
pub(crate) fn with_networks(networks: Vec<RawNetwork>) -> RawState {
    let host = |number: usize| RawRemoteHost {
        name: format!("host{number}"),
        prefix: format!("2001:db8:0:{number}::/64"),
    };
    RawState {
        version: 1,
        host: RawHost {
            name: "host1".to_owned(),
            prefix: "2001:db8:0:1::/64".to_owned(),
            uplinks: vec!["up0".to_owned(), "up1".to_owned()],
            flows_per_port: Some(1024),
            ..RawHost::default()
        },
        hosts: vec![host(2), host(3)],
        networks,
    }
}

/// `network` as the one of `number`, its interfaces too.
pub(crate) fn named(number: usize, mut network: RawNetwork) -> RawNetwork {
    network.name = format!("network{number}");
    network.vni = 100 + number as u64;
    for node in &mut network.nodes {
        node.interface = Some(format!("{}-{number}", node.name));
    }
    network
}

/// A network, yet to be named.
pub(crate) fn any_network() -> impl Strategy<Value = RawNetwork> {
    let groups = vec((vec(any_rule(), 0..5), vec(any_rule(), 0..3)), GROUPS);
    let acls = vec((any_entries(), any_entries()), 0..=2);
    let tables = vec(vec((any_destination(), any_target()), 0..4), 0..=2);
    (groups, acls, tables, any_subnets(), any_nodes()).prop_map(
        |(groups, acls, tables, subnets, nodes)| RawNetwork {
            cidrs: vec!["10.0.0.0/16".to_owned(), "10.9.0.0/24".to_owned()],
            subnets: choose(subnets, acls.len(), tables.len()),
            route_tables: tables.into_iter().enumerate().map(route_table).collect(),
            security_groups: groups.into_iter().enumerate().map(group).collect(),
            acls: acls.into_iter().enumerate().map(acl).collect(),
            nodes,
            ..RawNetwork::default()
        },
    )
}

fn group((number, (inbound, outbound)): (usize, (Vec<RawRule>, Vec<RawRule>))) -> RawSecurityGroup {
    RawSecurityGroup {
        name: format!("group{number}"),
        inbound,
        outbound,
    }
}

fn acl((number, (inbound, outbound)): (usize, (Vec<RawAclEntry>, Vec<RawAclEntry>))) -> RawAcl {
    RawAcl {
        name: format!("acl{number}"),
        inbound,
        outbound,
    }
}

fn route_table((number, routes): (usize, Vec<(String, String)>)) -> RawRouteTable {
    let mut routes = routes;
    routes.sort();
    routes.dedup_by(|a, b| a.0 == b.0);
    let routes = routes
        .into_iter()
        .map(|(destination, target)| RawRoute {
            destination,
            target,
        })
        .collect();
    RawRouteTable {
        name: format!("table{number}"),
        routes,
    }
}

/// Which list and which table each subnet takes, by number; none where there are not so many.
fn any_subnets() -> impl Strategy<Value = Vec<(usize, usize)>> {
    vec((0..4_usize, 0..4_usize), SUBNETS)
}

fn choose(subnets: Vec<(usize, usize)>, acls: usize, tables: usize) -> Vec<RawSubnet> {
    let numbered = subnets.into_iter().enumerate();
    numbered
        .map(|(number, (acl, table))| RawSubnet {
            name: format!("subnet{number}"),
            cidr: format!("10.0.{}.0/24", number + 1),
            gateway: None,
            acl: (acl < acls).then(|| format!("acl{acl}")),
            route_table: (table < tables).then(|| format!("table{table}")),
        })
        .collect()
}

fn any_nodes() -> impl Strategy<Value = Vec<RawNode>> {
    let groups = subsequence((0..GROUPS).collect::<Vec<_>>(), 1..=GROUPS);
    let node = (1..=3_usize, 1..=SUBNETS, 1..=3_usize, groups, any::<bool>());
    vec(node, 1..=NODES_MAX).prop_map(|nodes| {
        let numbered = nodes.into_iter().enumerate();
        numbered
            .map(
                |(number, (host, subnet, addresses, groups, forwarding))| RawNode {
                    name: format!("node{number}"),
                    host: format!("host{host}"),
                    addresses: (0..addresses)
                        .map(|nth| format!("10.0.{subnet}.{}", 10 + number * 8 + nth))
                        .collect(),
                    mac: format!("02:00:00:00:00:{:02x}", number + 1),
                    security_groups: Some(
                        groups
                            .into_iter()
                            .map(|group| format!("group{group}"))
                            .collect(),
                    ),
                    // Routes lead to the first.
                    forwarding: forwarding || number == 0,
                    ..RawNode::default()
                },
            )
            .collect()
    })
}

fn any_destination() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("0.0.0.0/0"),
        Just("10.0.0.0/8"),
        Just("10.0.2.128/25"),
        Just("10.0.2.130/32"),
        Just("192.168.0.0/16"),
        Just("255.255.255.255/32"),
    ]
    .prop_map(str::to_owned)
}

fn any_target() -> impl Strategy<Value = String> {
    prop_oneof![Just("blackhole"), Just("node:node0")].prop_map(str::to_owned)
}

fn any_rule() -> impl Strategy<Value = RawRule> {
    let group = (0..GROUPS).prop_map(|group| format!("group:group{group}"));
    let peer = prop_oneof![group, any_cidr()];
    (any_traffic(), peer).prop_map(|((protocol, ports, icmp), peer)| RawRule {
        protocol,
        ports,
        icmp,
        peer,
        description: None,
    })
}

fn any_entries() -> impl Strategy<Value = Vec<RawAclEntry>> {
    let entry = (any_traffic(), any_cidr(), any::<bool>());
    vec(entry, 0..6).prop_map(|entries| {
        let numbered = (1..).zip(entries);
        numbered
            .map(
                |(number, ((protocol, ports, icmp), peer, allow))| RawAclEntry {
                    number: number * 10,
                    action: if allow { "allow" } else { "deny" }.to_owned(),
                    protocol,
                    ports,
                    icmp,
                    peer,
                },
            )
            .collect()
    })
}

/// Protocol, ports and ICMP of a rule.
fn any_traffic() -> impl Strategy<Value = (String, Option<String>, Option<RawIcmp>)> {
    let ports = option::of((75..85_u16, 0..8_u16).prop_map(|(first, more)| {
        let last = if more == 7 { u16::MAX } else { first + more };
        format!("{first}-{last}")
    }));
    let icmp = option::of((
        prop_oneof![Just(0), Just(8), Just(255)],
        option::of(0..2_u64),
    ));
    prop_oneof![
        Just(("all".to_owned(), None, None)),
        Just(("47".to_owned(), None, None)),
        Just(("255".to_owned(), None, None)),
        ports
            .clone()
            .prop_map(|ports| ("tcp".to_owned(), ports, None)),
        ports.prop_map(|ports| ("udp".to_owned(), ports, None)),
        icmp.prop_map(|icmp| {
            let icmp = icmp.map(|(icmp_type, code)| RawIcmp { icmp_type, code });
            ("icmp".to_owned(), None, icmp)
        }),
    ]
}

/// A CIDR of or around the nodes' addresses.
fn any_cidr() -> impl Strategy<Value = String> {
    let near = (1..=3_u32, 8..64_u32).prop_map(|(subnet, host)| 0x0a00_0000 | subnet << 8 | host);
    (prop_oneof![near, any::<u32>()], 0..=32_u32).prop_map(|(address, len)| {
        let mask = u32::MAX.checked_shl(32 - len).unwrap_or(0);
        format!("{}/{len}", std::net::Ipv4Addr::from_bits(address & mask))
    })
}

/// The same with all lists whose order means nothing in another order.
pub(crate) fn shuffled(mut raw: RawState, seed: u64) -> RawState {
    let mut order = Order(seed);
    order.shuffle(&mut raw.host.uplinks);
    order.shuffle(&mut raw.hosts);
    order.shuffle(&mut raw.networks);
    for network in &mut raw.networks {
        order.shuffle(&mut network.cidrs);
        order.shuffle(&mut network.subnets);
        order.shuffle(&mut network.route_tables);
        order.shuffle(&mut network.security_groups);
        order.shuffle(&mut network.acls);
        order.shuffle(&mut network.nodes);
        network
            .route_tables
            .iter_mut()
            .for_each(|table| order.shuffle(&mut table.routes));
        for group in &mut network.security_groups {
            order.shuffle(&mut group.inbound);
            order.shuffle(&mut group.outbound);
        }
        for acl in &mut network.acls {
            order.shuffle(&mut acl.inbound);
            order.shuffle(&mut acl.outbound);
        }
        for node in &mut network.nodes {
            node.security_groups
                .iter_mut()
                .for_each(|groups| order.shuffle(groups));
            // The first address is the node's own.
            order.shuffle(&mut node.addresses[1..]);
        }
    }
    raw
}

/// Numbers out of a seed: Knuth's MMIX generator.
struct Order(u64);

impl Order {
    fn shuffle<T>(&mut self, list: &mut [T]) {
        for place in (1..list.len()).rev() {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let other = usize::try_from(self.0 >> 33).unwrap() % (place + 1);
            list.swap(place, other);
        }
    }
}
