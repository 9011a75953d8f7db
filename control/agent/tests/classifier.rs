//! Policies and route tables, as the dataplane evaluates them, against a naive reading of the rules.

#![allow(clippy::unwrap_used)]

mod common;

use std::net::Ipv4Addr;

use common::{all_interfaces, image_tables::ImageTables, states, tag};
use inlay_agent::compile::compile;
use inlay_api::{Acl, AclAction, HostState, IcmpMatch, Network, Node, Peer, RouteTarget, Traffic};
use inlay_core::{
    drop_reason::DropReason,
    ids::VirtualIp,
    pipeline::locate::next_node,
    policy::{Question, evaluate, service_point},
    tables::{Direction, MappingKey, records::NONE},
};
use inlay_dataplane::image::Image;
use proptest::{prelude::*, sample::Index};

/// What a packet asks.
#[derive(Clone, Copy, Debug)]
struct Asked {
    direction: Direction,
    remote: Ipv4Addr,
    protocol: u8,
    service: u16,
}

fn any_asked() -> impl Strategy<Value = (bool, Option<Index>, u32, u8, u16)> {
    let protocol = prop_oneof![Just(1), Just(6), Just(17), Just(47), Just(255), any::<u8>()];
    let service = prop_oneof![
        70..95_u16,
        Just(u16::MAX),
        (prop_oneof![Just(0), Just(8), Just(255)], 0..3_u16)
            .prop_map(|(kind, code)| kind << 8 | code),
        any::<u16>(),
    ];
    let remote = prop_oneof![
        (1..=3_u32, 8..64_u32).prop_map(|(subnet, host)| 0x0a00_0000 | subnet << 8 | host),
        any::<u32>(),
    ];
    (
        any::<bool>(),
        any::<Option<Index>>(),
        remote,
        protocol,
        service,
    )
}

fn covers(traffic: Traffic, protocol: u8, service: u16) -> bool {
    let [kind, code] = service.to_be_bytes();
    match traffic {
        Traffic::All => true,
        Traffic::Tcp(ports) => protocol == 6 && (ports.first()..=ports.last()).contains(&service),
        Traffic::Udp(ports) => protocol == 17 && (ports.first()..=ports.last()).contains(&service),
        Traffic::Icmp(IcmpMatch::Any) => protocol == 1,
        Traffic::Icmp(IcmpMatch::Type(wanted)) => protocol == 1 && kind == wanted,
        Traffic::Icmp(IcmpMatch::TypeAndCode(wanted, wanted_code)) => {
            protocol == 1 && (kind, code) == (wanted, wanted_code)
        }
        Traffic::Protocol(wanted) => protocol == wanted.get(),
    }
}

/// Whether any group of `node` allows it.
fn groups_allow(network: &Network, node: &Node, asked: Asked) -> bool {
    let remote = network
        .nodes
        .iter()
        .find(|node| node.addresses().contains(&asked.remote));
    network.groups_of(node).any(|group| {
        let rules = match asked.direction {
            Direction::Inbound => &group.inbound,
            Direction::Outbound => &group.outbound,
        };
        rules.iter().any(|rule| {
            let is_peer = match rule.peer {
                Peer::Cidr(cidr) => cidr.contains(&asked.remote),
                Peer::Group(group) => {
                    remote.is_some_and(|node| node.security_groups.contains(&group))
                }
            };
            is_peer && covers(rule.traffic, asked.protocol, asked.service)
        })
    })
}

/// Whether the first entry that matches allows it.
fn acl_allows(acl: &Acl, asked: Asked) -> bool {
    let entries = match asked.direction {
        Direction::Inbound => &acl.inbound,
        Direction::Outbound => &acl.outbound,
    };
    let first = entries
        .iter()
        .filter(|entry| {
            entry.peer.contains(&asked.remote)
                && covers(entry.traffic, asked.protocol, asked.service)
        })
        .min_by_key(|entry| entry.number);
    first.is_some_and(|entry| entry.action == AclAction::Allow)
}

fn allowed(image: &Image, network: &Network, policy: u32, asked: Asked) -> bool {
    let remote = VirtualIp::from_octets(asked.remote.octets());
    let key = MappingKey {
        tag: tag(network.vni.get()),
        virtual_ip: remote,
    };
    let question = Question {
        remote,
        groups: image.mappings.get(&key).map_or(0, |mapping| mapping.groups),
        service: service_point(asked.direction, asked.protocol, asked.service),
    };
    evaluate(&ImageTables(image), policy, &question).is_some_and(|decided| decided.allow)
}

/// What the route of the longest prefix says.
fn routed(network: &Network, node: &Node, destination: Ipv4Addr) -> Result<VirtualIp, DropReason> {
    let routes = network.routes(network.subnet(node.subnet)).iter();
    let route = routes
        .filter(|route| route.destination.contains(&destination))
        .max_by_key(|route| route.destination.prefix_len());
    let address = |address: Ipv4Addr| VirtualIp::from_octets(address.octets());
    match route.map(|route| route.target) {
        None => Err(DropReason::NoRoute),
        Some(RouteTarget::Blackhole) => Err(DropReason::Blackhole),
        Some(RouteTarget::Local) => Ok(address(destination)),
        Some(RouteTarget::Node(index)) => Ok(address(network.node(index).primary_address())),
    }
}

fn check(state: &HostState, image: &Image, asked: &[Asked]) {
    let tables = ImageTables(image);
    for local in state.local_ports() {
        let (network, node) = (local.network, local.node);
        let key = MappingKey {
            tag: tag(network.vni.get()),
            virtual_ip: VirtualIp::from_octets(node.primary_address().octets()),
        };
        let port = image.ports[&image.mappings[&key].port];
        let subnet = image.subnets[&port.subnet];
        for &asked in asked {
            let expected = groups_allow(network, node, asked);
            assert_eq!(
                allowed(image, network, port.policy, asked),
                expected,
                "{asked:?}"
            );
            match network.acl_of(local.subnet) {
                None => assert_eq!(subnet.acl, NONE),
                Some(acl) => {
                    let expected = acl_allows(acl, asked);
                    assert_eq!(
                        allowed(image, network, subnet.acl, asked),
                        expected,
                        "{asked:?}"
                    );
                }
            }
            let destination = VirtualIp::from_octets(asked.remote.octets());
            let expected = routed(network, node, asked.remote);
            assert_eq!(
                next_node(&tables, &subnet, destination),
                expected,
                "{destination}"
            );
        }
    }
}

proptest! {
    #[test]
    fn decisions_are_those_of_the_rules(
        raw in states::any_state(),
        asked in proptest::collection::vec(any_asked(), 1..40),
    ) {
        let state = states::of(&raw);
        let nodes: Vec<&Node> = state.networks().iter().flat_map(|network| &network.nodes).collect();
        let asked: Vec<Asked> = asked
            .into_iter()
            .map(|(inbound, node, remote, protocol, service)| Asked {
                direction: if inbound { Direction::Inbound } else { Direction::Outbound },
                remote: match node {
                    Some(index) if !nodes.is_empty() => index.get(&nodes).primary_address(),
                    _ => Ipv4Addr::from_bits(remote),
                },
                protocol,
                service,
            })
            .collect();
        let compiled = compile(&state, &all_interfaces(&state), &[]).unwrap();
        check(&state, &compiled.image, &asked);
    }
}
