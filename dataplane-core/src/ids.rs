//! Numbers and addresses, each a type of its own, with their bits as they lie in a packet.
//!
//! Addresses are held in memory order (the network's), so that the packet path compares and copies
//! words without swapping bytes. `from_octets` and `octets` are the way in and out.

use core::fmt;

/// A virtual network's number, 24 bits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Vni(u32);

impl Vni {
    /// The largest number of a network.
    pub const MAX: u32 = 0x00ff_ffff;

    /// The network `number`; none above [`Self::MAX`].
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number > Self::MAX {
            None
        } else {
            Some(Self(number))
        }
    }

    /// The network in the low 24 bits of `word`.
    #[must_use]
    pub(crate) const fn from_low_bits(word: u32) -> Self {
        Self(word & Self::MAX)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An IPv4 address inside a network, in memory order.
#[repr(transparent)]
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct VirtualIp(pub u32);

impl VirtualIp {
    /// From its four octets.
    #[must_use]
    pub const fn from_octets(octets: [u8; 4]) -> Self {
        Self(u32::from_ne_bytes(octets))
    }

    /// Its four octets.
    #[must_use]
    pub const fn octets(self) -> [u8; 4] {
        self.0.to_ne_bytes()
    }

    /// The address as a number, which orders as addresses do.
    #[inline(always)]
    #[must_use]
    pub const fn number(self) -> u32 {
        u32::from_be(self.0)
    }

    /// Multicast, limited broadcast, or in 0.0.0.0/8: an address that no node has.
    #[inline(always)]
    #[must_use]
    pub const fn is_not_unicast(self) -> bool {
        self.number() >= 0xe000_0000 || self.number() < 0x0100_0000
    }
}

impl fmt::Display for VirtualIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.octets();
        write!(f, "{a}.{b}.{c}.{d}")
    }
}

impl fmt::Debug for VirtualIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The /64 of the substrate that a host owns, in memory order.
#[repr(transparent)]
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HostPrefix(pub u64);

impl HostPrefix {
    /// From the first eight octets of its addresses.
    #[must_use]
    pub const fn from_octets(octets: [u8; 8]) -> Self {
        Self(u64::from_ne_bytes(octets))
    }

    /// The first eight octets of its addresses.
    #[must_use]
    pub const fn octets(self) -> [u8; 8] {
        self.0.to_ne_bytes()
    }
}

impl fmt::Display for HostPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut octets = [0; 16];
        octets[..8].copy_from_slice(&self.octets());
        write!(f, "{}/64", core::net::Ipv6Addr::from(octets))
    }
}

impl fmt::Debug for HostPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An Ethernet address: six octets in memory order, then two of zero.
#[repr(transparent)]
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MacAddress(pub u64);

impl MacAddress {
    /// The virtual router's address, the same on every host, so that a node that moves keeps a
    /// right ARP cache. Locally administered; the rest spells "inlay".
    pub const ROUTER: Self = Self::from_octets([0x02, b'i', b'n', b'l', b'a', b'y']);

    /// From its six octets.
    #[must_use]
    pub const fn from_octets(octets: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = octets;
        Self(u64::from_ne_bytes([a, b, c, d, e, f, 0, 0]))
    }

    /// From the two words that a frame holds it in: octets 0 to 3 and octets 4 and 5.
    #[inline(always)]
    #[must_use]
    pub const fn from_words(first: u32, last: u16) -> Self {
        Self(first as u64 | (last as u64) << 32)
    }

    /// Octets 0 to 3, in memory order.
    #[inline(always)]
    #[must_use]
    pub const fn first(self) -> u32 {
        self.0 as u32
    }

    /// Octets 4 and 5, in memory order.
    #[inline(always)]
    #[must_use]
    pub const fn last(self) -> u16 {
        (self.0 >> 32) as u16
    }

    /// Its six octets.
    #[must_use]
    pub const fn octets(self) -> [u8; 6] {
        let [a, b, c, d, e, f, _, _] = self.0.to_ne_bytes();
        [a, b, c, d, e, f]
    }

    /// Whether the group bit is set: multicast or broadcast.
    #[inline(always)]
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.0 & 1 != 0
    }
}

// `first`, `last` and `is_group` take the low bits of a word for the first octets.
#[cfg(target_endian = "big")]
compile_error!("Inlay's packet path is written for little-endian machines");

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.octets();
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A moment, in units of 2^24 ns (16.8 ms) since boot; wraps after 2.2 years.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tick(pub u32);

impl Tick {
    /// Ticks in a second, rounded down.
    pub const PER_SECOND: u32 = 59;

    /// The tick in which a clock of nanoseconds since boot stands.
    #[inline(always)]
    #[must_use]
    pub const fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self((nanoseconds >> 24) as u32)
    }

    /// Ticks from `earlier` to this one; 0 where another CPU's clock was read a little later.
    #[inline(always)]
    #[must_use]
    pub const fn since(self, earlier: Self) -> u32 {
        let ticks = self.0.wrapping_sub(earlier.0);
        if ticks > i32::MAX as u32 { 0 } else { ticks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vni_has_24_bits() {
        assert!(Vni::new(0x00ff_ffff).is_some());
        assert!(Vni::new(0x0100_0000).is_none());
    }

    #[test]
    fn addresses_print_as_people_write_them() {
        assert_eq!(
            VirtualIp::from_octets([10, 0, 1, 20]).to_string(),
            "10.0.1.20"
        );
        let prefix = HostPrefix::from_octets([0x20, 1, 0xd, 0xb8, 0, 0, 0, 1]);
        assert_eq!(prefix.to_string(), "2001:db8:0:1::/64");
        assert_eq!(MacAddress::ROUTER.to_string(), "02:69:6e:6c:61:79");
    }

    #[test]
    fn a_mac_is_the_words_of_a_frame() {
        let mac = MacAddress::from_octets([2, 1, 2, 3, 4, 5]);
        assert_eq!(MacAddress::from_words(mac.first(), mac.last()), mac);
        assert!(!mac.is_group());
        assert!(MacAddress::from_octets([1, 0, 0, 0, 0, 0]).is_group());
    }

    #[test]
    fn ticks_wrap() {
        assert_eq!(Tick(3).since(Tick(u32::MAX)), 4);
        assert_eq!(Tick(3).since(Tick(4)), 0);
    }
}
