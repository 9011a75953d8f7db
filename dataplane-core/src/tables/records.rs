//! Keys and values of the maps that the agent writes, and of the small ones the dataplane writes.
//!
//! All are `repr(C)`, without padding, and valid in every bit pattern. Addresses are in memory
//! order; a slot is an index into another table, [`NONE`] where there is none.

use core::cell::Cell;

use super::limits::RULES_MAX;
use crate::{
    ids::{HostPrefix, MacAddress, VirtualIp},
    substrate::Tag,
};

/// The slot of nothing.
pub const NONE: u32 = u32::MAX;

/// This host.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Config {
    /// The host's own /64.
    pub prefix: HostPrefix,
    /// The largest IPv4 packet of a node, in bytes: the substrate's MTU less 28.
    pub virtual_mtu: u32,
    /// The least hop limit with which an inlaid packet may arrive.
    pub hop_limit_min: u32,
}

/// The device that an interface is: a port's slot, or `PORTS_MAX` plus an uplink's number.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct InterfaceRecord {
    /// The interface's whole number; 0 where the entry is unused.
    pub interface_index: u32,
    /// Its device index.
    pub device: u32,
}

/// A port.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PortRecord {
    /// The host's prefix, so that the fast path need not read it elsewhere.
    pub host_prefix: HostPrefix,
    /// The node's Ethernet address.
    pub mac: MacAddress,
    /// The network.
    pub tag: Tag,
    /// The node's first address.
    pub virtual_ip: VirtualIp,
    /// The interface's number; 0 where the slot is unused.
    pub interface_index: u32,
    /// Slot of the network.
    pub network: u32,
    /// Slot of the subnet.
    pub subnet: u32,
    /// Slot of the policy that holds the rules of its security groups.
    pub policy: u32,
    /// Where its places in the flow rings begin.
    pub ring_base: u32,
    /// How many it has, a power of two, less one.
    pub ring_mask: u32,
    /// How many flows it may start in a second.
    pub new_flows_per_s: u32,
    /// [`PortRecord::MORE_ADDRESSES`], [`PortRecord::FORWARDING`] and [`PortRecord::DHCP`].
    pub flags: u32,
}

impl PortRecord {
    /// The node has addresses beside its first; the mappings tell which.
    pub const MORE_ADDRESSES: u32 = 1;
    /// The node may send from, and gets packets for, addresses that are not its own.
    pub const FORWARDING: u32 = 2;
    /// What the node sends as a DHCP client is passed to the kernel, where the host answers it.
    pub const DHCP: u32 = 4;
}

/// What the dataplane keeps of a port.
#[repr(C)]
#[derive(Debug, Default)]
pub struct PortState {
    /// The next place of its ring.
    pub ring_head: Cell<u64>,
    /// Flows that the node started in the window.
    pub started_outbound: Cell<u64>,
    /// Flows that its peers started in the window.
    pub started_inbound: Cell<u64>,
    /// The window (ticks divided by 64, about a second) in which flows are counted.
    pub window: Cell<u32>,
    /// Zero.
    pub reserved: u32,
}

/// A network that has a port here.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NetworkRecord {
    /// The network.
    pub tag: Tag,
    /// Rises with every change of its policy, routes and locations.
    pub epoch: u32,
    /// Its subnets by address; an interval's value is a slot.
    pub subnets: Span,
}

/// A subnet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SubnetRecord {
    /// The network.
    pub tag: Tag,
    /// Slot of the network.
    pub network: u32,
    /// The lowest address.
    pub virtual_ip: VirtualIp,
    /// The netmask, in memory order.
    pub mask: u32,
    /// The virtual router's address.
    pub gateway: VirtualIp,
    /// Slot of the access list's policy; [`NONE`] allows everything.
    pub acl: u32,
    /// Its route table; an interval's value is the index of a target.
    pub routes: Span,
}

impl SubnetRecord {
    /// Whether `address` lies in it.
    #[inline(always)]
    #[must_use]
    pub const fn contains(&self, address: VirtualIp) -> bool {
        address.0 & self.mask == self.virtual_ip.0
    }
}

/// An address of a network.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MappingKey {
    /// The network.
    pub tag: Tag,
    /// The address.
    pub virtual_ip: VirtualIp,
}

/// Where an address is, and what its node belongs to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MappingRecord {
    /// Slot of the host.
    pub host: u32,
    /// Slot of the port where the host is this one, else [`NONE`].
    pub port: u32,
    /// Number of the set of security groups that its node is in; 0 is the empty set.
    pub groups: u32,
    /// None is defined.
    pub flags: u32,
}

/// A host that may speak for any address of a network, because a node on it forwards.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ForwarderKey {
    /// The host.
    pub prefix: HostPrefix,
    /// The network.
    pub tag: Tag,
    /// Zero.
    pub reserved: u32,
}

/// The remembered way to a host. The dataplane renews it from the kernel's routing.
#[repr(C)]
#[derive(Debug, Default)]
pub struct NextHop {
    /// The destination Ethernet address, and the device index in the upper 16 bits: one word, so
    /// that no reader sees half of each.
    pub destination_and_device: Cell<u64>,
    /// The source Ethernet address.
    pub source: Cell<u64>,
    /// The tick in which it was renewed.
    pub renewed: Cell<u32>,
    /// 1 where the above can be used.
    pub usable: Cell<u32>,
}

/// A run of intervals.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Span {
    /// Index of the first.
    pub base: u32,
    /// How many.
    pub count: u32,
}

/// From `start` to the next one's start, everything has `value`. The first of a table starts at 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Interval {
    /// The lowest point, as a number.
    pub start: u32,
    /// What it stands for in its table.
    pub value: u32,
}

/// One bit a rule: bit `n % 64` of word `n / 64` is rule `n`.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Row(pub [u64; RULES_MAX / 64]);

impl Default for Row {
    fn default() -> Self {
        Self([0; RULES_MAX / 64])
    }
}

/// The rules of a port's security groups, or of an access list. See `policy`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PolicyRecord {
    /// Rows by the remote address.
    pub addresses: Span,
    /// Rows by the remote node's set of groups.
    pub groups: Span,
    /// Rows by direction, protocol and port.
    pub services: Span,
    /// The row of the rules that allow.
    pub allow: u32,
    /// How many rules there are; 0 where the slot is unused.
    pub rules: u32,
}

/// Where a route leads.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RouteTarget {
    /// A [`RouteKind`].
    pub kind: u32,
    /// The node's address for [`RouteKind::VIA_NODE`].
    pub virtual_ip: VirtualIp,
}

/// Kinds of route targets. Edge targets (Internet, NAT, VPN) take further numbers.
pub struct RouteKind;

impl RouteKind {
    /// There is no route.
    pub const UNREACHABLE: u32 = 0;
    /// To the node that has the address.
    pub const LOCAL: u32 = 1;
    /// Dropped.
    pub const BLACKHOLE: u32 = 2;
    /// To a node that forwards.
    pub const VIA_NODE: u32 = 3;
}

/// Whose fragments they are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct FragmentKey {
    /// The node's address.
    pub local: VirtualIp,
    /// The other's.
    pub remote: VirtualIp,
    /// Identification in the upper half, then direction, then protocol.
    pub datagram: u32,
}

/// A first fragment: what the later ones, which carry no ports, are looked up by.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct FragmentRecord {
    /// The datagram.
    pub key: FragmentKey,
    /// The ports as a flow key holds them.
    pub ports: u32,
    /// The tick in which it passed.
    pub seen: u32,
    /// 1 where the entry is used.
    pub used: u32,
}

/// Packets and bytes of a port. Bytes are of the IPv4 packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PortCounters {
    /// By [`super::Direction`].
    pub packets: [u64; 2],
    /// By [`super::Direction`].
    pub bytes: [u64; 2],
}

/// What is left of a CPU's drop events.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EventBudget {
    /// The window (ticks divided by 64) in which `sent` counts.
    pub window: u32,
    /// Events sent in it.
    pub sent: u32,
}

macro_rules! sizes {
    ($($record:ty = $size:literal,)*) => { $(const _: () = assert!(size_of::<$record>() == $size);)* };
}

sizes! {
    Config = 16,
    InterfaceRecord = 8,
    PortRecord = 56,
    PortState = 32,
    NetworkRecord = 16,
    SubnetRecord = 32,
    MappingKey = 8,
    MappingRecord = 16,
    ForwarderKey = 16,
    NextHop = 24,
    Interval = 8,
    Row = 128,
    PolicyRecord = 32,
    RouteTarget = 8,
    FragmentRecord = 24,
    PortCounters = 32,
    EventBudget = 8,
}
