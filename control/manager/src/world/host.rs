//! A host: its settings and its attachments, which are its own scope.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use inlay_api::wire::{Digest, HOST_SCOPE, ResourceId, agent::Kind, resource_digest};

use super::{
    Touched,
    compile::HostFacts,
    encode::Chunks,
    network::Network,
    scope::{Distance, Scope},
};
use crate::store::Revision;

/// All hosts that are or are spoken of.
pub(super) type Hosts = BTreeMap<Arc<str>, Host>;
/// All networks that are or are spoken of, by `project/network`.
pub(super) type Networks = BTreeMap<Arc<str>, Network>;

#[derive(Debug, Default)]
pub(super) struct Host {
    /// None: nodes speak of it, and there is no such host, or it is broken.
    pub(super) facts: Option<HostFacts>,
    pub(super) scope: Scope,
    /// Names of the nodes that it has, prepares or gives up, by the path of their network.
    pub(super) nodes: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// When its certificates changed last.
    pub(super) identity: Revision,
}

impl Host {
    pub(super) fn is_unused(&self) -> bool {
        self.facts.is_none() && self.nodes.is_empty()
    }

    /// Whether a node of the network of this path concerns it.
    pub(super) fn join(&mut self, path: &Arc<str>, node: &Arc<str>) {
        let nodes = self.nodes.entry(Arc::clone(path)).or_default();
        nodes.insert(Arc::clone(node));
    }

    pub(super) fn leave(&mut self, path: &str, node: &str) {
        let Some(nodes) = self.nodes.get_mut(path) else {
            return;
        };
        nodes.remove(node);
        if nodes.is_empty() {
            self.nodes.remove(path);
        }
    }

    /// Numbers of the networks that it must know, with the networks.
    pub(super) fn networks<'a>(
        &'a self,
        networks: &'a Networks,
    ) -> impl Iterator<Item = (u32, &'a Network)> {
        let known = self.nodes.keys().filter_map(|path| networks.get(path));
        known.filter_map(|network| Some((network.vni()?, network)))
    }

    /// All of its own scope.
    pub(super) fn encode_all(&self, networks: &Networks, chunks: &mut Chunks) {
        self.encode(networks, chunks, Kind::HostSettings, "");
        let mut keys: Vec<_> = self.attachment_keys(networks).collect();
        keys.sort_unstable();
        for key in keys {
            self.encode(networks, chunks, Kind::Attachment, &key);
        }
    }

    fn attachment_keys<'a>(&'a self, networks: &'a Networks) -> impl Iterator<Item = String> + 'a {
        let of_network = |(path, nodes): (&'a Arc<str>, &'a BTreeSet<Arc<str>>)| {
            let network = networks.get(path)?;
            let vni = network.vni()?;
            let attached = nodes.iter().filter(|node| network.is_attached(node));
            Some(attached.map(move |node| attachment_key(vni, node)))
        };
        self.nodes.iter().filter_map(of_network).flatten()
    }

    pub(super) fn distance(
        &self,
        networks: &Networks,
        held: &inlay_api::wire::agent::ScopeState,
    ) -> Distance {
        self.scope.distance(held, |chunks, kind, key| {
            self.encode(networks, chunks, kind, key);
        })
    }

    /// Adds the present value of a resource of its own scope.
    fn encode(&self, networks: &Networks, chunks: &mut Chunks, kind: Kind, key: &str) {
        let value = match kind {
            Kind::HostSettings => self.facts.as_ref().map(|facts| facts.settings.to_vec()),
            _ => self.attachment(networks, key),
        };
        chunks.push(HOST_SCOPE, kind, key, value.as_deref());
    }

    fn attachment(&self, networks: &Networks, key: &str) -> Option<Vec<u8>> {
        let (vni, node) = key.split_once('/')?;
        let vni: u32 = vni.parse().ok()?;
        let (_, network) = self.networks(networks).find(|(known, _)| *known == vni)?;
        let nodes = self.nodes.get(network.path())?;
        nodes.contains(node).then(|| network.attachment(node))?
    }
}

/// Key of the attachment of a node.
pub(super) fn attachment_key(vni: u32, node: &str) -> String {
    format!("{vni}/{node}")
}

/// Replaces what is known of a host, its settings among it.
pub(super) fn set_facts(
    hosts: &mut Hosts,
    networks: &mut Networks,
    name: &Arc<str>,
    facts: Option<HostFacts>,
    touched: &mut Touched,
) {
    if facts.is_none() && !hosts.contains_key(name) {
        return;
    }
    let revision = touched.revision;
    let host = hosts
        .entry(Arc::clone(name))
        .or_insert_with(|| Host::since(touched.floor));
    let id = ResourceId {
        kind: Kind::HostSettings,
        key: "".into(),
    };
    let digest = |facts: &HostFacts| resource_digest(&id, &facts.settings);
    let (before, after) = (host.facts.as_ref().map(digest), facts.as_ref().map(digest));
    if host
        .scope
        .change(revision, (Kind::HostSettings, &"".into()), before, after)
    {
        touched.hosts.insert(Arc::clone(name));
    }
    host.facts = facts;
    for path in host.nodes.keys() {
        if let Some(network) = networks.get_mut(path) {
            network.show_host(name, host.facts.as_ref(), touched);
        }
    }
    if host.is_unused() {
        // Whoever is connected as this host must see that it is gone.
        touched.hosts.insert(Arc::clone(name));
        hosts.remove(name);
    }
}

impl Host {
    /// One that has seen nothing until `revision`.
    pub(super) fn since(revision: Revision) -> Self {
        Self {
            scope: Scope::since(revision),
            ..Self::default()
        }
    }

    /// Brings one attachment of its scope from one digest to another.
    pub(super) fn attach(
        &mut self,
        revision: Revision,
        key: &Arc<str>,
        before: Option<Digest>,
        after: Option<Digest>,
    ) -> bool {
        self.scope
            .change(revision, (Kind::Attachment, key), before, after)
    }
}
