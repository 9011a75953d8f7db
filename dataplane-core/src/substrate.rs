//! The substrate address, in which a tenant's address lies inlaid.
//!
//! ```text
//!  bits  0..63        64..71   72..95   96..127
//!        host prefix  kind     VNI      virtual IPv4
//! ```

use crate::ids::{HostPrefix, VirtualIp, Vni};

/// What a substrate address of a host's prefix stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Kind {
    /// The host's own addresses: `<prefix>::1` is the agent.
    Host = 0,
    /// An inlaid IPv4 packet.
    Ipv4 = 4,
}

/// Kind and network: the third word of a substrate address, in memory order. It is also how maps
/// key a network, since the packet path has it at hand.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Tag(pub u32);

impl Tag {
    /// The tag of inlaid IPv4 in `vni`.
    #[must_use]
    pub const fn ipv4(vni: Vni) -> Self {
        Self(((Kind::Ipv4 as u32) << 24 | vni.number()).to_be())
    }

    /// The kind's number.
    #[inline(always)]
    #[must_use]
    pub const fn kind(self) -> u8 {
        (u32::from_be(self.0) >> 24) as u8
    }

    /// The network.
    #[must_use]
    pub const fn vni(self) -> Vni {
        Vni::from_low_bits(u32::from_be(self.0))
    }
}

/// A substrate address.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct SubstrateAddress {
    /// The host.
    pub prefix: HostPrefix,
    /// Kind and network.
    pub tag: Tag,
    /// The tenant's address.
    pub virtual_ip: VirtualIp,
}

impl SubstrateAddress {
    /// Its sixteen octets.
    #[must_use]
    pub fn octets(self) -> [u8; 16] {
        let mut octets = [0; 16];
        let (prefix, rest) = octets.split_at_mut(8);
        let (tag, virtual_ip) = rest.split_at_mut(4);
        prefix.copy_from_slice(&self.prefix.octets());
        tag.copy_from_slice(&self.tag.0.to_ne_bytes());
        virtual_ip.copy_from_slice(&self.virtual_ip.octets());
        octets
    }
}

/// Bits 12 to 19 of the flow label carry the TTL, bits 0 to 11 (the upper ones) a hash of the
/// 5-tuple: the label is constant over a flow, and fabric routers, which count the hop limit down,
/// leave it alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FlowLabel(u32);

impl FlowLabel {
    /// From 12 bits of `hash` (its lowest) and the TTL.
    #[inline(always)]
    #[must_use]
    pub const fn new(hash: u32, ttl: u8) -> Self {
        Self((hash & 0xfff) << 8 | ttl as u32)
    }

    /// From the first word of an IPv6 header, as a number.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u32) -> Self {
        Self(word & 0x000f_ffff)
    }

    /// The 20 bits.
    #[inline(always)]
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The tenant's TTL.
    #[inline(always)]
    #[must_use]
    pub const fn ttl(self) -> u8 {
        self.0 as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_laid_out_as_the_wire_format_says() {
        let address = SubstrateAddress {
            prefix: HostPrefix::from_octets([0x20, 1, 0xd, 0xb8, 0, 0, 0, 1]),
            tag: Tag::ipv4(Vni::new(0x01_0203).unwrap()),
            virtual_ip: VirtualIp::from_octets([10, 0, 1, 10]),
        };
        let text = core::net::Ipv6Addr::from(address.octets()).to_string();
        assert_eq!(text, "2001:db8:0:1:401:203:a00:10a");
        assert_eq!(address.tag.kind(), 4);
        assert_eq!(address.tag.vni().number(), 0x01_0203);
    }

    #[test]
    fn the_label_carries_the_ttl() {
        let label = FlowLabel::new(0xffff_fabc, 63);
        assert_eq!(label.bits(), 0xa_bc3f);
        assert_eq!(FlowLabel::from_word(0x6000_0000 | label.bits()).ttl(), 63);
    }
}
