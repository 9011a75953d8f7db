//! What is known of a network: its nodes, each as a record of 16 bytes, and what they have in common.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use inlay_api::objects::SubnetSpec;

use super::interner::Interner;

/// What a node or a subnet is of that names nothing else.
pub(super) const DEFAULT: &str = "default";

/// No host.
pub(super) const NO_HOST: u16 = u16::MAX;

/// A network.
#[derive(Debug, Default)]
pub(in crate::service) struct NetworkUse {
    /// Its number; 0: not known.
    pub(in crate::service) vni: u32,
    nodes: BTreeMap<u64, NodeRecord>,
    /// What each subnet names: its access control list and its route table.
    policies: HashMap<String, (Option<String>, Option<String>)>,
    subnets: Interner<Arc<str>>,
    /// The sets of groups that nodes have.
    group_sets: Interner<Arc<[Arc<str>]>>,
    groups: HashMap<Arc<str>, u32>,
    /// Nodes that each host has, prepares or gives up.
    hosts: BTreeMap<u16, u32>,
    /// Addresses that its hosts have been told of, and those since.
    pub(super) addresses: i64,
    pub(super) unsettled: i64,
}

/// A node.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeRecord {
    /// Numbers in the network's tables.
    pub(super) groups: u32,
    pub(super) subnet: u32,
    /// Numbers of hosts: its own, the next and the former one; `NO_HOST` where there is none.
    pub(super) hosts: [u16; 3],
    /// How many it has, 1 to 16.
    pub(super) addresses: u8,
    /// The place of its type, and above that (from bit 2) the binary logarithm of its flows; 0: the host's default.
    pub(super) type_and_flows: u8,
}

const _: () = assert!(size_of::<NodeRecord>() == 16);

impl NodeRecord {
    pub(super) const fn type_place(self) -> usize {
        (self.type_and_flows & 3) as usize
    }

    pub(super) const fn flows(self) -> Option<u64> {
        match self.type_and_flows >> 2 {
            0 => None,
            log2 => Some(1 << log2),
        }
    }

    /// Each of its hosts once.
    pub(super) fn hosts(self) -> impl Iterator<Item = u16> {
        let hosts = self.hosts;
        let is_first =
            move |&(nth, host): &(usize, u16)| host != NO_HOST && !hosts[..nth].contains(&host);
        let numbered = hosts.into_iter().enumerate();
        numbered.filter(is_first).map(|(_, host)| host)
    }
}

/// Whether a host has nodes of a network, before and after a change of one.
pub(super) enum HostChange {
    Entered,
    Left,
    Stayed,
}

impl NetworkUse {
    /// How many nodes it has.
    pub(in crate::service) fn nodes(&self) -> u64 {
        self.nodes.len() as u64
    }

    /// How many hosts have one of them.
    pub(in crate::service) fn hosts(&self) -> u64 {
        self.hosts.len() as u64
    }

    /// How many of its nodes a host has.
    pub(in crate::service) fn nodes_on(&self, host: u16) -> u32 {
        self.hosts.get(&host).copied().unwrap_or(0)
    }

    /// Addresses of all its nodes.
    pub(in crate::service) fn addresses(&self) -> u64 {
        u64::try_from(self.addresses + self.unsettled).unwrap_or(0)
    }

    /// How many nodes a subnet has.
    pub(in crate::service) fn nodes_of_subnet(&self, subnet: &str) -> u32 {
        self.subnets.users(subnet)
    }

    /// How many subnets an access control list is of.
    pub(in crate::service) fn subnets_of_acl(&self, acl: &str) -> u64 {
        let named = |(of, _): &&(Option<String>, _)| of.as_deref().unwrap_or(DEFAULT) == acl;
        self.policies.values().filter(named).count() as u64
    }

    /// How many subnets a route table is of.
    pub(in crate::service) fn subnets_of_table(&self, table: &str) -> u64 {
        let named = |(_, of): &&(_, Option<String>)| of.as_deref() == Some(table);
        self.policies.values().filter(named).count() as u64
    }

    pub(super) fn put_subnet(&mut self, name: &str, spec: SubnetSpec) {
        let policy = (spec.acl, spec.route_table);
        self.policies.insert(name.to_owned(), policy);
    }

    pub(super) fn delete_subnet(&mut self, name: &str) {
        self.policies.remove(name);
    }

    /// How many nodes are in a group.
    pub(in crate::service) fn nodes_of_group(&self, group: &str) -> u32 {
        self.groups.get(group).copied().unwrap_or(0)
    }

    /// The sets of groups of nodes that are in `group`.
    pub(in crate::service) fn sets_with(&self, group: &str) -> Vec<Arc<[Arc<str>]>> {
        let sets = self.group_sets.iter().map(|(set, _)| set);
        sets.filter(|set| set.iter().any(|it| **it == *group))
            .cloned()
            .collect()
    }

    pub(super) fn has(&self, node: u64) -> bool {
        self.nodes.contains_key(&node)
    }

    pub(super) fn hosts_numbers(&self) -> impl Iterator<Item = u16> {
        self.hosts.keys().copied()
    }

    /// The numbers of a subnet and a set of groups, of which there is one more user.
    pub(super) fn acquire(&mut self, subnet: &str, groups: &[Arc<str>]) -> (u32, u32) {
        for group in groups {
            *self.groups.entry(group.clone()).or_default() += 1;
        }
        let groups = self.group_sets.acquire(&Arc::from(groups));
        (self.subnets.acquire(&super::shared(subnet)), groups)
    }

    pub(super) fn insert(&mut self, node: u64, record: NodeRecord) {
        self.unsettled += i64::from(record.addresses);
        self.nodes.insert(node, record);
    }

    pub(super) fn remove(&mut self, node: u64) -> Option<NodeRecord> {
        let record = self.nodes.remove(&node)?;
        self.unsettled -= i64::from(record.addresses);
        let groups = self.group_sets.value(record.groups).cloned();
        for group in groups.iter().flat_map(|set| set.iter()) {
            if let Some(users) = self.groups.get_mut(group) {
                *users -= 1;
                if *users == 0 {
                    self.groups.remove(group);
                }
            }
        }
        self.group_sets.release(record.groups);
        self.subnets.release(record.subnet);
        Some(record)
    }

    /// One node more or less of a host.
    pub(super) fn count_host(&mut self, host: u16, more: bool) -> HostChange {
        let nodes = self.hosts.entry(host).or_default();
        match (more, *nodes) {
            (true, 0) => {
                *nodes = 1;
                HostChange::Entered
            }
            (false, 0 | 1) => {
                self.hosts.remove(&host);
                HostChange::Left
            }
            (true, _) => {
                *nodes += 1;
                HostChange::Stayed
            }
            (false, _) => {
                *nodes -= 1;
                HostChange::Stayed
            }
        }
    }
}
