//! A network: its nodes and all that is said once for them, which are its scope, and which hosts must know it.

mod attach;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use inlay_api::wire::{
    Digest, ResourceId,
    agent::{Attachment, Kind, ScopeState},
    resource_digest,
};
use prost::Message as _;

use super::{
    Touched,
    compile::{HostFacts, Link, NetworkFacts},
    encode::Chunks,
    host::{Host, Hosts, attachment_key},
    record::NodeRecord,
    scope::{Distance, Scope},
};
use crate::store::Revision;

/// How many nodes of the network a host has, and how many concern it.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    resident: u32,
    all: u32,
}

#[derive(Debug)]
pub(super) struct Network {
    /// `project/network`.
    path: Arc<str>,
    /// None: there is no such object, or it is broken. What is in the network is kept all the same.
    facts: Option<NetworkFacts>,
    /// Whether the number is its own: another network may have it.
    numbered: bool,
    pub(super) scope: Scope,
    /// All resources but nodes, in the order of updates.
    resources: BTreeMap<(Kind, Arc<str>), Bytes>,
    links: BTreeMap<Arc<str>, Link>,
    /// Packed records.
    nodes: BTreeMap<Arc<str>, Box<[u8]>>,
    /// Nodes that cannot be attached, because their subnet is not there.
    orphans: usize,
    hosts: BTreeMap<Arc<str>, Part>,
}

impl Network {
    /// One that has seen nothing until `revision`.
    pub(super) fn since(path: Arc<str>, revision: Revision) -> Self {
        Self {
            path,
            facts: None,
            numbered: false,
            scope: Scope::since(revision),
            resources: BTreeMap::new(),
            links: BTreeMap::new(),
            nodes: BTreeMap::new(),
            orphans: 0,
            hosts: BTreeMap::new(),
        }
    }

    pub(super) fn path(&self) -> &Arc<str> {
        &self.path
    }

    pub(super) fn is_unused(&self) -> bool {
        self.facts.is_none() && self.resources.is_empty() && self.nodes.is_empty()
    }

    /// The number that its object says.
    pub(super) fn wanted_vni(&self) -> Option<u32> {
        self.facts.as_ref().map(|facts| facts.vni)
    }

    /// The number under which it is known to hosts.
    pub(super) fn vni(&self) -> Option<u32> {
        self.wanted_vni().filter(|_| self.numbered)
    }

    /// Names of the hosts that must know it.
    pub(super) fn subscribers(&self) -> impl Iterator<Item = &Arc<str>> {
        self.hosts.keys()
    }

    pub(super) fn is_attached(&self, node: &str) -> bool {
        let packed = self.nodes.get(node);
        packed.is_some_and(|packed| NodeRecord::unpack(packed).attachment.is_some())
    }

    /// The encoded attachment of a node; none where it cannot be attached.
    pub(super) fn attachment(&self, node: &str) -> Option<Vec<u8>> {
        let record = NodeRecord::unpack(self.nodes.get(node)?);
        self.compile_attachment(node, &record)
    }

    fn compile_attachment(&self, name: &str, record: &NodeRecord) -> Option<Vec<u8>> {
        let vni = self.vni()?;
        let told = &self.facts.as_ref()?.told;
        let link = self.links.get(&*record.subnet)?;
        let node = record.node();
        if node.host.is_empty() {
            return None;
        }
        let attachment = Attachment {
            project: told.project.clone(),
            network: told.name.clone(),
            node: name.to_owned(),
            vni,
            uid: record.uid(),
            backend: record.backend,
            interface: record.interface.clone(),
            addresses: node.addresses,
            prefix_len: link.prefix_len.into(),
            gateway: link.gateway.to_bits(),
            mac: node.mac,
            dns_servers: told.dns_servers.clone(),
            dns_domain: told.dns_domain.clone(),
            flows_max: record.flows_max,
            new_flows_per_s: record.new_flows_per_s,
        };
        Some(attachment.encode_to_vec())
    }

    /// All of its scope.
    pub(super) fn encode_all(&self, vni: u32) -> Chunks {
        let mut chunks = Chunks::default();
        for ((kind, key), value) in &self.resources {
            chunks.push(vni, *kind, key, Some(value));
        }
        for (name, packed) in &self.nodes {
            if let Some(value) = NodeRecord::packed_value(packed) {
                chunks.push(vni, Kind::Node, name, Some(value));
            }
        }
        chunks
    }

    pub(super) fn distance(&self, vni: u32, held: &ScopeState) -> Distance {
        self.scope.distance(held, |chunks, kind, key| {
            chunks.push(vni, kind, key, self.value(kind, key));
        })
    }

    fn value(&self, kind: Kind, key: &str) -> Option<&[u8]> {
        if kind == Kind::Node {
            return NodeRecord::packed_value(self.nodes.get(key)?);
        }
        let id = (kind, Arc::from(key));
        self.resources.get(&id).map(|value| &**value)
    }

    /// Adds, changes or removes a resource that is not a node.
    pub(super) fn set_resource(
        &mut self,
        kind: Kind,
        key: &Arc<str>,
        value: Option<Bytes>,
        touched: &mut Touched,
    ) {
        let after = value.as_ref().map(|value| digest(kind, key, value));
        let id = (kind, Arc::clone(key));
        let old = match value {
            Some(value) => self.resources.insert(id, value),
            None => self.resources.remove(&id),
        };
        let before = old.map(|value| digest(kind, key, &value));
        self.count(kind, key, before, after, touched);
    }

    fn count(
        &mut self,
        kind: Kind,
        key: &Arc<str>,
        before: Option<Digest>,
        after: Option<Digest>,
        touched: &mut Touched,
    ) {
        let changed = self
            .scope
            .change(touched.revision, (kind, key), before, after);
        if changed {
            touched.networks.insert(Arc::clone(&self.path));
        }
    }

    /// Tells the network's hosts where a host of it is, or no more.
    pub(super) fn show_host(
        &mut self,
        name: &Arc<str>,
        facts: Option<&HostFacts>,
        touched: &mut Touched,
    ) {
        let has_nodes = self.hosts.get(name).is_some_and(|part| part.resident > 0);
        let value = facts.filter(|_| has_nodes).map(|facts| facts.host.clone());
        self.set_resource(Kind::Host, name, value, touched);
    }

    fn attachment_digest(&self, name: &str, attachment: Option<&[u8]>) -> Option<u64> {
        let key = attachment_key(self.vni()?, name);
        Some(digest(Kind::Attachment, &key, attachment?).0)
    }

    /// Adds, changes or removes a node.
    pub(super) fn set_node(
        &mut self,
        hosts: &mut Hosts,
        name: &str,
        mut record: Option<NodeRecord>,
        touched: &mut Touched,
    ) {
        let old = self.nodes.get_key_value(name);
        let key = old.map_or_else(|| Arc::from(name), |(key, _)| Arc::clone(key));
        let old = old.map(|(_, packed)| NodeRecord::unpack(packed));
        if let Some(record) = &mut record {
            let compiled = self.compile_attachment(name, record);
            record.attachment = self.attachment_digest(name, compiled.as_deref());
        }
        let of = |record: &Option<NodeRecord>| {
            let value = record.as_ref().map(|record| &*record.value);
            value
                .filter(|value| !value.is_empty())
                .map(|value| digest(Kind::Node, name, value))
        };
        self.count(Kind::Node, &key, of(&old), of(&record), touched);
        self.settle(hosts, &key, old.as_ref(), record.as_ref(), touched);
        self.reside(hosts, old.as_ref(), record.as_ref(), touched);
        for host in old.iter().flat_map(NodeRecord::hosts) {
            if hosts.get(&*host).is_some_and(Host::is_unused) {
                hosts.remove(&*host);
            }
        }
        match record {
            Some(record) => self.nodes.insert(key, record.pack()),
            None => self.nodes.remove(name),
        };
    }
}

fn digest(kind: Kind, key: &str, value: &[u8]) -> Digest {
    let id = ResourceId {
        kind,
        key: key.into(),
    };
    resource_digest(&id, value)
}
