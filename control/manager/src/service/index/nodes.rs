//! Nodes as they come and go: the counts of their networks and hosts.

use std::borrow::Cow;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use inlay_api::objects::NodeType;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Index;
use super::hosts::type_place;
use super::network::{DEFAULT, HostChange, NO_HOST, NodeRecord};

/// Of a stored node, what is counted.
#[derive(Deserialize)]
struct NodeFacts<'a> {
    #[serde(borrow)]
    spec: SpecFacts<'a>,
    #[serde(borrow)]
    status: StatusFacts<'a>,
}

#[derive(Deserialize)]
struct SpecFacts<'a> {
    #[serde(rename = "type", default)]
    node_type: NodeType,
    #[serde(borrow)]
    subnet: Cow<'a, str>,
    #[serde(default)]
    security_groups: Option<Vec<String>>,
    #[serde(default)]
    flows_max: Option<u64>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct StatusFacts<'a> {
    #[serde(borrow)]
    host: Cow<'a, str>,
    #[serde(borrow)]
    next_host: Cow<'a, str>,
    #[serde(borrow)]
    former_host: Cow<'a, str>,
    addresses: Vec<IgnoredAny>,
}

impl Index {
    pub(super) fn hash_of(&self, name: &str) -> u64 {
        self.hash.hash_one(name)
    }

    /// `path` is `project/network/name`.
    pub(super) fn put_node(&mut self, path: &str, value: &[u8]) {
        let facts: NodeFacts<'_> = match serde_json::from_slice(value) {
            Ok(facts) => facts,
            Err(error) => {
                tracing::error!(path, %error, "a stored node cannot be read");
                return;
            }
        };
        self.delete_node(path);
        let Some((network, name)) = path.rsplit_once('/') else {
            return;
        };
        let hosts = [
            &facts.status.host,
            &facts.status.next_host,
            &facts.status.former_host,
        ];
        let hosts = hosts.map(|name| match name.as_ref() {
            "" => NO_HOST,
            name => self.hosts.number(name).unwrap_or(NO_HOST),
        });
        let groups = facts.spec.security_groups;
        let groups = groups.unwrap_or_else(|| vec![DEFAULT.to_owned()]);
        let groups: Vec<Arc<str>> = groups.into_iter().map(Arc::from).collect();
        let flows_log2 = facts.spec.flows_max.map_or(0, u64::trailing_zeros);
        let node = self.hash_of(name);
        let of = self.network_mut(network);
        let (subnet, groups) = of.acquire(&facts.spec.subnet, &groups);
        let node_type = u8::try_from(type_place(facts.spec.node_type)).unwrap_or(0);
        let record = NodeRecord {
            groups,
            subnet,
            hosts,
            addresses: u8::try_from(facts.status.addresses.len()).unwrap_or(u8::MAX),
            type_and_flows: node_type | (u8::try_from(flows_log2).unwrap_or(0) << 2),
        };
        of.insert(node, record);
        for host in record.hosts() {
            self.count(network, host, record, true);
        }
        self.unsettled.insert(network.to_owned());
    }

    /// `path` is `project/network/name`.
    pub(super) fn delete_node(&mut self, path: &str) {
        let Some((network, name)) = path.rsplit_once('/') else {
            return;
        };
        let node = self.hash_of(name);
        let Some(of) = self.networks.get_mut(network) else {
            return;
        };
        let Some(record) = of.remove(node) else {
            return;
        };
        for host in record.hosts() {
            self.count(network, host, record, false);
            self.hosts.tidy(host);
        }
        self.unsettled.insert(network.to_owned());
    }

    /// One node more or less of a host: its types and flows, and the addresses that it has to know.
    fn count(&mut self, network: &str, host: u16, record: NodeRecord, more: bool) {
        let Some(of) = self.networks.get_mut(network) else {
            return;
        };
        let change = of.count_host(host, more);
        let addresses = u64::try_from(of.addresses).unwrap_or(0);
        let Some(host) = self.hosts.at_mut(host) else {
            return;
        };
        let nodes = &mut host.nodes[record.type_place()];
        *nodes = if more {
            *nodes + 1
        } else {
            nodes.saturating_sub(1)
        };
        match (record.flows(), more) {
            (Some(flows), true) => host.flows_own += flows,
            (Some(flows), false) => host.flows_own = host.flows_own.saturating_sub(flows),
            (None, true) => host.flows_defaulted += 1,
            (None, false) => host.flows_defaulted = host.flows_defaulted.saturating_sub(1),
        }
        match change {
            HostChange::Entered => {
                host.networks += 1;
                host.mappings += addresses;
            }
            HostChange::Left => {
                host.networks = host.networks.saturating_sub(1);
                host.mappings = host.mappings.saturating_sub(addresses);
            }
            HostChange::Stayed => {}
        }
    }

    /// Tells the hosts of networks that have grown or shrunk; once a commit, since that is a step for each host.
    pub(super) fn settle(&mut self) {
        for network in std::mem::take(&mut self.unsettled) {
            let Some(of) = self.networks.get_mut(&network) else {
                continue;
            };
            let delta = std::mem::take(&mut of.unsettled);
            of.addresses += delta;
            for host in of.hosts_numbers() {
                if let Some(host) = self.hosts.at_mut(host) {
                    host.mappings = host.mappings.saturating_add_signed(delta);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::HostUse;
    use super::*;
    use serde_json::json;

    fn put(
        index: &mut Index,
        path: &str,
        host: &str,
        next: &str,
        groups: &[&str],
        addresses: usize,
    ) {
        let addresses: Vec<String> = (0..addresses).map(|nth| format!("10.0.0.{nth}")).collect();
        let value = json!({
            "spec": { "type": "tap", "subnet": "a", "security_groups": groups, "flows_max": 1024 },
            "status": { "host": host, "next_host": next, "addresses": addresses },
        });
        index.put_node(path, value.to_string().as_bytes());
        index.settle();
    }

    fn host<'a>(index: &'a Index, name: &str) -> (&'a HostUse, u64) {
        let host = index.host(name).unwrap();
        (host, host.mappings)
    }

    #[test]
    fn hosts_know_the_addresses_of_their_networks() {
        let mut index = Index::default();
        put(&mut index, "p/n/1", "a", "", &["x"], 2);
        put(&mut index, "p/n/2", "b", "", &["x", "y"], 3);
        put(&mut index, "p/m/1", "b", "", &["x"], 1);
        assert_eq!(host(&index, "a").1, 5);
        assert_eq!(host(&index, "b").1, 6);
        assert_eq!(host(&index, "b").0.networks, 2);
        assert_eq!(host(&index, "b").0.flows(4_096), 2_048);
        let network = index.network("p", "n").unwrap();
        assert_eq!(
            (network.nodes(), network.hosts(), network.addresses()),
            (2, 2, 5)
        );
        assert_eq!(
            (network.nodes_of_group("x"), network.nodes_of_group("y")),
            (2, 1)
        );
        assert_eq!(network.nodes_of_subnet("a"), 2);
        assert_eq!(network.sets_with("y").len(), 1);
    }

    #[test]
    fn a_node_on_its_way_counts_on_both_hosts_and_then_on_one() {
        let mut index = Index::default();
        put(&mut index, "p/n/1", "a", "b", &["x"], 1);
        assert_eq!(host(&index, "a").0.nodes, [0, 1, 0]);
        assert_eq!(host(&index, "b").0.nodes, [0, 1, 0]);
        put(&mut index, "p/n/1", "b", "", &["x"], 1);
        assert!(index.host("a").is_none());
        assert_eq!(host(&index, "b").0.nodes, [0, 1, 0]);
        assert_eq!(host(&index, "b").1, 1);
    }

    #[test]
    fn what_went_leaves_nothing() {
        let mut index = Index::default();
        put(&mut index, "p/n/1", "a", "", &["x"], 2);
        put(&mut index, "p/n/2", "a", "", &["x"], 1);
        index.delete_node("p/n/1");
        index.delete_node("p/n/1");
        index.settle();
        assert_eq!(host(&index, "a").1, 1);
        assert_eq!(host(&index, "a").0.flows_own, 1_024);
        index.delete_node("p/n/2");
        index.settle();
        assert!(index.host("a").is_none());
        let network = index.network("p", "n").unwrap();
        assert_eq!(
            (network.nodes(), network.hosts(), network.addresses()),
            (0, 0, 0)
        );
        assert_eq!(network.nodes_of_group("x"), 0);
    }
}
