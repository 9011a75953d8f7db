//! What the pipeline reads and writes, as a trait: BPF maps in the kernel, ordered maps in user
//! space. The records are in `records`, their numbers in `limits`.

pub mod limits;
pub mod records;

use core::{cell::Cell, ops::Deref};

use crate::{
    drop_reason::DropReason,
    event::DropEvent,
    flow::{Flow, FlowKey, FlowRecord},
    ids::{HostPrefix, MacAddress, Tick},
    pipeline::{Work, dhcp, trace::Step, track},
    policy::{self, Match, Question},
    substrate::Tag,
};
pub use records::{
    Config, ForwarderKey, FragmentKey, FragmentRecord, Interval, MappingKey, MappingRecord,
    NetworkRecord, NextHop, PolicyRecord, PortRecord, PortState, RouteTarget, Row, Span,
    SubnetRecord,
};

/// Which way a packet goes: never ingress and egress, which flip with the hook.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Direction {
    /// From a node to the substrate.
    Outbound = 0,
    /// From the substrate to a node.
    Inbound = 1,
}

impl Direction {
    /// Its name for people and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
        }
    }
}

/// What the substrate's routing says of another host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resolved {
    /// Send it out of `device` with these addresses.
    Neighbour {
        /// The next router's or host's address.
        destination: MacAddress,
        /// The uplink's own.
        source: MacAddress,
        /// The uplink's index among the devices.
        device: u32,
    },
    /// There is a route, but nobody has asked for the neighbour's address yet: the kernel will.
    Unresolved,
    /// There is no route.
    Unreachable,
}

/// The state that decides about packets.
///
/// Indexes come from other records; an index past the end, or an entry that was never written,
/// reads as `None` or as zeros, and the packet is dropped.
pub trait Tables {
    /// A flow in place, shared with other CPUs.
    type FlowRef: Deref<Target = Flow>;

    /// This host.
    fn config(&self) -> Option<&Config>;
    /// The device index of an interface: a port's slot, or an uplink's.
    fn device(&self, interface_index: u32) -> Option<u32>;
    /// A port by its slot.
    fn port(&self, slot: u32) -> Option<&PortRecord>;
    /// What the dataplane itself keeps of a port.
    fn port_state(&self, slot: u32) -> Option<&PortState>;
    /// Adds one to a counter that other CPUs count up too. Returns what it was.
    fn count_up(&self, counter: &Cell<u64>) -> u64;
    /// A network by its slot.
    fn network(&self, slot: u32) -> Option<&NetworkRecord>;
    /// A subnet by its slot.
    fn subnet(&self, slot: u32) -> Option<&SubnetRecord>;
    /// Where an address of a network is.
    fn mapping(&self, key: &MappingKey) -> Option<MappingRecord>;
    /// The slot of the network of `tag`, where a node on this host forwards for it.
    fn network_of(&self, tag: Tag) -> Option<u32>;
    /// Whether the host of a prefix may speak for all addresses of a network.
    fn is_forwarder(&self, key: &ForwarderKey) -> bool;
    /// The prefix of another host by its slot.
    fn host_prefix(&self, slot: u32) -> Option<HostPrefix>;

    /// An interval of a classifier or route table.
    fn interval(&self, index: u32) -> Option<Interval>;
    /// A row of a classifier.
    fn row(&self, index: u32) -> Option<&Row>;
    /// A policy by its slot.
    fn policy(&self, slot: u32) -> Option<&PolicyRecord>;
    /// A route's target.
    fn route_target(&self, index: u32) -> Option<RouteTarget>;

    /// The flow of `key`.
    fn flow(&self, key: &FlowKey) -> Option<Self::FlowRef>;
    /// Writes the flow of `key`, whole. False where the table is full.
    fn put_flow(&self, key: &FlowKey, record: &FlowRecord) -> bool;
    /// Writes the flow of `key`, whole, where there is one. False where there is none.
    fn replace_flow(&self, key: &FlowKey, record: &FlowRecord) -> bool;
    /// Removes the flow of `key`, if there is one.
    fn remove_flow(&self, key: &FlowKey);
    /// The flow that holds place `index` of the rings.
    fn ring(&self, index: u32) -> Option<FlowKey>;
    /// Gives place `index` of the rings to `key`.
    fn put_ring(&self, index: u32, key: &FlowKey);
    /// The ports of a fragmented datagram's first fragment, where its place still holds it.
    fn fragment(&self, index: u32) -> Option<FragmentRecord>;
    /// Remembers a first fragment.
    fn put_fragment(&self, index: u32, record: &FragmentRecord);

    /// Whether what flows, next hops and ports hold may be changed: not for a made packet of `explain`.
    fn may_write(&self) -> bool {
        true
    }
    /// The moment.
    fn now(&self) -> Tick;
    /// The remembered next hop towards a host.
    fn next_hop(&self, host: u32) -> Option<&NextHop>;
    /// Asks the substrate's routing for the way to `prefix`. `None` where it cannot be asked.
    fn resolve(&self, prefix: HostPrefix) -> Resolved;

    /// Counts a drop.
    fn count_drop(&self, network: u32, direction: Direction, reason: DropReason);
    /// Counts a packet of `len_bytes` that a port sent or was delivered.
    fn count_port(&self, port: u32, direction: Direction, len_bytes: u32);
    /// Whether a drop event may be sent: they are sampled.
    fn may_send_event(&self) -> bool;
    /// Sends a drop event.
    fn send_event(&self, event: &DropEvent);
    /// Notes a step for `explain`; nothing otherwise.
    fn trace(&self, step: Step, value: u64);

    /// Asks a policy. The kernel's tables do it in a function that is verified by itself, once.
    fn evaluate(&self, policy: u32, question: &Question) -> Option<Match>
    where
        Self: Sized,
    {
        policy::evaluate(self, policy, question)
    }

    /// Asks the flow table and the rules about `work.request`; as for [`Tables::evaluate`].
    ///
    /// # Errors
    /// Why the packet does not pass.
    fn track(&self, work: &mut Work) -> Result<(), DropReason>
    where
        Self: Sized,
    {
        track::track(self, work)
    }

    /// Counts a DHCP request that is passed to the kernel; as for [`Tables::evaluate`].
    ///
    /// # Errors
    /// Why it is not.
    fn pass_dhcp(&self, work: &mut Work) -> Result<(), DropReason>
    where
        Self: Sized,
    {
        dhcp::pass(self, work)
    }
}
