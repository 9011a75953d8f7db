//! The tables' answers.

use std::{cell::Cell, collections::BTreeMap, rc::Rc};

use inlay_core::{
    drop_reason::DropReason,
    event::DropEvent,
    flow::{Flow, FlowKey, FlowRecord},
    ids::{HostPrefix, Tick},
    pipeline::trace::Step,
    substrate::Tag,
    tables::{
        Direction, Resolved, Tables,
        limits::{
            DEVICES_MAX, FLOWS_MAX, FRAGMENTS_PER_PORT, HOSTS_MAX, INTERVALS_MAX, NETWORKS_MAX,
            POLICIES_MAX, PORTS_MAX, ROUTE_TARGETS_MAX, ROWS_MAX, SUBNETS_MAX,
        },
        records::{
            Config, ForwarderKey, FragmentRecord, Interval, MappingKey, MappingRecord,
            NetworkRecord, NextHop, PolicyRecord, PortRecord, PortState, RouteTarget, Row,
            SubnetRecord,
        },
    },
};

use crate::memory::MemoryTables;

/// An element of an array of `max`.
fn element<'a, V>(map: &'a BTreeMap<u32, V>, zeros: &'a V, index: u32, max: u32) -> Option<&'a V> {
    if index < max {
        Some(map.get(&index).unwrap_or(zeros))
    } else {
        None
    }
}

impl Tables for MemoryTables {
    type FlowRef = Rc<Flow>;

    fn config(&self) -> Option<&Config> {
        Some(&self.image.config)
    }

    fn device(&self, interface_index: u32) -> Option<u32> {
        self.image
            .devices
            .get(&interface_index)
            .copied()
            .filter(|&device| device < DEVICES_MAX)
    }

    fn port(&self, slot: u32) -> Option<&PortRecord> {
        element(&self.image.ports, &self.zeros.port, slot, PORTS_MAX)
    }

    fn port_state(&self, slot: u32) -> Option<&PortState> {
        let state = self.port_states.get(slot as usize);
        if slot < PORTS_MAX {
            Some(state.unwrap_or(&self.zeros.port_state))
        } else {
            None
        }
    }

    fn count_up(&self, counter: &Cell<u64>) -> u64 {
        counter.replace(counter.get() + 1)
    }

    fn network(&self, slot: u32) -> Option<&NetworkRecord> {
        element(
            &self.image.networks,
            &self.zeros.network,
            slot,
            NETWORKS_MAX,
        )
    }

    fn subnet(&self, slot: u32) -> Option<&SubnetRecord> {
        element(&self.image.subnets, &self.zeros.subnet, slot, SUBNETS_MAX)
    }

    fn mapping(&self, key: &MappingKey) -> Option<MappingRecord> {
        self.image.mappings.get(key).copied()
    }

    fn network_of(&self, tag: Tag) -> Option<u32> {
        let key = ForwarderKey {
            prefix: self.image.config.prefix,
            tag,
            reserved: 0,
        };
        self.image.forwarders.get(&key).copied()
    }

    fn is_forwarder(&self, key: &ForwarderKey) -> bool {
        self.image.forwarders.contains_key(key)
    }

    fn host_prefix(&self, slot: u32) -> Option<HostPrefix> {
        element(&self.image.hosts, &HostPrefix(0), slot, HOSTS_MAX).copied()
    }

    fn interval(&self, index: u32) -> Option<Interval> {
        let zeros = Interval::default();
        element(&self.image.intervals, &zeros, index, INTERVALS_MAX).copied()
    }

    fn row(&self, index: u32) -> Option<&Row> {
        element(&self.image.rows, &self.zeros.row, index, ROWS_MAX)
    }

    fn policy(&self, slot: u32) -> Option<&PolicyRecord> {
        element(&self.image.policies, &self.zeros.policy, slot, POLICIES_MAX)
    }

    fn route_target(&self, index: u32) -> Option<RouteTarget> {
        let zeros = RouteTarget::default();
        element(&self.image.route_targets, &zeros, index, ROUTE_TARGETS_MAX).copied()
    }

    fn flow(&self, key: &FlowKey) -> Option<Rc<Flow>> {
        self.flows.borrow().get(key).cloned()
    }

    fn put_flow(&self, key: &FlowKey, record: &FlowRecord) -> bool {
        let mut flows = self.flows.borrow_mut();
        let fits = flows.len() < self.flows_max || flows.contains_key(key);
        if fits {
            flows.insert(*key, Rc::new(Flow::new(record)));
        }
        fits
    }

    fn replace_flow(&self, key: &FlowKey, record: &FlowRecord) -> bool {
        let mut flows = self.flows.borrow_mut();
        let is_there = flows.contains_key(key);
        if is_there {
            flows.insert(*key, Rc::new(Flow::new(record)));
        }
        is_there
    }

    fn remove_flow(&self, key: &FlowKey) {
        self.flows.borrow_mut().remove(key);
    }

    fn ring(&self, index: u32) -> Option<FlowKey> {
        let rings = self.rings.borrow();
        element(&rings, &FlowKey::default(), index, FLOWS_MAX).copied()
    }

    fn put_ring(&self, index: u32, key: &FlowKey) {
        if index < FLOWS_MAX {
            self.rings.borrow_mut().insert(index, *key);
        }
    }

    fn fragment(&self, index: u32) -> Option<FragmentRecord> {
        let fragments = self.fragments.borrow();
        let zeros = FragmentRecord::default();
        element(&fragments, &zeros, index, PORTS_MAX * FRAGMENTS_PER_PORT).copied()
    }

    fn put_fragment(&self, index: u32, record: &FragmentRecord) {
        if index < PORTS_MAX * FRAGMENTS_PER_PORT {
            self.fragments.borrow_mut().insert(index, *record);
        }
    }

    fn now(&self) -> Tick {
        self.clock.get()
    }

    fn next_hop(&self, host: u32) -> Option<&NextHop> {
        let next_hop = self.next_hops.get(host as usize);
        if host < HOSTS_MAX {
            Some(next_hop.unwrap_or(&self.zeros.next_hop))
        } else {
            None
        }
    }

    fn resolve(&self, prefix: HostPrefix) -> Resolved {
        self.neighbours
            .get(&prefix)
            .copied()
            .unwrap_or(Resolved::Unreachable)
    }

    fn count_drop(&self, network: u32, direction: Direction, reason: DropReason) {
        if network < NETWORKS_MAX {
            *self
                .drops
                .borrow_mut()
                .entry((network, direction, reason))
                .or_default() += 1;
        }
    }

    fn count_port(&self, port: u32, direction: Direction, len_bytes: u32) {
        if port < PORTS_MAX {
            let mut counters = self.counters.borrow_mut();
            let counters = counters.entry(port).or_default();
            counters.packets[direction as usize] += 1;
            counters.bytes[direction as usize] += u64::from(len_bytes);
        }
    }

    fn may_send_event(&self) -> bool {
        self.event_budget.get() > 0
    }

    fn send_event(&self, event: &DropEvent) {
        self.event_budget
            .set(self.event_budget.get().saturating_sub(1));
        self.events.borrow_mut().push(*event);
    }

    fn trace(&self, step: Step, value: u64) {
        self.steps.borrow_mut().push((step, value));
    }
}
