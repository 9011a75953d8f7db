//! What decides about packets, whichever it is: the core in user space, or the programs in the kernel.

use std::collections::BTreeMap;

use inlay_core::{
    drop_reason::DropReason,
    event::DropEvent,
    flow::{FlowKey, FlowRecord},
    ids::Tick,
    rewrite::Verdict,
    tables::{Direction, limits::PORTS_MAX, records::PortCounters},
};

use crate::world::World;

/// Drops by network, direction and reason.
pub type Drops = BTreeMap<(u32, Direction, DropReason), u64>;

/// A frame and where it arrives.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Number of the interface, as worlds have it.
    pub interface: u32,
    /// Which program sees it.
    pub direction: Direction,
    /// From the Ethernet header on.
    pub bytes: Vec<u8>,
}

impl Frame {
    /// With other bytes.
    #[must_use]
    pub fn edited(mut self, edit: impl FnOnce(&mut Vec<u8>)) -> Self {
        edit(&mut self.bytes);
        self
    }
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// To the node of a port.
    Deliver(u32),
    /// Out of an uplink.
    Send(u32),
    /// Back.
    Reply,
    /// To the kernel.
    Pass,
    /// Nothing.
    Drop,
}

impl From<Verdict> for Action {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Deliver(port) => Self::Deliver(port),
            Verdict::Send(device) => Self::Send(device),
            Verdict::Reply => Self::Reply,
            Verdict::Pass => Self::Pass,
        }
    }
}

/// An action as XDP has it: a redirect does not say where to, which the frame's addresses and the
/// counters do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum XdpAction {
    /// `XDP_DROP`.
    Drop,
    /// `XDP_PASS`.
    Pass,
    /// `XDP_REDIRECT`.
    Redirect,
}

impl From<Action> for XdpAction {
    fn from(action: Action) -> Self {
        match action {
            // A reply too: `XDP_TX` would wait in the ring of a veth.
            Action::Deliver(_) | Action::Send(_) | Action::Reply => Self::Redirect,
            Action::Pass => Self::Pass,
            Action::Drop => Self::Drop,
        }
    }
}

/// What came of a frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// The action, as far as it can be seen.
    pub action: Result<Action, XdpAction>,
    /// The frame that goes on; empty where it is dropped.
    pub bytes: Vec<u8>,
}

impl Outcome {
    /// The action as XDP has it.
    #[must_use]
    pub fn xdp_action(&self) -> XdpAction {
        match self.action {
            Ok(action) => action.into(),
            Err(action) => action,
        }
    }
}

/// What is counted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counted {
    /// Drops that are not zero.
    pub drops: Drops,
    /// Ports' packets and bytes that are not zero.
    pub ports: BTreeMap<u32, PortCounters>,
}

/// A dataplane with tables of its own.
pub trait Dataplane {
    /// Forgets everything, and takes the tables of `world`.
    fn load(&mut self, world: &World);
    /// Takes the tables of `world`, and keeps flows and all else that it learned.
    fn change(&mut self, world: &World);
    /// Runs a frame.
    fn run(&mut self, frame: &Frame) -> Outcome;
    /// Lets time pass.
    fn wait(&mut self, ticks: u32);
    /// The moment.
    fn now(&self) -> Tick;
    /// Sets all counters to zero and forgets the events.
    fn clear_counters(&mut self);
    /// The counters.
    fn counted(&mut self) -> Counted;
    /// The events since they were last asked for; their time is 0.
    fn events(&mut self) -> Vec<DropEvent>;
    /// The flow table, its ticks replaced by their age.
    fn flows(&mut self) -> BTreeMap<FlowKey, FlowRecord>;
    /// Removes a device from those that packets can be redirected to, and from nothing else.
    fn remove_device(&mut self, device: u32);
}

/// `record` with ages in place of ticks.
#[must_use]
pub fn aged(record: &FlowRecord, now: Tick) -> FlowRecord {
    FlowRecord {
        last_seen: now.0.wrapping_sub(record.last_seen),
        started: now.0.wrapping_sub(record.started),
        ..*record
    }
}

/// The device index of the first uplink.
pub const UPLINK: u32 = PORTS_MAX;
