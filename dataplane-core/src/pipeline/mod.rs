//! What becomes of a packet, both ways.
//!
//! `parse` reads headers and refuses what is malformed; `authorize` checks who it is from; `track`
//! asks the flow table, and for what is new or stale the rules; `locate` finds where it goes;
//! `translate` describes the other header; `forward` finds the next hop. `outbound` and `inbound` put them
//! together. `fast` gives the same answers for established flows, or none; `reply` speaks for the
//! virtual router. `dhcp` tells what is left to user space.

pub mod authorize;
pub mod dhcp;
pub mod fast;
pub mod forward;
pub mod fragments;
pub mod inbound;
pub mod locate;
pub mod outbound;
pub mod parse;
pub mod related;
pub mod reply;
pub mod rings;
pub mod trace;
pub mod track;
pub mod translate;

pub use inbound::inbound;
pub use outbound::outbound;

use crate::{
    drop_reason::DropReason,
    event::DropEvent,
    flow::{FlowKey, FlowRecord, FlowState},
    ids::{HostPrefix, Tick},
    rewrite::Rewrite,
    tables::{Direction, Tables, records::NONE},
};

/// A frame beside its bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame {
    /// The interface that it came from.
    pub interface_index: u32,
    /// Its length, beyond the linear part too.
    pub len_bytes: u32,
}

/// What is known of a packet when it is dropped. Filled on the way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Subject {
    /// Whose pipeline it is in.
    pub direction: Direction,
    /// The port, or `NONE`.
    pub port: u32,
    /// The network; 0 where unknown.
    pub network: u32,
    /// The network's epoch.
    pub epoch: u32,
    /// The rule that decided, or `NONE`.
    pub rule: u32,
    /// Bytes of the IPv4 packet.
    pub len_bytes: u32,
    /// The flow.
    pub key: FlowKey,
}

impl Subject {
    /// A packet of which nothing is known.
    #[inline(always)]
    #[must_use]
    pub const fn new(direction: Direction) -> Self {
        let key = FlowKey {
            network_and_protocol: 0,
            local: crate::ids::VirtualIp(0),
            remote: crate::ids::VirtualIp(0),
            ports: 0,
            via: 0,
        };
        Self {
            direction,
            port: NONE,
            network: 0,
            epoch: 0,
            rule: NONE,
            len_bytes: 0,
            key,
        }
    }
}

/// What a packet's way through the pipeline leaves: too much for a stack of 512 bytes, so that the
/// kernel keeps it in a map of its CPU. Nothing of an earlier packet is read.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// The frame.
    pub frame: Frame,
    /// For a drop.
    pub subject: Subject,
    /// What is asked of the port that it is at.
    pub request: track::Request,
    /// The flow, as that port has it.
    pub record: FlowRecord,
    /// The headers of a substrate packet, or of one that an error of the substrate quotes.
    pub substrate: parse::Substrate,
    /// What the packet becomes, where it is not dropped.
    pub rewrite: Rewrite,
    /// Why the packet goes no further, where its sender is told by an ICMP error.
    pub told: Option<DropReason>,
}

impl Work {
    /// Starts on a frame. Only what is read before it is written is written here.
    #[inline(always)]
    pub fn start(&mut self, frame: Frame, direction: Direction) {
        self.frame = frame;
        self.subject = Subject::new(direction);
        self.rewrite = Rewrite::Keep;
        self.told = None;
    }

    /// For one frame.
    #[must_use]
    pub fn new(frame: Frame, direction: Direction) -> Self {
        let subject = Subject::new(direction);
        let record = FlowRecord::start(NONE, direction, FlowState::OneWay, Tick(0));
        let request = track::Request::new(NONE, direction, subject.key, HostPrefix(0));
        let substrate = parse::Substrate::default();
        Self {
            frame,
            subject,
            request,
            record,
            substrate,
            rewrite: Rewrite::Keep,
            told: None,
        }
    }
}

/// Counts a drop, and tells of it where events are left.
#[inline(always)]
pub fn account_drop<T: Tables>(tables: &T, work: &Work, reason: DropReason) {
    let Work { frame, subject, .. } = work;
    tables.count_drop(subject.network, subject.direction, reason);
    tables.trace(trace::Step::Dropped, reason as u64);
    if !tables.may_send_event() {
        return;
    }
    tables.send_event(&DropEvent {
        time_ns: 0,
        key: FlowKey {
            via: 0,
            ..subject.key
        },
        port: subject.port,
        network: subject.network,
        interface_index: frame.interface_index,
        rule: subject.rule,
        epoch: subject.epoch,
        len_bytes: frame.len_bytes,
        reason: reason as u8,
        direction: subject.direction as u8,
        reserved: [0; 2],
    });
}
