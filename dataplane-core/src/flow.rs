//! Flows: their keys, what is remembered of them, and the states of TCP (RFC 9293 section 3.3.2, as a
//! firewall in between sees them). No sequence numbers: a source cannot be forged here, so nobody but
//! the two ends can end a flow.

use core::cell::Cell;

use crate::{
    ids::{HostPrefix, Tick, VirtualIp},
    substrate::Tag,
    tables::{Direction, records::NONE},
    wire::l4::{ICMP, RECEIVER_ASKS, SENDER_ASKS, TCP, TcpFlags, UDP},
};

/// A flow as one port sees it, the same for both directions.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FlowKey {
    /// The network's tag with the protocol in place of the kind.
    pub network_and_protocol: u32,
    /// The address on the port's side.
    pub local: VirtualIp,
    /// The other's.
    pub remote: VirtualIp,
    /// The ports of both, the local one first, in memory order. For ICMP echo the identifier, then which
    /// side asks ([`SENDER_ASKS`] for the local one); for other ICMP 0xffff, then type and code.
    pub ports: u32,
    /// One more than the port's slot where the port forwards for others, whose flows may also end
    /// at another port of this host; else 0.
    pub via: u32,
}

impl FlowKey {
    /// The key of a flow of `protocol` in the network of `tag`.
    #[inline(always)]
    #[must_use]
    pub const fn new(
        tag: Tag,
        protocol: u8,
        local: VirtualIp,
        remote: VirtualIp,
        ports: u32,
        via: u32,
    ) -> Self {
        // The kind is the first octet in memory, the lowest of a little-endian word.
        let network_and_protocol = tag.0 & !0xff | protocol as u32;
        Self {
            network_and_protocol,
            local,
            remote,
            ports,
            via,
        }
    }

    /// Whether this is no flow: an unused place of a ring.
    #[inline(always)]
    #[must_use]
    pub const fn is_unused(&self) -> bool {
        self.network_and_protocol == 0 && self.local.0 == 0
    }

    /// A word by which a record is known to be of this key: not secret, only different.
    #[inline(always)]
    #[must_use]
    pub const fn check(&self) -> u32 {
        let addresses = self.local.0 ^ self.remote.0.rotate_left(11);
        addresses ^ self.ports.rotate_left(19) ^ self.network_and_protocol ^ self.via.rotate_left(5)
    }

    /// The protocol's number.
    #[inline(always)]
    #[must_use]
    pub const fn protocol(&self) -> u8 {
        self.network_and_protocol as u8
    }

    /// The network's number.
    #[must_use]
    pub const fn vni(&self) -> u32 {
        u32::from_be(self.network_and_protocol) & 0x00ff_ffff
    }

    /// The local transport port, or what stands for it.
    #[inline(always)]
    #[must_use]
    pub const fn local_port(&self) -> u16 {
        u16::from_be(self.ports as u16)
    }

    /// The remote transport port, or what stands for it.
    #[inline(always)]
    #[must_use]
    pub const fn remote_port(&self) -> u16 {
        u16::from_be((self.ports >> 16) as u16)
    }

    /// Whether it is an ICMP echo.
    #[inline(always)]
    #[must_use]
    pub const fn is_echo(&self) -> bool {
        let kind = (self.ports >> 16) as u16;
        self.protocol() == ICMP && (kind == SENDER_ASKS || kind == RECEIVER_ASKS)
    }

    /// What rules match of a packet that starts this flow in `origin`: the destination port, or
    /// ICMP's type and code.
    #[inline(always)]
    #[must_use]
    pub const fn service(&self, origin: Direction) -> u16 {
        match self.protocol() {
            TCP | UDP => match origin {
                Direction::Outbound => self.remote_port(),
                Direction::Inbound => self.local_port(),
            },
            ICMP if self.is_echo() => ECHO_REQUEST,
            ICMP => self.remote_port(),
            _ => 0,
        }
    }
}

const ECHO_REQUEST: u16 = 8 << 8;

/// How far a flow is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum FlowState {
    /// Not TCP; nothing came back.
    OneWay = 0,
    /// Not TCP; both sides sent.
    Replied = 1,
    /// The opening SYN passed.
    SynSent = 2,
    /// SYN and ACK came back.
    SynReceived = 3,
    /// Both sides agreed, or a running connection was met and both sides sent.
    Established = 4,
    /// A running connection was met; only one side sent since.
    PickedUp = 5,
    /// The side that opened has closed.
    FinFromOrigin = 6,
    /// The side that answered has closed.
    FinFromReply = 7,
    /// Both sides have closed, or one has reset.
    Closed = 8,
}

impl FlowState {
    /// The state of a number, `Closed` for an unknown one.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::OneWay,
            1 => Self::Replied,
            2 => Self::SynSent,
            3 => Self::SynReceived,
            4 => Self::Established,
            5 => Self::PickedUp,
            6 => Self::FinFromOrigin,
            7 => Self::FinFromReply,
            _ => Self::Closed,
        }
    }

    /// Its name for people and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneWay => "one-way",
            Self::Replied => "replied",
            Self::SynSent => "syn-sent",
            Self::SynReceived => "syn-received",
            Self::Established => "established",
            Self::PickedUp => "picked-up",
            Self::FinFromOrigin => "fin-from-origin",
            Self::FinFromReply => "fin-from-reply",
            Self::Closed => "closed",
        }
    }

    /// Seconds without a packet after which the flow is over. RFC 5382 asks for at least 2 hours
    /// and 4 minutes for TCP, RFC 4787 for at least 2 minutes for UDP.
    #[inline(always)]
    #[must_use]
    pub const fn timeout_s(self) -> u32 {
        match self {
            Self::Established => 7440,
            Self::PickedUp => 300,
            Self::Replied => 180,
            Self::FinFromOrigin | Self::FinFromReply => 240,
            Self::SynSent | Self::SynReceived | Self::Closed => 60,
            Self::OneWay => 30,
        }
    }

    /// Whether nothing but time changes while plain packets pass in either direction.
    #[inline(always)]
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Replied | Self::Established)
    }

    /// The state of a flow that a packet starts. `None` where it can start none.
    #[inline(always)]
    #[must_use]
    pub const fn first(protocol: u8, flags: TcpFlags) -> Option<Self> {
        if protocol != TCP {
            return Some(Self::OneWay);
        }
        if flags.has(TcpFlags::RST) || flags.has(TcpFlags::SYN) && flags.has(TcpFlags::FIN) {
            return None;
        }
        if flags.has(TcpFlags::SYN) {
            Some(Self::SynSent)
        } else {
            Some(Self::PickedUp)
        }
    }

    /// The state after one more packet, from the side that started the flow or from the other.
    #[inline(always)]
    #[must_use]
    pub const fn next(self, protocol: u8, from_origin: bool, flags: TcpFlags) -> Self {
        if protocol != TCP {
            return if from_origin { self } else { Self::Replied };
        }
        if flags.has(TcpFlags::RST) {
            return Self::Closed;
        }
        if flags.has(TcpFlags::FIN) {
            return self.after_fin(from_origin);
        }
        match self {
            Self::SynSent if !from_origin && flags.has(TcpFlags::SYN) => Self::SynReceived,
            Self::SynReceived if from_origin && !flags.has(TcpFlags::SYN) => Self::Established,
            Self::PickedUp if !from_origin => Self::Established,
            same => same,
        }
    }

    #[inline(always)]
    const fn after_fin(self, from_origin: bool) -> Self {
        match self {
            Self::FinFromReply if from_origin => Self::Closed,
            Self::FinFromOrigin if !from_origin => Self::Closed,
            Self::Closed => Self::Closed,
            _ if from_origin => Self::FinFromOrigin,
            _ => Self::FinFromReply,
        }
    }
}

/// What is remembered of a flow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FlowRecord {
    /// The host that the remote side's packets must come from.
    pub inbound_prefix: HostPrefix,
    /// The host that packets to the remote side are sent to.
    pub outbound_prefix: HostPrefix,
    /// The network's epoch when it was decided.
    pub epoch: u32,
    /// The tick of a recent packet, at most [`Flow::REFRESH_TICKS`] behind the last.
    pub last_seen: u32,
    /// Slot of the port.
    pub port: u32,
    /// Slot of the host that packets to the remote side are sent to.
    pub host: u32,
    /// Slot of the remote side's port where it is on this host, else [`NONE`].
    pub peer_port: u32,
    /// Number of the rule of the port's policy that allowed it.
    pub rule: u32,
    /// Its place in the rings.
    pub ring: u32,
    /// The tick in which it was started.
    pub started: u32,
    /// A [`FlowState`].
    pub state: u8,
    /// The [`Direction`] of its first packet.
    pub origin: u8,
    /// The directions that are decided: bit 0 outbound, bit 1 inbound.
    pub allowed: u8,
    /// [`FlowRecord::ROUTED`].
    pub flags: u8,
    /// [`FlowKey::check`] of its key: the kernel may give the element to another flow while it is read.
    pub check: u32,
}

impl FlowRecord {
    /// The remote side is in another subnet: TTL goes down on the way out.
    pub const ROUTED: u8 = 1;

    /// A flow of `port` that its first packet starts in `origin`.
    #[inline(always)]
    #[must_use]
    pub const fn start(port: u32, origin: Direction, state: FlowState, now: Tick) -> Self {
        Self {
            inbound_prefix: HostPrefix(0),
            outbound_prefix: HostPrefix(0),
            epoch: 0,
            last_seen: now.0,
            port,
            host: NONE,
            peer_port: NONE,
            rule: NONE,
            ring: NONE,
            started: now.0,
            state: state as u8,
            origin: origin as u8,
            allowed: 0,
            flags: 0,
            check: 0,
        }
    }

    /// Which way its first packet went.
    #[inline(always)]
    #[must_use]
    pub const fn origin(&self) -> Direction {
        if self.origin == 0 {
            Direction::Outbound
        } else {
            Direction::Inbound
        }
    }

    /// How far it is.
    #[inline(always)]
    #[must_use]
    pub const fn state(&self) -> FlowState {
        FlowState::from_number(self.state)
    }

    /// Whether it is over at `now`.
    #[inline(always)]
    #[must_use]
    pub const fn is_expired(&self, now: Tick) -> bool {
        now.since(Tick(self.last_seen)) > self.state().timeout_s() * Tick::PER_SECOND
    }

    /// Whether `direction` was decided.
    #[inline(always)]
    #[must_use]
    pub const fn allows(&self, direction: Direction) -> bool {
        self.allowed & (1 << direction as u8) != 0
    }
}

/// A [`FlowRecord`] in a table, where other CPUs read and write it too. What two packets of a flow
/// may change at once are single words, each read and written by one instruction (BPF has no other
/// load or store, and Rust no atomics below 64 bits for it); everything else is replaced as a whole.
#[repr(C)]
#[derive(Debug)]
pub struct Flow {
    inbound_prefix: Cell<u64>,
    outbound_prefix: Cell<u64>,
    epoch: Cell<u32>,
    last_seen: Cell<u32>,
    port: Cell<u32>,
    host: Cell<u32>,
    peer_port: Cell<u32>,
    rule: Cell<u32>,
    ring: Cell<u32>,
    started: Cell<u32>,
    state: Cell<u8>,
    origin: Cell<u8>,
    allowed: Cell<u8>,
    flags: Cell<u8>,
    check: Cell<u32>,
}

const _: () = assert!(size_of::<FlowRecord>() == 56 && size_of::<Flow>() == 56);
const _: () = assert!(align_of::<FlowRecord>() == align_of::<Flow>());
const _: () = assert!(size_of::<FlowKey>() == 20);

impl Flow {
    /// `last_seen` is written at most once in so many ticks (1.07 s), not for every packet.
    pub const REFRESH_TICKS: u32 = 64;

    /// The flow with what `record` says.
    #[must_use]
    pub const fn new(record: &FlowRecord) -> Self {
        Self {
            inbound_prefix: Cell::new(record.inbound_prefix.0),
            outbound_prefix: Cell::new(record.outbound_prefix.0),
            epoch: Cell::new(record.epoch),
            last_seen: Cell::new(record.last_seen),
            port: Cell::new(record.port),
            host: Cell::new(record.host),
            peer_port: Cell::new(record.peer_port),
            rule: Cell::new(record.rule),
            ring: Cell::new(record.ring),
            started: Cell::new(record.started),
            state: Cell::new(record.state),
            origin: Cell::new(record.origin),
            allowed: Cell::new(record.allowed),
            flags: Cell::new(record.flags),
            check: Cell::new(record.check),
        }
    }

    /// What it says. Fields that the caller does not use are not read.
    #[inline(always)]
    #[must_use]
    pub fn record(&self) -> FlowRecord {
        FlowRecord {
            inbound_prefix: HostPrefix(self.inbound_prefix.get()),
            outbound_prefix: HostPrefix(self.outbound_prefix.get()),
            epoch: self.epoch.get(),
            last_seen: self.last_seen.get(),
            port: self.port.get(),
            host: self.host.get(),
            peer_port: self.peer_port.get(),
            rule: self.rule.get(),
            ring: self.ring.get(),
            started: self.started.get(),
            state: self.state.get(),
            origin: self.origin.get(),
            allowed: self.allowed.get(),
            flags: self.flags.get(),
            check: self.check.get(),
        }
    }

    /// Whether this is still the flow of `key`.
    #[inline(always)]
    #[must_use]
    pub fn is_of(&self, key: &FlowKey) -> bool {
        self.check.get() == key.check()
    }

    /// Notes a packet at `now`.
    #[inline(always)]
    pub fn set_last_seen(&self, now: Tick) {
        self.last_seen.set(now.0);
    }

    /// Notes that the flow got further.
    #[inline(always)]
    pub fn set_state(&self, state: FlowState) {
        self.state.set(state as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Vni;

    const SYN: TcpFlags = TcpFlags(TcpFlags::SYN);
    const SYN_ACK: TcpFlags = TcpFlags(TcpFlags::SYN | TcpFlags::ACK);
    const ACK: TcpFlags = TcpFlags(TcpFlags::ACK);
    const FIN: TcpFlags = TcpFlags(TcpFlags::FIN | TcpFlags::ACK);
    const RST: TcpFlags = TcpFlags(TcpFlags::RST);

    fn after(packets: &[(bool, TcpFlags)]) -> Option<FlowState> {
        let (&(_, first), rest) = packets.split_first()?;
        let start = FlowState::first(TCP, first)?;
        Some(rest.iter().fold(start, |state, &(from_origin, flags)| {
            state.next(TCP, from_origin, flags)
        }))
    }

    #[test]
    fn tcp_states() {
        type Row = (&'static str, &'static [(bool, TcpFlags)], Option<FlowState>);
        let rows: &[Row] = &[
            ("a SYN", &[(true, SYN)], Some(FlowState::SynSent)),
            (
                "SYN again",
                &[(true, SYN), (true, SYN)],
                Some(FlowState::SynSent),
            ),
            (
                "an ACK alone opens nothing",
                &[(true, SYN), (true, ACK)],
                Some(FlowState::SynSent),
            ),
            (
                "answered",
                &[(true, SYN), (false, SYN_ACK)],
                Some(FlowState::SynReceived),
            ),
            (
                "open",
                &[(true, SYN), (false, SYN_ACK), (true, ACK)],
                Some(FlowState::Established),
            ),
            (
                "both at once",
                &[(true, SYN), (false, SYN)],
                Some(FlowState::SynReceived),
            ),
            (
                "reset",
                &[(true, SYN), (false, RST)],
                Some(FlowState::Closed),
            ),
            (
                "half closed",
                &[
                    (true, SYN),
                    (false, SYN_ACK),
                    (true, ACK),
                    (false, FIN),
                    (true, ACK),
                ],
                Some(FlowState::FinFromReply),
            ),
            (
                "closed",
                &[
                    (true, SYN),
                    (false, SYN_ACK),
                    (true, ACK),
                    (false, FIN),
                    (true, FIN),
                ],
                Some(FlowState::Closed),
            ),
            ("met on the way", &[(true, ACK)], Some(FlowState::PickedUp)),
            (
                "met, then answered",
                &[(true, ACK), (false, ACK)],
                Some(FlowState::Established),
            ),
            ("a reset starts nothing", &[(true, RST)], None),
            ("SYN with FIN starts nothing", &[(true, TcpFlags(3))], None),
        ];
        for (name, packets, expected) in rows {
            assert_eq!(after(packets), *expected, "{name}");
        }
    }

    #[test]
    fn other_protocols_know_one_way_and_replied() {
        let start = FlowState::first(UDP, TcpFlags(0)).unwrap();
        assert_eq!(start, FlowState::OneWay);
        assert_eq!(start.next(UDP, true, TcpFlags(0)), FlowState::OneWay);
        assert_eq!(start.next(UDP, false, TcpFlags(0)), FlowState::Replied);
    }

    #[test]
    fn a_flow_expires_by_its_state() {
        let mut record = FlowRecord::start(1, Direction::Outbound, FlowState::OneWay, Tick(1000));
        let after_s = |s: u32| Tick(1000 + s * Tick::PER_SECOND);
        assert!(!record.is_expired(after_s(30)));
        assert!(record.is_expired(after_s(31)));
        record.state = FlowState::Established as u8;
        assert!(!record.is_expired(after_s(7440)));
    }

    #[test]
    fn services_are_destination_ports() {
        let tag = Tag::ipv4(Vni::new(7).unwrap());
        let ip = VirtualIp::from_octets([10, 0, 0, 1]);
        let ports =
            |local: u16, remote: u16| u32::from(local.to_be()) | u32::from(remote.to_be()) << 16;
        let key =
            |protocol, local, remote| FlowKey::new(tag, protocol, ip, ip, ports(local, remote), 0);
        assert_eq!(key(TCP, 1000, 80).service(Direction::Outbound), 80);
        assert_eq!(key(TCP, 1000, 80).service(Direction::Inbound), 1000);
        let echo = key(ICMP, 0, SENDER_ASKS.to_be());
        assert_eq!(echo.service(Direction::Outbound), 0x0800);
        assert_eq!(
            key(ICMP, 0xffff, 0x0d00).service(Direction::Inbound),
            0x0d00
        );
        assert_eq!(key(50, 0, 0).service(Direction::Inbound), 0);
        assert_eq!(key(TCP, 1, 2).vni(), 7);
        assert_eq!(key(TCP, 1, 2).protocol(), TCP);
    }

    #[test]
    fn a_flow_is_its_record() {
        let record = FlowRecord {
            inbound_prefix: HostPrefix(1),
            outbound_prefix: HostPrefix(2),
            epoch: 3,
            last_seen: 4,
            port: 5,
            host: 6,
            peer_port: 7,
            rule: 8,
            ring: 9,
            started: 10,
            state: 4,
            origin: 1,
            allowed: 3,
            flags: 1,
            check: 11,
        };
        assert_eq!(Flow::new(&record).record(), record);
    }
}
