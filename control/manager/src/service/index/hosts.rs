//! What is known of the hosts: what they take, and what they have.

use std::collections::HashMap;
use std::sync::Arc;

use inlay_api::objects::validate::{self, FieldProblems, HostValues};
use inlay_api::objects::{Host, Labels, NodeType};

/// A host: its object, and how much of it is used.
#[derive(Clone, Debug)]
pub(in crate::service) struct HostUse {
    pub(in crate::service) name: Arc<str>,
    /// `None`: nodes name it, and it is not there.
    pub(in crate::service) facts: Option<HostFacts>,
    /// Nodes by type: those that it has, prepares or gives up.
    pub(in crate::service) nodes: [u32; 3],
    /// Networks that it has nodes of.
    pub(in crate::service) networks: u32,
    /// Addresses of all these networks.
    pub(in crate::service) mappings: u64,
    /// Flows of the nodes that say how many they need.
    pub(in crate::service) flows_own: u64,
    /// Nodes that take the host's own number.
    pub(in crate::service) flows_defaulted: u32,
}

/// Of a host's object, what placing needs.
#[derive(Clone, Debug)]
pub(in crate::service) struct HostFacts {
    pub(in crate::service) values: HostValues,
    pub(in crate::service) location: String,
    pub(in crate::service) labels: Labels,
    pub(in crate::service) cordoned: bool,
}

impl HostUse {
    /// Nodes of all types.
    pub(in crate::service) fn nodes_total(&self) -> u32 {
        self.nodes.iter().sum()
    }

    /// Flows of all its nodes.
    pub(in crate::service) fn flows(&self, flows_per_port: u32) -> u64 {
        self.flows_own + u64::from(self.flows_defaulted) * u64::from(flows_per_port)
    }
}

/// Hosts by number. One that is neither there nor named by a node gives its number back.
#[derive(Debug, Default)]
pub(super) struct HostTable {
    numbers: HashMap<Arc<str>, u16>,
    slots: Vec<Option<HostUse>>,
    free: Vec<u16>,
}

impl HostTable {
    pub(super) fn put(&mut self, name: &str, value: &[u8]) {
        let Some(host) = super::read::<Host>(name, value) else {
            return;
        };
        // It was checked when it was stored.
        let values = validate::host(&host.spec, &mut FieldProblems::default());
        let facts = values.map(|values| HostFacts {
            values,
            location: host.spec.location,
            labels: host.metadata.labels,
            cordoned: host.spec.cordoned,
        });
        if let Some(number) = self.number(name)
            && let Some(host) = self.at_mut(number)
        {
            host.facts = facts;
        }
    }

    pub(super) fn delete(&mut self, name: &str) {
        let Some(&number) = self.numbers.get(name) else {
            return;
        };
        if let Some(host) = self.at_mut(number) {
            host.facts = None;
        }
        self.tidy(number);
    }

    /// The number of a host; `None` where 65,536 have one, more than `HOSTS_MAX`.
    pub(super) fn number(&mut self, name: &str) -> Option<u16> {
        if let Some(&number) = self.numbers.get(name) {
            return Some(number);
        }
        let number = match self.free.pop() {
            Some(number) => number,
            None => u16::try_from(self.slots.len()).ok()?,
        };
        let name = super::shared(name);
        let host = HostUse {
            name: name.clone(),
            facts: None,
            nodes: [0; 3],
            networks: 0,
            mappings: 0,
            flows_own: 0,
            flows_defaulted: 0,
        };
        match self.slots.get_mut(usize::from(number)) {
            Some(slot) => *slot = Some(host),
            None => self.slots.push(Some(host)),
        }
        self.numbers.insert(name, number);
        Some(number)
    }

    /// Gives the number of a host back that is not there and has nothing.
    pub(super) fn tidy(&mut self, number: u16) {
        let Some(slot) = self.slots.get_mut(usize::from(number)) else {
            return;
        };
        let unused = |host: &mut HostUse| host.facts.is_none() && host.nodes_total() == 0;
        if let Some(host) = slot.take_if(unused) {
            self.numbers.remove(&host.name);
            self.free.push(number);
        }
    }

    pub(super) fn at_mut(&mut self, number: u16) -> Option<&mut HostUse> {
        self.slots.get_mut(usize::from(number))?.as_mut()
    }

    pub(super) fn get(&self, name: &str) -> Option<&HostUse> {
        let number = *self.numbers.get(name)?;
        self.slots.get(usize::from(number))?.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, &HostUse)> {
        let slots = (0..=u16::MAX).zip(&self.slots);
        slots.filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
    }
}

/// The place of a type in `HostUse::nodes`.
pub(in crate::service) const fn type_place(node_type: NodeType) -> usize {
    match node_type {
        NodeType::Netns => 0,
        NodeType::Tap => 1,
        NodeType::Device => 2,
    }
}
