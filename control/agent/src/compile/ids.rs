//! Identifiers of the API, as the maps hold them.

use std::net::Ipv4Addr;

use inlay_core::{
    ids::{HostPrefix, VirtualIp, Vni},
    substrate::Tag,
};
use ipnet::Ipv4Net;

pub(super) fn tag(vni: inlay_api::Vni) -> Tag {
    // Both types hold 24 bits, so there always is one.
    Vni::new(vni.get()).map(Tag::ipv4).unwrap_or_default()
}

pub(super) fn virtual_ip(address: Ipv4Addr) -> VirtualIp {
    VirtualIp::from_octets(address.octets())
}

pub(super) fn host_prefix(prefix: inlay_api::HostPrefix) -> HostPrefix {
    HostPrefix::from_octets(prefix.octets())
}

/// A netmask in memory order.
pub(super) fn mask(cidr: Ipv4Net) -> u32 {
    VirtualIp::from_octets(cidr.netmask().octets()).0
}

/// The first and the last address of `cidr`, as numbers.
pub(super) fn ends(cidr: Ipv4Net) -> (u32, u32) {
    (cidr.network().to_bits(), cidr.broadcast().to_bits())
}
