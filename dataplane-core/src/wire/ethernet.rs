//! Ethernet II (IEEE 802.3): destination, source, type. No VLAN tags: they are the substrate's.

use crate::{
    ids::MacAddress,
    packet::{Packet, Window},
};

/// Bytes of the header.
pub const LEN: usize = 14;

/// The types that Inlay knows, in memory order.
pub mod ether_type {
    /// IPv4.
    pub const IPV4: u16 = 0x0800u16.to_be();
    /// ARP.
    pub const ARP: u16 = 0x0806u16.to_be();
    /// IPv6.
    pub const IPV6: u16 = 0x86ddu16.to_be();
}

/// An Ethernet header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// To whom.
    pub destination: MacAddress,
    /// From whom.
    pub source: MacAddress,
    /// What follows, in memory order.
    pub ether_type: u16,
}

impl Header {
    /// The header at the start of a packet.
    #[inline(always)]
    #[must_use]
    pub fn read(packet: &mut Packet<'_>) -> Option<Self> {
        Some(Self::of(&packet.window::<LEN>(0)?))
    }

    /// The header at the start of a window.
    #[inline(always)]
    #[must_use]
    pub fn of<const N: usize>(window: &Window<'_, N>) -> Self {
        Self {
            destination: MacAddress::from_words(window.u32::<0>(), window.u16::<4>()),
            source: MacAddress::from_words(window.u32::<6>(), window.u16::<10>()),
            ether_type: window.u16::<12>(),
        }
    }

    /// Writes it at the start of a window.
    #[inline(always)]
    pub fn write<const N: usize>(&self, window: &mut Window<'_, N>) {
        window.set_u32::<0>(self.destination.first());
        window.set_u16::<4>(self.destination.last());
        window.set_u32::<6>(self.source.first());
        window.set_u16::<10>(self.source.last());
        window.set_u16::<12>(self.ether_type);
    }
}
