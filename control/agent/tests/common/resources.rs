//! States as the manager sends them: resources, changes, updates.

use std::{collections::BTreeMap, net::Ipv4Addr};

use bytes::Bytes;
use inlay_agent::{
    config::HostConfig,
    manager::{
        collect::{Batch, Collector},
        held::{Held, ResourceKey},
    },
};
use inlay_api::{
    raw::{RawAclEntry, RawNetwork, RawNode, RawRule, RawState},
    wire::agent::{self as wire, Change, Kind, Update},
};
use prost::Message;

/// Values by key, as a manager has them for one host.
pub(crate) type Resources = BTreeMap<ResourceKey, Bytes>;

/// What `raw` leaves to the host itself.
pub(crate) fn config(raw: &RawState) -> HostConfig {
    HostConfig {
        uplinks: raw.host.uplinks.clone(),
        substrate_mtu: raw.host.substrate_mtu,
        hop_limit_min: raw.host.hop_limit_min,
        xdp_mode: raw.host.xdp_mode.clone(),
    }
}

/// The resources of `raw`, whose networks are project `acme`'s where they have none.
pub(crate) fn resources(raw: &RawState) -> Resources {
    let mut resources = Resources::new();
    let mut put = |vni: u32, kind, key: &str, value: Vec<u8>| {
        resources.insert(ResourceKey::new(vni, kind, key), value.into());
    };
    let settings = wire::HostSettings {
        name: raw.host.name.clone(),
        prefix: raw.host.prefix.clone(),
        flows_per_port: number(raw.host.flows_per_port),
    };
    put(0, Kind::HostSettings, "", settings.encode_to_vec());
    for network in &raw.networks {
        let vni = u32::try_from(network.vni).unwrap();
        for host in &raw.hosts {
            let value = wire::Host {
                prefix: host.prefix.clone(),
            };
            put(vni, Kind::Host, &host.name, value.encode_to_vec());
        }
        let own = wire::Host {
            prefix: raw.host.prefix.clone(),
        };
        put(vni, Kind::Host, &raw.host.name, own.encode_to_vec());
        for node in &network.nodes {
            put(vni, Kind::Node, &node.name, node_of(node).encode_to_vec());
            if node.host == raw.host.name {
                let attachment = attachment(network, node);
                let project = network.project.as_deref().unwrap_or("acme");
                let key = format!("{project}/{}/{}", network.name, node.name);
                put(0, Kind::Attachment, &key, attachment.encode_to_vec());
            }
        }
        parts(network, |kind, key, value| put(vni, kind, key, value));
    }
    resources
}

fn parts(network: &RawNetwork, mut put: impl FnMut(Kind, &str, Vec<u8>)) {
    let value = wire::Network {
        project: network.project.clone().unwrap_or_default(),
        name: network.name.clone(),
        cidrs: network.cidrs.clone(),
    };
    put(Kind::Network, "", value.encode_to_vec());
    for subnet in &network.subnets {
        let value = wire::Subnet {
            cidr: subnet.cidr.clone(),
            gateway: subnet.gateway.clone().unwrap_or_default(),
            acl: subnet.acl.clone().unwrap_or_default(),
            route_table: subnet.route_table.clone().unwrap_or_default(),
        };
        put(Kind::Subnet, &subnet.name, value.encode_to_vec());
    }
    for table in &network.route_tables {
        let route = |route: &inlay_api::raw::RawRoute| wire::Route {
            destination: route.destination.clone(),
            target: route.target.clone(),
        };
        let value = wire::RouteTable {
            routes: table.routes.iter().map(route).collect(),
        };
        put(Kind::RouteTable, &table.name, value.encode_to_vec());
    }
    for group in &network.security_groups {
        let value = wire::SecurityGroup {
            inbound: group.inbound.iter().map(rule).collect(),
            outbound: group.outbound.iter().map(rule).collect(),
        };
        put(Kind::SecurityGroup, &group.name, value.encode_to_vec());
    }
    for acl in &network.acls {
        let value = wire::Acl {
            inbound: acl.inbound.iter().map(entry).collect(),
            outbound: acl.outbound.iter().map(entry).collect(),
        };
        put(Kind::Acl, &acl.name, value.encode_to_vec());
    }
}

fn number(number: Option<u64>) -> u32 {
    u32::try_from(number.unwrap_or(0)).unwrap()
}

fn address(text: &str) -> u32 {
    text.parse::<Ipv4Addr>().unwrap().to_bits()
}

fn mac(text: &str) -> Vec<u8> {
    let octets = text.split(':').map(|pair| u8::from_str_radix(pair, 16));
    octets.collect::<Result<_, _>>().unwrap()
}

pub(crate) fn node_of(node: &RawNode) -> wire::Node {
    wire::Node {
        host: node.host.clone(),
        addresses: node.addresses.iter().map(|it| address(it)).collect(),
        mac: mac(&node.mac),
        security_groups: node
            .security_groups
            .clone()
            .unwrap_or_else(|| vec!["default".to_owned()]),
        forwarding: node.forwarding,
    }
}

pub(crate) fn attachment(network: &RawNetwork, node: &RawNode) -> wire::Attachment {
    wire::Attachment {
        project: network.project.clone().unwrap_or_default(),
        network: network.name.clone(),
        node: node.name.clone(),
        vni: u32::try_from(network.vni).unwrap(),
        uid: format!("{}-{}", network.vni, node.name),
        backend: wire::Backend::Netns.into(),
        interface: node.interface.clone().unwrap_or_default(),
        addresses: node.addresses.iter().map(|it| address(it)).collect(),
        prefix_len: 24,
        mac: mac(&node.mac),
        flows_max: number(node.flows_max),
        new_flows_per_s: number(node.new_flows_per_s),
        ..wire::Attachment::default()
    }
}

fn rule(rule: &RawRule) -> wire::Rule {
    wire::Rule {
        protocol: rule.protocol.clone(),
        ports: rule.ports.clone().unwrap_or_default(),
        icmp_type: rule.icmp.as_ref().map(|icmp| number(Some(icmp.icmp_type))),
        icmp_code: rule
            .icmp
            .as_ref()
            .and_then(|icmp| icmp.code)
            .map(|code| number(Some(code))),
        peer: rule.peer.clone(),
        description: rule.description.clone().unwrap_or_default(),
    }
}

fn entry(entry: &RawAclEntry) -> wire::AclEntry {
    let rule = rule(&RawRule {
        protocol: entry.protocol.clone(),
        ports: entry.ports.clone(),
        icmp: entry.icmp.clone(),
        peer: entry.peer.clone(),
        description: None,
    });
    wire::AclEntry {
        number: number(Some(entry.number)),
        action: entry.action.clone(),
        protocol: rule.protocol,
        ports: rule.ports,
        icmp_type: rule.icmp_type,
        icmp_code: rule.icmp_code,
        peer: rule.peer,
    }
}

/// The change that gives a resource a value, or none.
pub(crate) fn change(key: &ResourceKey, value: Option<&Bytes>) -> Change {
    Change {
        vni: key.vni,
        kind: key.id.kind.into(),
        key: key.id.key.to_string(),
        value: value.cloned(),
    }
}

/// The changes that lead from one set of resources to another.
pub(crate) fn changes(before: &Resources, after: &Resources) -> Vec<Change> {
    let put = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(value))
        .map(|(key, value)| change(key, Some(value)));
    let removed = before.keys().filter(|key| !after.contains_key(*key));
    put.chain(removed.map(|key| change(key, None))).collect()
}

/// An update of these changes.
pub(crate) fn update(revision: u64, changes: &[Change]) -> Update {
    Update {
        revision,
        complete: true,
        changes: changes.iter().map(|it| it.encode_to_vec().into()).collect(),
        ..Update::default()
    }
}

/// A complete batch of these changes, of the store `one`.
pub(crate) fn batch(revision: u64, changes: &[Change]) -> Batch {
    let mut collector = Collector::new("one");
    let batch = collector.add(update(revision, changes)).unwrap();
    batch.unwrap()
}

/// Everything that is held.
pub(crate) fn content(held: &Held) -> Resources {
    let entry = |(key, value): (&ResourceKey, &Bytes)| (key.clone(), value.clone());
    held.resources().map(entry).collect()
}
