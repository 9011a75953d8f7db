//! From resources to the state of this host, as it would be written. Pure.
//!
//! A node that has an attachment here has a port here, wherever its mapping leads:
//!
//! | its node resource says | it was here before | here it is |
//! |---|---|---|
//! | this host | | local |
//! | another host | no: it is about to move here | prepared: port and program are ready, its mapping leads there |
//! | another host | yes: it has just left | local, until its attachment goes: hosts that do not know yet send here |
//!
//! An agent that starts knows nothing of before: a node that has left is prepared then, which is as its mapping says.
//! So a move loses what is on the wire when a mapping flips, and nothing else.

use std::{collections::BTreeMap, net::Ipv4Addr};

use bytes::Bytes;
use inlay_api::{
    limits::SCHEMA_VERSION,
    raw::{
        RawAcl, RawAclEntry, RawHost, RawIcmp, RawNetwork, RawNode, RawRemoteHost, RawRoute,
        RawRouteTable, RawRule, RawSecurityGroup, RawState, RawSubnet,
    },
    wire::{
        HOST_SCOPE,
        agent::{self as wire, Kind},
    },
};
use prost::Message;

use super::held::{Held, Previous, ResourceKey};
use crate::config::HostConfig;

/// Nodes that have their place here, by network and name, with the `uid` of their attachment.
pub type AtHome = BTreeMap<(u32, String), String>;

/// What is in force: what is held, but for what `instead` says otherwise of.
#[derive(Clone, Copy, Debug)]
pub struct InForce<'a> {
    /// What the manager sent.
    pub held: &'a Held,
    /// What holds instead; `None`: the resource is left out.
    pub instead: &'a Previous,
}

impl<'a> InForce<'a> {
    fn resources(self) -> impl Iterator<Item = (&'a ResourceKey, &'a Bytes)> {
        let Self { held, instead } = self;
        let is_held = move |(key, _): &(&ResourceKey, &Bytes)| {
            instead.is_empty() || !instead.contains_key(*key)
        };
        let others = instead
            .iter()
            .filter_map(|(key, value)| Some((key, value.as_ref()?)));
        held.resources().filter(is_held).chain(others)
    }
}

/// A resource that is not taken, and why.
pub type Fault = (ResourceKey, String);

/// The state, and what of the resources it is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Built {
    /// As it would be written.
    pub raw: RawState,
    /// What the host has to make, in the order of their keys.
    pub attachments: Vec<(ResourceKey, wire::Attachment)>,
    /// The scopes that name each of the other hosts, in the order of those.
    pub host_scopes: Vec<Vec<u32>>,
    /// The nodes that have their place here.
    pub at_home: AtHome,
    /// What cannot be read, or contradicts another.
    pub faults: Vec<Fault>,
}

/// The state of a host with `config`, of which `before` were at home.
#[must_use]
pub fn build(in_force: InForce<'_>, config: &HostConfig, before: &AtHome) -> Built {
    let mut builder = Builder::default();
    for (key, value) in in_force.resources() {
        if let Err(reason) = builder.add(key, value) {
            builder.built.faults.push((key.clone(), reason));
        }
    }
    builder.finish(config, before)
}

/// What is known of one network so far.
#[derive(Debug, Default)]
struct Parts {
    is_named: bool,
    raw: RawNetwork,
    nodes: Vec<(Box<str>, wire::Node)>,
}

#[derive(Debug, Default)]
struct Builder {
    built: Built,
    settings: Option<wire::HostSettings>,
    hosts: BTreeMap<Box<str>, (String, Vec<u32>)>,
    networks: BTreeMap<u32, Parts>,
}

impl Builder {
    fn add(&mut self, key: &ResourceKey, value: &Bytes) -> Result<(), String> {
        let name = key.id.key.to_string();
        match key.id.kind {
            Kind::Unspecified => return Err("it has no kind".to_owned()),
            Kind::HostSettings => self.settings = Some(read(value)?),
            Kind::Attachment => self
                .built
                .attachments
                .push((key.clone(), attachment(value)?)),
            Kind::Host => return self.add_host(key, value),
            Kind::Network => self.parts(key)?.name(key.vni, read(value)?),
            Kind::Subnet => self.parts(key)?.raw.subnets.push(subnet(name, value)?),
            Kind::RouteTable => {
                let table = route_table(name, value)?;
                self.parts(key)?.raw.route_tables.push(table);
            }
            Kind::SecurityGroup => {
                let group = security_group(name, value)?;
                self.parts(key)?.raw.security_groups.push(group);
            }
            Kind::Acl => self.parts(key)?.raw.acls.push(acl(name, value)?),
            Kind::Node => {
                let node = read(value)?;
                self.parts(key)?.nodes.push((key.id.key.clone(), node));
            }
        }
        Ok(())
    }

    fn parts(&mut self, key: &ResourceKey) -> Result<&mut Parts, String> {
        if key.vni == HOST_SCOPE {
            return Err("it belongs to a network, and came in the host's own scope".to_owned());
        }
        Ok(self.networks.entry(key.vni).or_default())
    }

    fn add_host(&mut self, key: &ResourceKey, value: &Bytes) -> Result<(), String> {
        let prefix = read::<wire::Host>(value)?.prefix;
        let (known, scopes) = self
            .hosts
            .entry(key.id.key.clone())
            .or_insert_with(|| (prefix.clone(), Vec::new()));
        if *known != prefix {
            return Err(format!(
                "host {} has prefix {known} in another network; give it one prefix",
                key.id.key
            ));
        }
        scopes.push(key.vni);
        Ok(())
    }

    fn finish(mut self, config: &HostConfig, before: &AtHome) -> Built {
        self.built
            .attachments
            .sort_by(|one, other| one.0.cmp(&other.0));
        let Some(settings) = self.settings.take() else {
            let key = ResourceKey::new(HOST_SCOPE, Kind::HostSettings, "");
            let reason =
                "the manager has not said what this host is called and which prefix it has";
            self.built.faults.push((key, reason.to_owned()));
            return self.built;
        };
        let own = settings.name.clone();
        let others = self
            .hosts
            .into_iter()
            .filter(|(name, _)| **name != *settings.name);
        for (name, (prefix, scopes)) in others {
            self.built.raw.hosts.push(RawRemoteHost {
                name: name.into(),
                prefix,
            });
            self.built.host_scopes.push(scopes);
        }
        self.built.raw.version = SCHEMA_VERSION;
        self.built.raw.host = raw_host(settings, config);
        let mut place = Places::new(&own, &self.built.attachments, before);
        let named = self
            .networks
            .into_iter()
            .filter(|(_, parts)| parts.is_named);
        self.built.raw.networks = named
            .map(|(vni, parts)| place.network(vni, parts))
            .collect();
        self.built.at_home = place.at_home;
        self.built
    }
}

impl Parts {
    fn name(&mut self, vni: u32, network: wire::Network) {
        self.is_named = true;
        self.raw.vni = u64::from(vni);
        self.raw.project = Some(network.project).filter(|project| !project.is_empty());
        (self.raw.name, self.raw.cidrs) = (network.name, network.cidrs);
    }
}

fn raw_host(settings: wire::HostSettings, config: &HostConfig) -> RawHost {
    RawHost {
        name: settings.name,
        prefix: settings.prefix,
        uplinks: config.uplinks.clone(),
        substrate_mtu: config.substrate_mtu,
        hop_limit_min: config.hop_limit_min,
        xdp_mode: config.xdp_mode.clone(),
        flows_per_port: said(settings.flows_per_port),
    }
}

/// Where nodes are, and by which interface.
#[derive(Debug)]
struct Places<'a> {
    own: &'a str,
    attachments: BTreeMap<(u32, &'a str), &'a wire::Attachment>,
    before: &'a AtHome,
    at_home: AtHome,
}

impl<'a> Places<'a> {
    fn new(
        own: &'a str,
        attachments: &'a [(ResourceKey, wire::Attachment)],
        before: &'a AtHome,
    ) -> Self {
        let attachments = attachments
            .iter()
            .map(|(_, attachment)| ((attachment.vni, attachment.node.as_str()), attachment));
        Self {
            own,
            attachments: attachments.collect(),
            before,
            at_home: AtHome::new(),
        }
    }

    fn network(&mut self, vni: u32, mut parts: Parts) -> RawNetwork {
        let nodes = std::mem::take(&mut parts.nodes).into_iter();
        parts.raw.nodes = nodes
            .map(|(name, node)| self.node(vni, name, node))
            .collect();
        parts.raw
    }

    fn node(&mut self, vni: u32, name: Box<str>, node: wire::Node) -> RawNode {
        let attachment = self.attachments.get(&(vni, &name)).copied();
        // One of another address is of a node before or after it.
        let attachment = attachment.filter(|attachment| {
            attachment.addresses == node.addresses && attachment.mac == node.mac
        });
        let mut raw = RawNode {
            addresses: node.addresses.iter().copied().map(address).collect(),
            mac: mac(&node.mac),
            name: name.into(),
            host: node.host,
            security_groups: Some(node.security_groups),
            forwarding: node.forwarding,
            ..RawNode::default()
        };
        let Some(attachment) = attachment else {
            return raw;
        };
        raw.interface = Some(attachment.interface.clone());
        raw.flows_max = said(attachment.flows_max);
        raw.new_flows_per_s = said(attachment.new_flows_per_s);
        raw.dhcp = matches!(
            attachment.backend(),
            wire::Backend::Tap | wire::Backend::Device
        );
        let place = (vni, raw.name.clone());
        if raw.host == self.own || self.before.get(&place) == Some(&attachment.uid) {
            self.own.clone_into(&mut raw.host);
            self.at_home.insert(place, attachment.uid.clone());
        } else {
            raw.is_prepared = true;
        }
        raw
    }
}

fn read<M: Message + Default>(value: &Bytes) -> Result<M, String> {
    M::decode(value.clone()).map_err(|error| format!("it cannot be read: {error}"))
}

/// 0 stands for what is not said.
fn said(number: u32) -> Option<u64> {
    (number != 0).then(|| u64::from(number))
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn address(number: u32) -> String {
    Ipv4Addr::from_bits(number).to_string()
}

fn mac(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(octets.len() * 3);
    for octet in octets {
        if !text.is_empty() {
            text.push(':');
        }
        for digit in [octet >> 4, octet & 0xf] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    text
}

fn attachment(value: &Bytes) -> Result<wire::Attachment, String> {
    let attachment: wire::Attachment = read(value)?;
    if attachment.addresses.is_empty() || attachment.interface.is_empty() {
        return Err("it has no address or no interface".to_owned());
    }
    Ok(attachment)
}

fn subnet(name: String, value: &Bytes) -> Result<RawSubnet, String> {
    let subnet: wire::Subnet = read(value)?;
    Ok(RawSubnet {
        name,
        cidr: subnet.cidr,
        gateway: filled(subnet.gateway),
        acl: filled(subnet.acl),
        route_table: filled(subnet.route_table),
    })
}

fn route_table(name: String, value: &Bytes) -> Result<RawRouteTable, String> {
    let table: wire::RouteTable = read(value)?;
    let route = |route: wire::Route| RawRoute {
        destination: route.destination,
        target: route.target,
    };
    Ok(RawRouteTable {
        name,
        routes: table.routes.into_iter().map(route).collect(),
    })
}

fn security_group(name: String, value: &Bytes) -> Result<RawSecurityGroup, String> {
    let group: wire::SecurityGroup = read(value)?;
    let rules = |rules: Vec<wire::Rule>| rules.into_iter().map(rule).collect::<Result<_, _>>();
    Ok(RawSecurityGroup {
        name,
        inbound: rules(group.inbound)?,
        outbound: rules(group.outbound)?,
    })
}

fn rule(rule: wire::Rule) -> Result<RawRule, String> {
    Ok(RawRule {
        icmp: icmp(rule.icmp_type, rule.icmp_code)?,
        protocol: rule.protocol,
        ports: filled(rule.ports),
        peer: rule.peer,
        description: filled(rule.description),
    })
}

fn acl(name: String, value: &Bytes) -> Result<RawAcl, String> {
    let acl: wire::Acl = read(value)?;
    let entries =
        |entries: Vec<wire::AclEntry>| entries.into_iter().map(entry).collect::<Result<_, _>>();
    Ok(RawAcl {
        name,
        inbound: entries(acl.inbound)?,
        outbound: entries(acl.outbound)?,
    })
}

fn entry(entry: wire::AclEntry) -> Result<RawAclEntry, String> {
    Ok(RawAclEntry {
        icmp: icmp(entry.icmp_type, entry.icmp_code)?,
        number: u64::from(entry.number),
        action: entry.action,
        protocol: entry.protocol,
        ports: filled(entry.ports),
        peer: entry.peer,
    })
}

fn icmp(icmp_type: Option<u32>, code: Option<u32>) -> Result<Option<RawIcmp>, String> {
    match (icmp_type, code) {
        (Some(icmp_type), code) => Ok(Some(RawIcmp {
            icmp_type: u64::from(icmp_type),
            code: code.map(u64::from),
        })),
        (None, None) => Ok(None),
        (None, Some(code)) => Err(format!("ICMP code {code} stands without a type; name one")),
    }
}
