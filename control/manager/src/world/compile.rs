//! Stored objects to what the agents are told of them. Pure; an object that does not make sense is an error with what
//! is wrong with it.

use std::net::Ipv4Addr;

use bytes::Bytes;
use inlay_api::{
    MacAddress, Vni,
    objects::{self, NodeType},
    raw::{RawAclEntry, RawIcmp, RawRule},
    wire::agent::{
        self, Acl, AclEntry, Backend, HostSettings, Network, Route, RouteTable, Rule,
        SecurityGroup, Subnet,
    },
};
use ipnet::{Ipv4Net, Ipv6Net};
use prost::Message;
use serde::de::DeserializeOwned;

use super::record::NodeRecord;

/// Of what is left out: the list or the group of this name.
const DEFAULT: &str = "default";

/// Why an object is left out.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Broken(String);

type Compiled<T> = Result<T, Broken>;

/// What is needed of a host.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HostFacts {
    /// The encoded `HostSettings`.
    pub(super) settings: Bytes,
    /// The encoded `Host`, of the scopes of networks.
    pub(super) host: Bytes,
}

/// What is needed of a network.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NetworkFacts {
    pub(super) vni: u32,
    /// The encoded `Network`.
    pub(super) network: Bytes,
    /// What its nodes are told.
    pub(super) told: Told,
}

/// What all nodes of a network are told alike.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) project: String,
    pub(super) name: String,
    pub(super) dns_servers: Vec<u32>,
    pub(super) dns_domain: String,
}

/// What is needed of a subnet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SubnetFacts {
    /// The encoded `Subnet`.
    pub(super) subnet: Bytes,
    pub(super) link: Link,
}

/// What all nodes of a subnet are told alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Link {
    pub(super) prefix_len: u8,
    pub(super) gateway: Ipv4Addr,
}

pub(super) fn host(json: &[u8]) -> Compiled<HostFacts> {
    let host: objects::Host = read(json)?;
    let prefix: Ipv6Net = parse("spec.prefix", &host.spec.prefix)?;
    let settings = HostSettings {
        name: host.metadata.name,
        prefix: prefix.to_string(),
        flows_per_port: narrow("spec.flows_per_port", host.spec.flows_per_port)?,
    };
    let host = agent::Host {
        prefix: settings.prefix.clone(),
    };
    Ok(HostFacts {
        settings: encode(&settings),
        host: encode(&host),
    })
}

pub(super) fn network(json: &[u8]) -> Compiled<NetworkFacts> {
    let network: objects::Network = read(json)?;
    let vni = Vni::new(network.status.vni).map_err(|e| Broken(format!("status.vni: {e}")))?;
    let servers = network.spec.dns_servers.iter();
    let dns_servers =
        servers.map(|text| Ok(parse::<Ipv4Addr>("spec.dns_servers", text)?.to_bits()));
    let told = Told {
        project: network.metadata.project,
        name: network.metadata.name,
        dns_servers: dns_servers.collect::<Compiled<_>>()?,
        dns_domain: network.spec.dns_domain,
    };
    let network = Network {
        project: told.project.clone(),
        name: told.name.clone(),
        cidrs: network.spec.cidrs,
    };
    Ok(NetworkFacts {
        vni: vni.get(),
        network: encode(&network),
        told,
    })
}

pub(super) fn subnet(json: &[u8]) -> Compiled<SubnetFacts> {
    let subnet: objects::Subnet = read(json)?;
    let cidr: Ipv4Net = parse("spec.cidr", &subnet.spec.cidr)?;
    let decided = Some(subnet.status.gateway).filter(|gateway| !gateway.is_empty());
    let gateway = match decided.or(subnet.spec.gateway) {
        Some(text) => parse("status.gateway", &text)?,
        None => Ipv4Addr::from_bits(cidr.network().to_bits().wrapping_add(1)),
    };
    let message = Subnet {
        cidr: cidr.to_string(),
        gateway: gateway.to_string(),
        acl: subnet.spec.acl.unwrap_or_else(|| DEFAULT.into()),
        route_table: subnet.spec.route_table.unwrap_or_default(),
    };
    let link = Link {
        prefix_len: cidr.prefix_len(),
        gateway,
    };
    Ok(SubnetFacts {
        subnet: encode(&message),
        link,
    })
}

pub(super) fn route_table(json: &[u8]) -> Compiled<Bytes> {
    let table: objects::RouteTable = read(json)?;
    let routes = table.spec.routes.into_iter().map(|route| Route {
        destination: route.destination,
        target: route.target,
    });
    Ok(encode(&RouteTable {
        routes: routes.collect(),
    }))
}

pub(super) fn security_group(json: &[u8]) -> Compiled<Bytes> {
    let group: objects::SecurityGroup = read(json)?;
    let rules = |rules: Vec<RawRule>| rules.into_iter().map(rule).collect::<Compiled<_>>();
    Ok(encode(&SecurityGroup {
        inbound: rules(group.spec.inbound)?,
        outbound: rules(group.spec.outbound)?,
    }))
}

fn rule(rule: RawRule) -> Compiled<Rule> {
    let (icmp_type, icmp_code) = icmp(rule.icmp)?;
    Ok(Rule {
        protocol: rule.protocol,
        ports: rule.ports.unwrap_or_default(),
        icmp_type,
        icmp_code,
        peer: rule.peer,
        description: rule.description.unwrap_or_default(),
    })
}

pub(super) fn acl(json: &[u8]) -> Compiled<Bytes> {
    let acl: objects::Acl = read(json)?;
    let entries = |entries: Vec<RawAclEntry>| {
        let entries = entries.into_iter().map(acl_entry);
        entries.collect::<Compiled<_>>()
    };
    Ok(encode(&Acl {
        inbound: entries(acl.spec.inbound)?,
        outbound: entries(acl.spec.outbound)?,
    }))
}

fn acl_entry(entry: RawAclEntry) -> Compiled<AclEntry> {
    let (icmp_type, icmp_code) = icmp(entry.icmp)?;
    Ok(AclEntry {
        number: narrow("number", Some(entry.number))?,
        action: entry.action,
        protocol: entry.protocol,
        ports: entry.ports.unwrap_or_default(),
        icmp_type,
        icmp_code,
        peer: entry.peer,
    })
}

fn icmp(icmp: Option<RawIcmp>) -> Compiled<(Option<u32>, Option<u32>)> {
    let Some(icmp) = icmp else {
        return Ok((None, None));
    };
    let code = icmp.code.map(|code| narrow("icmp.code", Some(code)));
    Ok((
        Some(narrow("icmp.type", Some(icmp.icmp_type))?),
        code.transpose()?,
    ))
}

pub(super) fn node(json: &[u8]) -> Compiled<NodeRecord> {
    let objects::Node {
        metadata,
        spec,
        status,
        ..
    } = read(json)?;
    let addresses = status.addresses.iter();
    let addresses =
        addresses.map(|text| Ok(parse::<Ipv4Addr>("status.addresses", text)?.to_bits()));
    let mac: MacAddress = parse("status.mac", &status.mac)?;
    let node = agent::Node {
        host: status.host,
        addresses: addresses.collect::<Compiled<_>>()?,
        mac: mac.octets().to_vec(),
        security_groups: spec
            .security_groups
            .unwrap_or_else(|| vec![DEFAULT.to_owned()]),
        forwarding: spec.forwarding,
    };
    let decided = Some(status.interface).filter(|interface| !interface.is_empty());
    let mut record = NodeRecord {
        value: if node.host.is_empty() {
            Vec::new()
        } else {
            node.encode_to_vec()
        },
        backend: backend(spec.node_type).into(),
        interface: decided.or(spec.interface).unwrap_or_default(),
        subnet: spec.subnet,
        next_host: status.next_host,
        former_host: status.former_host,
        flows_max: narrow("spec.flows_max", spec.flows_max)?,
        new_flows_per_s: narrow("spec.new_flows_per_s", spec.new_flows_per_s)?,
        ..NodeRecord::default()
    };
    record.set_uid(metadata.uid);
    Ok(record)
}

const fn backend(node_type: NodeType) -> Backend {
    match node_type {
        NodeType::Netns => Backend::Netns,
        NodeType::Tap => Backend::Tap,
        NodeType::Device => Backend::Device,
    }
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Compiled<T> {
    serde_json::from_slice(json).map_err(|error| Broken(error.to_string()))
}

fn parse<T>(field: &str, text: &str) -> Compiled<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error| Broken(format!("{field} is {text:?}: {error}")))
}

fn narrow(field: &str, number: Option<u64>) -> Compiled<u32> {
    let number = number.unwrap_or_default();
    u32::try_from(number).map_err(|_| Broken(format!("{field} is {number}: too large")))
}

fn encode(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}
