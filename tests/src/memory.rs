//! `Tables` in ordinary memory, with the kernel's answers: an array's entry that was never written reads
//! as zeros, one past its end as nothing.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use inlay_core::{
    drop_reason::DropReason,
    event::DropEvent,
    flow::{Flow, FlowKey, FlowRecord},
    ids::{HostPrefix, MacAddress, Tick},
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
            NetworkRecord, NextHop, PolicyRecord, PortCounters, PortRecord, PortState, RouteTarget,
            Row, SubnetRecord,
        },
    },
};
use inlay_dataplane::image::Image;

use crate::dataplane::Drops;

/// Ports and hosts whose state is kept: enough for every world of the tests.
const STATES: usize = 64;

/// The neighbours that the substrate's routing knows, by host prefix; of others it has no route.
pub type Neighbours = BTreeMap<HostPrefix, Resolved>;

/// The maps of a host.
pub struct MemoryTables {
    /// What the agent wrote.
    pub image: Image,
    /// What the substrate's routing says.
    pub neighbours: Neighbours,
    /// The moment.
    pub clock: Cell<Tick>,
    /// Flows that fit.
    pub flows_max: usize,
    /// Drop events that may yet be sent.
    pub event_budget: Cell<u32>,
    /// The flow table.
    pub flows: RefCell<BTreeMap<FlowKey, Rc<Flow>>>,
    /// Places of the rings that were taken.
    pub rings: RefCell<BTreeMap<u32, FlowKey>>,
    /// First fragments.
    pub fragments: RefCell<BTreeMap<u32, FragmentRecord>>,
    /// Drops counted.
    pub drops: RefCell<Drops>,
    /// Packets and bytes counted.
    pub counters: RefCell<BTreeMap<u32, PortCounters>>,
    /// Events sent.
    pub events: RefCell<Vec<DropEvent>>,
    /// Steps noted.
    pub steps: RefCell<Vec<(Step, u64)>>,
    port_states: Vec<PortState>,
    next_hops: Vec<NextHop>,
    zeros: Zeros,
}

#[derive(Default)]
struct Zeros {
    port: PortRecord,
    port_state: PortState,
    network: NetworkRecord,
    subnet: SubnetRecord,
    next_hop: NextHop,
    policy: PolicyRecord,
    row: Row,
}

/// An element of an array of `max`.
fn element<'a, V>(map: &'a BTreeMap<u32, V>, zeros: &'a V, index: u32, max: u32) -> Option<&'a V> {
    if index < max { Some(map.get(&index).unwrap_or(zeros)) } else { None }
}

impl MemoryTables {
    /// The tables of `image`.
    #[must_use]
    pub fn new(image: Image, neighbours: Neighbours, clock: Tick) -> Self {
        Self {
            image,
            neighbours,
            clock: Cell::new(clock),
            flows_max: FLOWS_MAX as usize,
            event_budget: Cell::new(u32::MAX),
            flows: RefCell::default(),
            rings: RefCell::default(),
            fragments: RefCell::default(),
            drops: RefCell::default(),
            counters: RefCell::default(),
            events: RefCell::default(),
            steps: RefCell::default(),
            port_states: (0..STATES).map(|_| PortState::default()).collect(),
            next_hops: (0..STATES).map(|_| NextHop::default()).collect(),
            zeros: Zeros::default(),
        }
    }

    /// A copy that shares nothing with this one.
    #[must_use]
    pub fn copy(&self) -> Self {
        let flows = self.flows.borrow();
        let flows = flows.iter().map(|(key, flow)| (*key, Rc::new(Flow::new(&flow.record()))));
        Self {
            image: self.image.clone(),
            neighbours: self.neighbours.clone(),
            clock: self.clock.clone(),
            flows_max: self.flows_max,
            event_budget: self.event_budget.clone(),
            flows: RefCell::new(flows.collect()),
            rings: self.rings.clone(),
            fragments: self.fragments.clone(),
            drops: self.drops.clone(),
            counters: self.counters.clone(),
            events: self.events.clone(),
            steps: self.steps.clone(),
            port_states: self.port_states.iter().map(copy_of_port_state).collect(),
            next_hops: self.next_hops.iter().map(copy_of_next_hop).collect(),
            zeros: Zeros::default(),
        }
    }

    /// The flow table as plain records.
    #[must_use]
    pub fn flow_records(&self) -> BTreeMap<FlowKey, FlowRecord> {
        self.flows.borrow().iter().map(|(key, flow)| (*key, flow.record())).collect()
    }
}

fn copy_of_port_state(state: &PortState) -> PortState {
    PortState {
        ring_head: state.ring_head.clone(),
        started: state.started.clone(),
        window: state.window.clone(),
        reserved: 0,
    }
}

fn copy_of_next_hop(next_hop: &NextHop) -> NextHop {
    NextHop {
        destination_and_device: next_hop.destination_and_device.clone(),
        source: next_hop.source.clone(),
        renewed: next_hop.renewed.clone(),
        usable: next_hop.usable.clone(),
    }
}

impl Tables for MemoryTables {
    type FlowRef = Rc<Flow>;

    fn config(&self) -> Option<&Config> {
        Some(&self.image.config)
    }

    fn device(&self, interface_index: u32) -> Option<u32> {
        self.image.devices.get(&interface_index).copied().filter(|&device| device < DEVICES_MAX)
    }

    fn port(&self, slot: u32) -> Option<&PortRecord> {
        element(&self.image.ports, &self.zeros.port, slot, PORTS_MAX)
    }

    fn port_state(&self, slot: u32) -> Option<&PortState> {
        let state = self.port_states.get(slot as usize);
        if slot < PORTS_MAX { Some(state.unwrap_or(&self.zeros.port_state)) } else { None }
    }

    fn count_up(&self, counter: &Cell<u64>) -> u64 {
        counter.replace(counter.get() + 1)
    }

    fn network(&self, slot: u32) -> Option<&NetworkRecord> {
        element(&self.image.networks, &self.zeros.network, slot, NETWORKS_MAX)
    }

    fn subnet(&self, slot: u32) -> Option<&SubnetRecord> {
        element(&self.image.subnets, &self.zeros.subnet, slot, SUBNETS_MAX)
    }

    fn mapping(&self, key: &MappingKey) -> Option<MappingRecord> {
        self.image.mappings.get(key).copied()
    }

    fn network_of(&self, tag: Tag) -> Option<u32> {
        let key = ForwarderKey { prefix: self.image.config.prefix, tag, reserved: 0 };
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
        if host < HOSTS_MAX { Some(next_hop.unwrap_or(&self.zeros.next_hop)) } else { None }
    }

    fn resolve(&self, prefix: HostPrefix) -> Resolved {
        self.neighbours.get(&prefix).copied().unwrap_or(Resolved::Unreachable)
    }

    fn count_drop(&self, network: u32, direction: Direction, reason: DropReason) {
        if network < NETWORKS_MAX {
            *self.drops.borrow_mut().entry((network, direction, reason)).or_default() += 1;
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
        self.event_budget.set(self.event_budget.get().saturating_sub(1));
        self.events.borrow_mut().push(*event);
    }

    fn trace(&self, step: Step, value: u64) {
        self.steps.borrow_mut().push((step, value));
    }
}

/// A neighbour's answer.
#[must_use]
pub fn neighbour(destination: [u8; 6], source: [u8; 6], device: u32) -> Resolved {
    Resolved::Neighbour {
        destination: MacAddress::from_octets(destination),
        source: MacAddress::from_octets(source),
        device,
    }
}
