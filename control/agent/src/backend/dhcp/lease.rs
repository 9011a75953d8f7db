//! What a node is told by DHCP.

use std::net::Ipv4Addr;

use inlay_core::ids::MacAddress;

use crate::backend::wanted::Wanted;

/// The one lease of a port: the address is the node's for as long as it has the port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Lease {
    /// Whose it is: others at the port are not answered.
    pub(super) mac: MacAddress,
    /// The node's primary address.
    pub(super) address: Ipv4Addr,
    pub(super) mask: Ipv4Addr,
    /// The router, and the server's identifier.
    pub(super) gateway: Ipv4Addr,
    pub(super) mtu: u16,
    pub(super) dns_servers: Vec<Ipv4Addr>,
    /// Empty where there is none.
    pub(super) dns_domain: String,
}

impl Lease {
    /// `None` where the node has no address, which no attachment that was checked is.
    pub(super) fn of(wanted: &Wanted) -> Option<Self> {
        let ones = u32::from(wanted.prefix_len);
        Some(Self {
            mac: wanted.mac,
            address: *wanted.addresses.first()?,
            mask: u32::MAX.checked_shl(32 - ones).unwrap_or(0).into(),
            gateway: wanted.gateway,
            mtu: u16::try_from(wanted.mtu).unwrap_or(u16::MAX),
            dns_servers: wanted.dns_servers.clone(),
            dns_domain: wanted.dns_domain.clone(),
        })
    }
}
