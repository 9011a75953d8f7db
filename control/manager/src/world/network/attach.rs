//! Which hosts a network concerns, and what they are told of its nodes because of that.

use std::sync::Arc;

use inlay_api::wire::agent::Kind;

use super::{Network, Touched};
use crate::{
    store::Revision,
    world::{
        compile::{NetworkFacts, SubnetFacts, Told},
        host::{Host, Hosts, attachment_key},
        record::NodeRecord,
    },
};

impl Network {
    /// Replaces what is said of the network as a whole. Its number counts once it is `numbered`.
    pub(in crate::world) fn set_facts(
        &mut self,
        hosts: &mut Hosts,
        facts: Option<NetworkFacts>,
        touched: &mut Touched,
    ) {
        let told = |facts: &NetworkFacts| (facts.vni, facts.told.clone());
        let same_told: Option<(u32, Told)> = facts.as_ref().map(told);
        if self.numbered && same_told != self.facts.as_ref().map(told) {
            self.detach_all(hosts, touched);
        }
        let value = facts.as_ref().map(|facts| facts.network.clone());
        self.facts = facts;
        self.set_resource(Kind::Network, &"".into(), value, touched);
        self.attach_all(hosts, touched);
    }

    /// Gives the number to the network.
    pub(in crate::world) fn number(&mut self, hosts: &mut Hosts, touched: &mut Touched) {
        self.numbered = true;
        self.attach_all(hosts, touched);
    }

    /// Takes the number from the network: no host needs to know it.
    pub(in crate::world) fn unnumber(&mut self, hosts: &mut Hosts, touched: &mut Touched) {
        self.detach_all(hosts, touched);
        self.numbered = false;
    }

    fn detach_all(&mut self, hosts: &mut Hosts, touched: &mut Touched) {
        self.refresh(hosts, touched, |_, _, _| None);
    }

    fn attach_all(&mut self, hosts: &mut Hosts, touched: &mut Touched) {
        if self.orphans > 0 {
            self.refresh(hosts, touched, Self::compile_attachment);
        }
    }

    /// Replaces what is said of a subnet. Where its nodes are told something else by that, all nodes are looked at.
    pub(in crate::world) fn set_subnet(
        &mut self,
        hosts: &mut Hosts,
        name: &Arc<str>,
        facts: Option<SubnetFacts>,
        touched: &mut Touched,
    ) {
        let link = facts.as_ref().map(|facts| facts.link);
        let old = self.links.get(name).copied();
        let value = facts.map(|facts| facts.subnet);
        self.set_resource(Kind::Subnet, name, value, touched);
        if old == link {
            return;
        }
        match link {
            Some(link) => self.links.insert(Arc::clone(name), link),
            None => self.links.remove(name),
        };
        if old.is_some() || self.orphans > 0 {
            self.refresh(hosts, touched, Self::compile_attachment);
        }
    }

    /// Compiles the attachments of all nodes anew.
    fn refresh(
        &mut self,
        hosts: &mut Hosts,
        touched: &mut Touched,
        compile: impl Fn(&Self, &str, &NodeRecord) -> Option<Vec<u8>>,
    ) {
        let names: Vec<_> = self.nodes.keys().cloned().collect();
        for name in names {
            let Some(packed) = self.nodes.get(&name) else {
                continue;
            };
            let before = NodeRecord::unpack(packed);
            let mut after = before.clone();
            let compiled = compile(self, &name, &after);
            after.attachment = self.attachment_digest(&name, compiled.as_deref());
            if after.attachment != before.attachment {
                self.settle(hosts, &name, Some(&before), Some(&after), touched);
                self.nodes.insert(name, after.pack());
            }
        }
    }

    /// Brings the hosts that a node concerns from what it was to what it is.
    pub(super) fn settle(
        &mut self,
        hosts: &mut Hosts,
        name: &Arc<str>,
        before: Option<&NodeRecord>,
        after: Option<&NodeRecord>,
        touched: &mut Touched,
    ) {
        self.orphans -= usize::from(before.is_some_and(|record| record.attachment.is_none()));
        self.orphans += usize::from(after.is_some_and(|record| record.attachment.is_none()));
        let key: Arc<str> = self
            .vni()
            .map(|vni| attachment_key(vni, name))
            .unwrap_or_default()
            .into();
        let left = before.map(NodeRecord::hosts).unwrap_or_default();
        let joined = after.map(NodeRecord::hosts).unwrap_or_default();
        let mut all: Vec<_> = left.iter().chain(&joined).collect();
        all.sort_unstable();
        all.dedup();
        for host_name in all {
            let (is_left, is_joined) = (left.contains(host_name), joined.contains(host_name));
            let host_name = Self::known(hosts, host_name, touched.floor);
            let Some(host) = hosts.get_mut(&host_name) else {
                continue;
            };
            let was = before
                .filter(|_| is_left)
                .and_then(NodeRecord::attachment_digest);
            let is = after
                .filter(|_| is_joined)
                .and_then(NodeRecord::attachment_digest);
            if host.attach(touched.revision, &key, was, is) || is_joined != is_left {
                touched.hosts.insert(Arc::clone(&host_name));
            }
            if is_joined && !is_left {
                host.join(&self.path, name);
                self.hosts.entry(Arc::clone(&host_name)).or_default().all += 1;
            }
            if is_left && !is_joined {
                host.leave(&self.path, name);
                self.leave(&host_name);
            }
        }
    }

    /// The name under which a host is kept, which is made known if it is not.
    fn known(hosts: &mut Hosts, name: &str, revision: Revision) -> Arc<str> {
        if let Some((known, _)) = hosts.get_key_value(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        hosts.insert(Arc::clone(&name), Host::since(revision));
        name
    }

    fn leave(&mut self, host: &str) {
        if let Some(part) = self.hosts.get_mut(host) {
            part.all -= 1;
            if part.all == 0 {
                self.hosts.remove(host);
            }
        }
    }

    /// Counts on which host the node is, and shows hosts that have their first or lost their last.
    pub(super) fn reside(
        &mut self,
        hosts: &mut Hosts,
        before: Option<&NodeRecord>,
        after: Option<&NodeRecord>,
        touched: &mut Touched,
    ) {
        let of = |record: Option<&NodeRecord>| {
            let host = record.map(|record| record.node().host);
            host.filter(|host| !host.is_empty())
        };
        let (left, joined) = (of(before), of(after));
        if left == joined {
            return;
        }
        if let Some(part) = joined.as_ref().and_then(|h| self.hosts.get_mut(&**h)) {
            part.resident += 1;
        }
        if let Some(part) = left.as_ref().and_then(|h| self.hosts.get_mut(&**h)) {
            part.resident -= 1;
        }
        for name in [left, joined].into_iter().flatten() {
            let name: Arc<str> = name.into();
            let facts = hosts.get(&name).and_then(|host| host.facts.clone());
            self.show_host(&name, facts.as_ref(), touched);
        }
    }
}
