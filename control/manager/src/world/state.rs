//! Everything that hosts must hold, kept in step with the store one change at a time. Each change costs what it
//! changes, and not what there is.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use inlay_api::{
    objects::Kind,
    wire::agent::{self, ScopeState},
};

use super::{
    compile::{self, Broken},
    host::{self, Host, Hosts, Networks},
    network::Network,
    recent::{Recent, Touched},
    record::NodeRecord,
};
use crate::{
    keys,
    store::{Commit, Revision},
};

/// Before the names of hosts in the keys of their certificates.
pub(super) const IDENTITIES: &str = "trust/hosts/";

/// A node on its way: path of its network, and its name.
pub(super) type NodeId = (Arc<str>, Arc<str>);

/// A node that has a next or a former host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Moving {
    /// Path of its network, `project/network`.
    pub network: Arc<str>,
    /// Its name.
    pub node: Arc<str>,
    /// The host that is to have it next; none: it has moved, and its former host is to be forgotten first.
    pub next_host: Option<Arc<str>>,
    /// The revision that changed it last.
    pub revision: Revision,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) revision: Revision,
    pub(super) hosts: Hosts,
    pub(super) networks: Networks,
    /// Paths of the networks that are known to hosts, by number.
    vnis: HashMap<u32, Arc<str>>,
    /// Nodes with a next or a former host.
    pub(super) moving: BTreeMap<NodeId, Moving>,
    pub(super) recent: Recent,
}

impl State {
    /// Does what a commit did to the store.
    pub(super) fn commit(&mut self, commit: &Commit) -> Arc<Touched> {
        let mut touched = Touched::at(commit.revision);
        for change in commit.changes.iter() {
            self.change(&change.key, change.value.as_ref(), &mut touched);
        }
        self.revision = self.revision.max(commit.revision);
        let touched = Arc::new(touched);
        self.recent.push(Arc::clone(&touched));
        touched
    }

    /// Forgets how it became what it is at `revision`.
    pub(super) fn settle(&mut self, revision: Revision) {
        self.revision = revision;
        self.recent = Recent::since(revision);
        for host in self.hosts.values_mut() {
            host.scope.forget();
        }
        for network in self.networks.values_mut() {
            network.scope.forget();
        }
    }

    /// Does one change of a key; those that are not of hosts' concern do nothing.
    pub(super) fn change(&mut self, key: &str, value: Option<&Bytes>, touched: &mut Touched) {
        if let Some(host) = key.strip_prefix(IDENTITIES) {
            return self.set_identity(host, touched);
        }
        let Some((kind, path)) = keys::parse_object(key) else {
            return;
        };
        match kind {
            Kind::Host => {
                let facts = compiled(key, value, compile::host);
                host::set_facts(
                    &mut self.hosts,
                    &mut self.networks,
                    &path.into(),
                    facts,
                    touched,
                );
            }
            Kind::Network => {
                self.set_network(path, compiled(key, value, compile::network), touched);
            }
            Kind::Subnet | Kind::Node | Kind::SecurityGroup | Kind::Acl | Kind::RouteTable => {
                if let Some((path, name)) = path.rsplit_once('/') {
                    self.set_part(kind, (key, path, name), value, touched);
                }
            }
            Kind::Project | Kind::Token | Kind::Peering | Kind::Port => {}
        }
    }

    fn set_identity(&mut self, name: &str, touched: &mut Touched) {
        if let Some((name, _)) = self.hosts.get_key_value(name) {
            let name = Arc::clone(name);
            if let Some(host) = self.hosts.get_mut(&name) {
                host.identity = touched.revision;
            }
            touched.identities.insert(name);
        }
    }

    fn set_network(
        &mut self,
        path: &str,
        facts: Option<compile::NetworkFacts>,
        touched: &mut Touched,
    ) {
        let (path, network) = Self::network(&mut self.networks, path, touched.floor);
        let freed = network
            .vni()
            .filter(|vni| facts.as_ref().is_none_or(|facts| facts.vni != *vni));
        if let Some(vni) = freed {
            network.unnumber(&mut self.hosts, touched);
            self.vnis.remove(&vni);
        }
        network.set_facts(&mut self.hosts, facts, touched);
        self.number(&path, touched);
        if let Some(vni) = freed {
            self.pass_on(vni, touched);
        }
        self.prune(&path);
    }

    fn network<'a>(
        networks: &'a mut Networks,
        path: &str,
        floor: Revision,
    ) -> (Arc<str>, &'a mut Network) {
        let known = networks.get_key_value(path);
        let path = known.map_or_else(|| Arc::from(path), |(path, _)| Arc::clone(path));
        let network = networks
            .entry(Arc::clone(&path))
            .or_insert_with(|| Network::since(Arc::clone(&path), floor));
        (path, network)
    }

    /// Gives a network the number that it wants, if no other one has it.
    fn number(&mut self, path: &Arc<str>, touched: &mut Touched) {
        let Some(network) = self.networks.get_mut(path) else {
            return;
        };
        let Some(vni) = network.wanted_vni().filter(|_| network.vni().is_none()) else {
            return;
        };
        if let Some(other) = self.vnis.get(&vni) {
            tracing::warn!(%path, vni, %other, "two networks of one number: the later one is left out");
            return;
        }
        self.vnis.insert(vni, Arc::clone(path));
        network.number(&mut self.hosts, touched);
    }

    /// Gives a number that is free to a network that was left without.
    fn pass_on(&mut self, vni: u32, touched: &mut Touched) {
        let mut waiting = self.networks.values();
        let next = waiting.find(|network| network.wanted_vni() == Some(vni));
        if let Some(path) = next.map(|network| Arc::clone(network.path())) {
            self.number(&path, touched);
        }
    }

    /// Adds, changes or removes what is in a network.
    fn set_part(
        &mut self,
        kind: Kind,
        (key, path, name): (&str, &str, &str),
        value: Option<&Bytes>,
        touched: &mut Touched,
    ) {
        let (path, network) = Self::network(&mut self.networks, path, touched.floor);
        let hosts = &mut self.hosts;
        match kind {
            Kind::Node => {
                let record = compiled(key, value, compile::node);
                let id: NodeId = (Arc::clone(&path), Arc::from(name));
                let moving = record.as_ref().filter(|record| record.moves());
                let moving = moving.map(|record| moving_node(&id, record, touched.revision));
                network.set_node(hosts, name, record, touched);
                match moving {
                    Some(moving) => self.moving.insert(id, moving),
                    None => self.moving.remove(&id),
                };
            }
            Kind::Subnet => {
                let facts = compiled(key, value, compile::subnet);
                network.set_subnet(hosts, &name.into(), facts, touched);
            }
            Kind::SecurityGroup => {
                let value = compiled(key, value, compile::security_group);
                network.set_resource(agent::Kind::SecurityGroup, &name.into(), value, touched);
            }
            Kind::Acl => {
                let value = compiled(key, value, compile::acl);
                network.set_resource(agent::Kind::Acl, &name.into(), value, touched);
            }
            Kind::RouteTable => {
                let value = compiled(key, value, compile::route_table);
                network.set_resource(agent::Kind::RouteTable, &name.into(), value, touched);
            }
            Kind::Project
            | Kind::Host
            | Kind::Token
            | Kind::Network
            | Kind::Peering
            | Kind::Port => {}
        }
        self.prune(&path);
    }

    fn prune(&mut self, path: &Arc<str>) {
        if self.networks.get(path).is_some_and(Network::is_unused) {
            self.networks.remove(path);
        }
    }

    /// A network by its number.
    pub(super) fn numbered(&self, vni: u32) -> Option<&Network> {
        self.networks.get(self.vnis.get(&vni)?)
    }

    /// A host, if there is one of this name.
    pub(super) fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name).filter(|host| host.facts.is_some())
    }

    /// The state of every scope that a host must hold, its own first.
    pub(super) fn scopes(&self, host: &Host) -> Vec<ScopeState> {
        let own = host.scope.state(inlay_api::wire::HOST_SCOPE);
        let networks = host.networks(&self.networks);
        let networks = networks.map(|(vni, network)| network.scope.state(vni));
        std::iter::once(own).chain(networks).collect()
    }

    /// The last revision that changed anything that a host must hold.
    pub(super) fn desired(&self, host: &Host) -> Revision {
        let networks = host.networks(&self.networks);
        let networks = networks.map(|(_, network)| network.scope.revision());
        networks.fold(host.scope.revision(), Revision::max)
    }
}

fn moving_node((network, node): &NodeId, record: &NodeRecord, revision: Revision) -> Moving {
    let next_host = Some(&*record.next_host).filter(|_| record.former_host.is_empty());
    Moving {
        network: Arc::clone(network),
        node: Arc::clone(node),
        next_host: next_host.map(Arc::from),
        revision,
    }
}

fn compiled<T>(
    key: &str,
    value: Option<&Bytes>,
    compile: fn(&[u8]) -> Result<T, Broken>,
) -> Option<T> {
    compile(value?)
        .inspect_err(
            |error| tracing::warn!(key, %error, "a stored object makes no sense and is left out"),
        )
        .ok()
}
