//! `Tables` in ordinary memory, with the kernel's answers: an array's entry that was never written reads
//! as zeros, one past its end as nothing.

mod tables;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use inlay_core::{
    event::DropEvent,
    flow::{Flow, FlowKey, FlowRecord},
    ids::{HostPrefix, MacAddress, Tick},
    pipeline::trace::Step,
    tables::{
        Resolved,
        limits::FLOWS_MAX,
        records::{
            FragmentRecord, NetworkRecord, NextHop, PolicyRecord, PortCounters, PortRecord,
            PortState, Row, SubnetRecord,
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
        let flows = flows
            .iter()
            .map(|(key, flow)| (*key, Rc::new(Flow::new(&flow.record()))));
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
        self.flows
            .borrow()
            .iter()
            .map(|(key, flow)| (*key, flow.record()))
            .collect()
    }
}

fn copy_of_port_state(state: &PortState) -> PortState {
    PortState {
        ring_head: state.ring_head.clone(),
        started_outbound: state.started_outbound.clone(),
        started_inbound: state.started_inbound.clone(),
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

/// A neighbour's answer.
#[must_use]
pub fn neighbour(destination: [u8; 6], source: [u8; 6], device: u32) -> Resolved {
    Resolved::Neighbour {
        destination: MacAddress::from_octets(destination),
        source: MacAddress::from_octets(source),
        device,
    }
}
