//! The IPv4 header (RFC 791), at a fixed offset in a window.
//!
//! ```text
//!  0 version, header length   1 TOS   2 total length   4 identification   6 flags, fragment offset
//!  8 TTL   9 protocol   10 checksum   12 source   16 destination
//! ```

use crate::{checksum::Sum, ids::VirtualIp, packet::Window};

/// Bytes of a header without options.
pub const LEN: usize = 20;
/// Bytes of the longest header.
pub const LEN_MAX: usize = 60;

/// Flags and fragment offset: the second half of the header's second word, as a number.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Fragment(pub u16);

impl Fragment {
    const RESERVED: u16 = 0x8000;
    const DF: u16 = 0x4000;
    const MF: u16 = 0x2000;
    const OFFSET: u16 = 0x1fff;
    /// DF set, whole: what an atomic datagram has (RFC 6864).
    pub const ATOMIC: Self = Self(Self::DF);

    /// From its parts; `offset` counts units of eight bytes.
    #[inline(always)]
    #[must_use]
    pub const fn new(dont_fragment: bool, more: bool, offset: u16) -> Self {
        let flags = ((dont_fragment as u16) * Self::DF) | ((more as u16) * Self::MF);
        Self(flags | offset & Self::OFFSET)
    }

    /// Whether the reserved flag is set.
    #[inline(always)]
    #[must_use]
    pub const fn is_reserved(self) -> bool {
        self.0 & Self::RESERVED != 0
    }

    /// Whether it must not be fragmented.
    #[inline(always)]
    #[must_use]
    pub const fn dont_fragment(self) -> bool {
        self.0 & Self::DF != 0
    }

    /// Whether more fragments follow.
    #[inline(always)]
    #[must_use]
    pub const fn more(self) -> bool {
        self.0 & Self::MF != 0
    }

    /// The offset in units of eight bytes.
    #[inline(always)]
    #[must_use]
    pub const fn offset(self) -> u16 {
        self.0 & Self::OFFSET
    }

    /// Whether it is one fragment of several.
    #[inline(always)]
    #[must_use]
    pub const fn is_fragment(self) -> bool {
        self.0 & (Self::MF | Self::OFFSET) != 0
    }
}

/// An IPv4 header without its options.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Header {
    /// Version in the upper half, length in words in the lower.
    pub version_and_length: u8,
    /// TOS, ECN included.
    pub tos: u8,
    /// Bytes of the packet with its header.
    pub total_length: u16,
    /// Identification, as a number.
    pub identification: u16,
    /// Flags and offset.
    pub fragment: Fragment,
    /// TTL.
    pub ttl: u8,
    /// Protocol.
    pub protocol: u8,
    /// The header's checksum, in memory order.
    pub checksum: u16,
    /// Source.
    pub source: VirtualIp,
    /// Destination.
    pub destination: VirtualIp,
}

/// Version 4 and five words.
pub const PLAIN: u8 = 0x45;

impl Header {
    /// The header in a window. Nothing is checked.
    #[inline(always)]
    #[must_use]
    pub fn of(window: &Window<'_, LEN>) -> Self {
        Self {
            version_and_length: window.u8::<0>(),
            tos: window.u8::<1>(),
            total_length: window.be16::<2>(),
            identification: window.be16::<4>(),
            fragment: Fragment(window.be16::<6>()),
            ttl: window.u8::<8>(),
            protocol: window.u8::<9>(),
            checksum: window.u16::<10>(),
            source: VirtualIp(window.u32::<12>()),
            destination: VirtualIp(window.u32::<16>()),
        }
    }

    /// Bytes of the header with its options.
    #[inline(always)]
    #[must_use]
    pub const fn header_length(&self) -> usize {
        (self.version_and_length as usize & 0xf) * 4
    }

    /// The sum of a header without options, its checksum field aside.
    #[inline(always)]
    #[must_use]
    pub const fn sum(&self) -> Sum {
        Sum::ZERO
            .add16(u16::from_ne_bytes([PLAIN, self.tos]))
            .add16(self.total_length.to_be())
            .add16(self.identification.to_be())
            .add16(self.fragment.0.to_be())
            .add16(u16::from_ne_bytes([self.ttl, self.protocol]))
            .add32(self.source.0)
            .add32(self.destination.0)
    }

    /// Whether the checksum is that of a header without options.
    #[inline(always)]
    #[must_use]
    pub const fn is_checksum_right(&self) -> bool {
        self.sum().add16(self.checksum).fold() == 0xffff
    }

    /// Writes it without options, with the right checksum.
    #[inline(always)]
    pub fn write(&self, window: &mut Window<'_, LEN>) {
        window.set_u8::<0>(PLAIN);
        window.set_u8::<1>(self.tos);
        window.set_be16::<2>(self.total_length);
        window.set_be16::<4>(self.identification);
        window.set_be16::<6>(self.fragment.0);
        window.set_u8::<8>(self.ttl);
        window.set_u8::<9>(self.protocol);
        window.set_u16::<10>(self.sum().checksum());
        window.set_u32::<12>(self.source.0);
        window.set_u32::<16>(self.destination.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Packet;

    #[test]
    fn the_checksum_of_a_known_header() {
        // RFC 1071's arithmetic on a header that Wireshark documents.
        let mut bytes = [
            0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8,
            0, 0xc7,
        ];
        let header = Header::of(&Packet::new(&mut bytes).window::<LEN>(0).unwrap());
        assert!(header.is_checksum_right());
        assert_eq!(header.fragment, Fragment::ATOMIC);
        let mut written = [0; LEN];
        header.write(&mut Packet::new(&mut written).window::<LEN>(0).unwrap());
        assert_eq!(written, bytes);
    }
}
