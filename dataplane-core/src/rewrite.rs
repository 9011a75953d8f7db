//! What is to become of a packet, described: applying it belongs to the context (`linear` for XDP).

use crate::{
    checksum::{Delta, Sum},
    ids::{MacAddress, VirtualIp},
    substrate::SubstrateAddress,
    wire::{arp, ethernet, icmp, ipv4, ipv6},
};

/// Where a packet goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// To the node of a port.
    Deliver(u32),
    /// Out of a device: an uplink.
    Send(u32),
    /// Back to where it came from.
    Reply,
    /// To the kernel.
    Pass,
}

/// What a packet becomes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rewrite {
    /// Itself.
    Keep,
    /// An inlaid packet.
    Inlay(Inlay),
    /// The tenant's packet again.
    Restore(Restore),
    /// The tenant's packet for a node of the same host.
    Hop(Hop),
    /// An ARP reply.
    Arp(arp::Request),
    /// An echo reply of the virtual router.
    EchoReply(EchoReply),
    /// An ICMP error about a node's packet.
    Error(NodeError),
    /// An ICMP error about a node's packet, made from one of the substrate.
    SubstrateError(SubstrateError),
}

/// IPv4 to IPv6.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Inlay {
    /// Ethernet addresses on the substrate.
    pub destination_mac: MacAddress,
    /// Ethernet addresses on the substrate.
    pub source_mac: MacAddress,
    /// The header, without its payload length and next header, which depend on `fragment`.
    pub header: ipv6::Header,
    /// The Fragment header of what is not atomic.
    pub fragment: Option<ipv6::Fragment>,
    /// How the transport's checksum changes.
    pub checksum: Transport,
}

/// IPv6 to IPv4.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Restore {
    /// The node's Ethernet address.
    pub destination_mac: MacAddress,
    /// The header.
    pub header: ipv4::Header,
    /// Whether a Fragment header goes too.
    pub had_fragment: bool,
    /// How the transport's checksum changes.
    pub checksum: Transport,
}

/// A checksum that covers a pseudo header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transport {
    /// TCP or UDP; 0 where the packet holds no such checksum.
    pub protocol: u8,
    /// The difference.
    pub delta: Delta,
}

/// From one node to another of the same host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hop {
    /// The node's Ethernet address.
    pub destination_mac: MacAddress,
    /// The packet's header, its TTL counted down where it was routed.
    pub header: ipv4::Header,
}

/// An echo reply: addresses swapped, the rest as it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EchoReply {
    /// The node's Ethernet address.
    pub destination_mac: MacAddress,
    /// The reply's header.
    pub header: ipv4::Header,
}

/// An ICMP error that quotes the packet as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NodeError {
    /// The node's Ethernet address.
    pub destination_mac: MacAddress,
    /// The virtual router.
    pub router: VirtualIp,
    /// The node.
    pub node: VirtualIp,
    /// Which error.
    pub error: icmp::Error,
    /// Bytes of the packet that it quotes, a multiple of 4, at most [`QUOTE_MAX`].
    pub quoted_bytes: u16,
}

/// Header with options and eight bytes of payload (RFC 792).
pub const QUOTE_MAX: u16 = ipv4::LEN_MAX as u16 + 8;

/// An ICMP error that quotes a restored header and eight bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SubstrateError {
    /// The node's Ethernet address.
    pub destination_mac: MacAddress,
    /// The virtual router.
    pub router: VirtualIp,
    /// Which error.
    pub error: icmp::Error,
    /// The header that the node sent.
    pub quoted: ipv4::Header,
    /// The eight bytes after it, restored.
    pub payload: u64,
    /// Whether the quoted packet had a Fragment header.
    pub had_fragment: bool,
}

/// The sum over the addresses of an inlaid packet's pseudo header.
#[inline(always)]
#[must_use]
pub const fn substrate_sum(source: &SubstrateAddress, destination: &SubstrateAddress) -> Sum {
    virtual_sum(source.virtual_ip, destination.virtual_ip)
        .add64(source.prefix.0)
        .add64(destination.prefix.0)
        .add32(source.tag.0)
        .add32(destination.tag.0)
}

/// The sum over the addresses of an IPv4 packet's pseudo header. Length and protocol are the same
/// numbers in both pseudo headers, so that they never enter a difference.
#[inline(always)]
#[must_use]
pub const fn virtual_sum(source: VirtualIp, destination: VirtualIp) -> Sum {
    Sum::ZERO.add32(source.0).add32(destination.0)
}

/// Bytes by which a packet grows when it is inlaid.
pub const GROWTH: u16 = (ipv6::LEN - ipv4::LEN) as u16;
/// Bytes by which one that needs a Fragment header grows.
pub const FRAGMENT_GROWTH: u16 = GROWTH + ipv6::FRAGMENT_LEN as u16;

/// The Ethernet header that nodes see.
#[inline(always)]
#[must_use]
pub const fn from_router(destination: MacAddress, ether_type: u16) -> ethernet::Header {
    ethernet::Header {
        destination,
        source: MacAddress::ROUTER,
        ether_type,
    }
}
