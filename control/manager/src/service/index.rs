//! What decisions need to know of everything that is stored, in memory: counts, claimed addresses, who is where.
//! It is built from the store and follows its watch; nothing else changes it.
//!
//! A node costs about 40 bytes: a record of 16 bytes in a B-tree under a 64-bit hash of its name (8), and the room
//! that a B-tree leaves. The hash is keyed at random (`RandomState`), so nobody can choose names that collide; among
//! a million nodes of a network two collide by chance once in 40 million times, and then a count is one too low until
//! the next start.

mod addresses;
mod answers;
mod audit_log;
mod follow;
mod hosts;
mod interner;
mod network;
mod nodes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::RandomState;
use std::net::Ipv4Addr;
use std::sync::Arc;

use inlay_api::objects::{Kind, Network, Peering, PeeringSpec, PeeringState, Role, Subnet, Token};
use ipnet::Ipv4Net;
use serde::de::DeserializeOwned;

use crate::keys::{self, Claim};
use crate::store::{Change, Commit, Entry, Revision};

use addresses::AddressSet;
use answers::Answers;
use audit_log::AuditLog;
pub(super) use follow::Follower;
use hosts::HostTable;
pub(super) use hosts::{HostUse, type_place};
pub(super) use network::NetworkUse;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Up to which revision everything is in here.
    pub(super) revision: Revision,
    /// The last change of `keys::SERVICE_GUARD`; 0: none yet.
    pub(super) guard: Revision,
    pub(super) audit_log: AuditLog,
    pub(super) answers: Answers,
    hash: RandomState,
    hosts: HostTable,
    /// By `project/network`.
    networks: BTreeMap<String, NetworkUse>,
    /// Those whose hosts have not been told how many addresses there are.
    unsettled: BTreeSet<String>,
    claims: HashMap<u32, AddressClaims>,
    vnis: BTreeSet<u32>,
    /// Claims that were given up, by when, Unix time in seconds: of addresses, and of networks' numbers. One that was
    /// taken again stays here until `forget_released`.
    released: BTreeSet<(i64, u32, Option<Ipv4Addr>)>,
    /// By `project/name`.
    peerings: BTreeMap<String, (PeeringSpec, PeeringState)>,
    tokens: BTreeMap<String, (Role, Option<String>)>,
}

/// The claimed addresses of a network.
#[derive(Debug, Default)]
struct AddressClaims {
    all: AddressSet,
    /// Those in quarantine.
    released: AddressSet,
}

/// How many addresses of a subnet are what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct AddressCounts {
    pub(super) used: u64,
    pub(super) free: u64,
}

impl Index {
    /// Takes in what one transaction changed. Doing it again, in order, changes nothing.
    pub(super) fn apply(&mut self, commit: &Commit) {
        for Change { key, value } in commit.changes.iter() {
            match value {
                Some(value) => self.put(key, value, commit.revision),
                None => self.delete(key),
            }
        }
        self.settle();
        self.revision = commit.revision;
    }

    /// Takes in an entry of the store as it is found.
    fn load(&mut self, entry: &Entry) {
        self.put(&entry.key, &entry.value, entry.modified);
    }

    fn put(&mut self, key: &str, value: &[u8], modified: Revision) {
        if let Some((kind, path)) = keys::parse_object(key) {
            self.put_object(kind, path, value);
        } else if let Some((vni, address)) = keys::parse_address_claim(key) {
            self.put_address(vni, address, value);
        } else if let Some(vni) = keys::parse_vni_claim(key) {
            self.vnis.insert(vni);
            if let Some(since) = read::<Claim>(key, value).and_then(|claim| claim.released_s) {
                self.released.insert((since, vni, None));
            }
        } else if key == keys::SERVICE_GUARD {
            self.guard = self.guard.max(modified);
        } else if key.starts_with(keys::AUDIT) {
            self.audit_log.put(key, value);
        } else if key.starts_with(keys::IDEMPOTENCY) {
            self.answers.put(key, value);
        }
    }

    fn delete(&mut self, key: &str) {
        if let Some((kind, path)) = keys::parse_object(key) {
            self.delete_object(kind, path);
        } else if let Some((vni, address)) = keys::parse_address_claim(key) {
            self.delete_address(vni, address);
        } else if let Some(vni) = keys::parse_vni_claim(key) {
            self.vnis.remove(&vni);
        } else if key.starts_with(keys::AUDIT) {
            self.audit_log.delete(key);
        } else if key.starts_with(keys::IDEMPOTENCY) {
            self.answers.delete(key);
        }
    }

    fn put_object(&mut self, kind: Kind, path: &str, value: &[u8]) {
        match kind {
            Kind::Host => self.hosts.put(path, value),
            Kind::Node => self.put_node(path, value),
            Kind::Network => {
                if let Some(network) = read::<Network>(path, value) {
                    self.network_mut(path).vni = network.status.vni;
                }
            }
            Kind::Peering => {
                if let Some(peering) = read::<Peering>(path, value) {
                    let of = (peering.spec, peering.status.state);
                    self.peerings.insert(path.to_owned(), of);
                }
            }
            Kind::Token => {
                if let Some(token) = read::<Token>(path, value) {
                    let of = (token.spec.role, token.spec.project);
                    self.tokens.insert(path.to_owned(), of);
                }
            }
            Kind::Subnet => {
                if let Some((network, name)) = path.rsplit_once('/')
                    && let Some(subnet) = read::<Subnet>(path, value)
                {
                    self.network_mut(network).put_subnet(name, subnet.spec);
                }
            }
            Kind::Project | Kind::SecurityGroup | Kind::Acl | Kind::RouteTable | Kind::Port => {}
        }
    }

    fn delete_object(&mut self, kind: Kind, path: &str) {
        match kind {
            Kind::Host => self.hosts.delete(path),
            Kind::Node => self.delete_node(path),
            Kind::Network => {
                self.networks.remove(path);
            }
            Kind::Peering => {
                self.peerings.remove(path);
            }
            Kind::Token => {
                self.tokens.remove(path);
            }
            Kind::Subnet => {
                if let Some((network, name)) = path.rsplit_once('/')
                    && let Some(network) = self.networks.get_mut(network)
                {
                    network.delete_subnet(name);
                }
            }
            Kind::Project | Kind::SecurityGroup | Kind::Acl | Kind::RouteTable | Kind::Port => {}
        }
    }

    fn network_mut(&mut self, path: &str) -> &mut NetworkUse {
        if !self.networks.contains_key(path) {
            self.networks.insert(path.to_owned(), NetworkUse::default());
        }
        self.networks.entry(path.to_owned()).or_default()
    }

    fn put_address(&mut self, vni: u32, address: Ipv4Addr, value: &[u8]) {
        let released = read::<Claim>("an address", value).and_then(|claim| claim.released_s);
        let claims = self.claims.entry(vni).or_default();
        claims.all.insert(address);
        if let Some(since) = released {
            claims.released.insert(address);
            self.released.insert((since, vni, Some(address)));
        } else {
            claims.released.remove(address);
        }
    }

    fn delete_address(&mut self, vni: u32, address: Ipv4Addr) {
        let Some(claims) = self.claims.get_mut(&vni) else {
            return;
        };
        claims.all.remove(address);
        claims.released.remove(address);
        if claims.all.is_empty() {
            self.claims.remove(&vni);
        }
    }

    /// The first `count` free addresses of a subnet from `cursor` on, round its end; fewer where there are no more.
    /// Never the network's, the broadcast one or the gateway.
    pub(super) fn free_addresses(
        &self,
        vni: u32,
        cidr: Ipv4Net,
        gateway: Ipv4Addr,
        cursor: u32,
        count: usize,
    ) -> Vec<Ipv4Addr> {
        let none = AddressSet::default();
        let claimed = self.claims.get(&vni).map_or(&none, |claims| &claims.all);
        let (first, last) = usable(cidr);
        let cursor = if (first..=last).contains(&cursor) {
            cursor
        } else {
            first
        };
        let mut found = Vec::with_capacity(count);
        for (from, to) in [(cursor, last), (first, cursor.saturating_sub(1))] {
            let mut at = from;
            while found.len() < count && at <= to {
                let Some(free) = claimed.first_absent(at, to) else {
                    break;
                };
                if free != gateway.to_bits() {
                    found.push(Ipv4Addr::from_bits(free));
                }
                // Below the broadcast address, so there is a next one.
                at = free + 1;
            }
        }
        found
    }

    /// How many addresses of a subnet nodes have, and may still get.
    pub(super) fn address_counts(&self, vni: u32, cidr: Ipv4Net) -> AddressCounts {
        let (first, last) = usable(cidr);
        let range = first..=last;
        let (all, released) = self.claims.get(&vni).map_or((0, 0), |claims| {
            (claims.all.count(&range), claims.released.count(&range))
        });
        // The gateway is no node's.
        let usable = u64::from(last - first);
        AddressCounts {
            used: all.saturating_sub(released),
            free: usable.saturating_sub(all),
        }
    }

    /// How many addresses of a subnet are in quarantine.
    pub(super) fn resting(&self, vni: u32, cidr: Ipv4Net) -> u64 {
        let (first, last) = usable(cidr);
        let claims = self.claims.get(&vni);
        claims.map_or(0, |claims| claims.released.count(&(first..=last)))
    }

    /// The first number from `cursor` on, round the end, that no network has.
    pub(super) fn free_vni(&self, cursor: u32) -> Option<u32> {
        const MAX: u32 = inlay_api::Vni::MAX;
        let cursor = cursor.clamp(1, MAX);
        let mut at = cursor;
        for &taken in self.vnis.range(cursor..=MAX) {
            if taken != at {
                return Some(at);
            }
            at += 1;
        }
        if at <= MAX {
            return Some(at);
        }
        (1..cursor).find(|vni| !self.vnis.contains(vni))
    }

    /// Claims that were given up at `until` or before, at most `limit`, the oldest first.
    pub(super) fn released_until(
        &self,
        until: i64,
        limit: usize,
    ) -> Vec<(i64, u32, Option<Ipv4Addr>)> {
        let due = self
            .released
            .iter()
            .take_while(|(since, ..)| *since <= until);
        due.take(limit).copied().collect()
    }

    /// Forgets that a claim was given up, since it is gone or taken again.
    pub(super) fn forget_released(&mut self, claim: &(i64, u32, Option<Ipv4Addr>)) {
        self.released.remove(claim);
    }

    /// What is known of a network.
    pub(super) fn network(&self, project: &str, network: &str) -> Option<&NetworkUse> {
        self.networks.get(&format!("{project}/{network}"))
    }

    /// All networks, by `project/network`.
    pub(super) fn networks(&self) -> impl Iterator<Item = (&str, &NetworkUse)> {
        let all = self.networks.iter();
        all.map(|(path, network)| (path.as_str(), network))
    }

    /// The networks of a project.
    pub(super) fn networks_of(&self, project: &str) -> impl Iterator<Item = (&str, &NetworkUse)> {
        let prefix = format!("{project}/");
        let from = self.networks.range(prefix.clone()..);
        from.map_while(move |(path, network)| Some((path.strip_prefix(&prefix)?, network)))
    }

    /// What is known of a host.
    pub(super) fn host(&self, name: &str) -> Option<&HostUse> {
        self.hosts.get(name)
    }

    /// All hosts.
    pub(super) fn hosts(&self) -> impl Iterator<Item = (u16, &HostUse)> {
        self.hosts.iter()
    }

    /// All peerings, by `project/name`.
    pub(super) fn peerings(&self) -> impl Iterator<Item = (&str, &PeeringSpec, PeeringState)> {
        let all = self.peerings.iter();
        all.map(|(path, (spec, state))| (path.as_str(), spec, *state))
    }

    /// All tokens: name, role, project.
    pub(super) fn tokens(&self) -> impl Iterator<Item = (&str, Role, Option<&str>)> {
        let all = self.tokens.iter();
        all.map(|(name, (role, project))| (name.as_str(), *role, project.as_deref()))
    }

    /// Names that nodes of a network have been given, as far as a hash tells: where it says no, there is none.
    pub(super) fn may_have_node(&self, network: &NetworkUse, name: &str) -> bool {
        network.has(self.hash_of(name))
    }
}

/// The first and the last address that a node can have, the gateway among them, in host byte order.
fn usable(cidr: Ipv4Net) -> (u32, u32) {
    (cidr.network().to_bits() + 1, cidr.broadcast().to_bits() - 1)
}

/// A stored value. What cannot be read is said and left out: one such value must not stop the manager.
fn read<T: DeserializeOwned>(what: &str, value: &[u8]) -> Option<T> {
    serde_json::from_slice(value)
        .map_err(|error| tracing::error!(what, %error, "a stored value cannot be read"))
        .ok()
}

/// `Arc<str>` of a name.
fn shared(name: &str) -> Arc<str> {
    Arc::from(name)
}
