//! The IPv6 header and its Fragment header (RFC 8200 sections 3 and 4.5), as Inlay uses them.
//!
//! ```text
//!  0 version, traffic class, flow label   4 payload length   6 next header   7 hop limit
//!  8 source   24 destination
//!  Fragment: 0 next header   1 reserved   2 offset, M   4 identification
//! ```

use crate::{
    ids::{HostPrefix, VirtualIp},
    packet::Window,
    substrate::{FlowLabel, SubstrateAddress, Tag},
    wire::ipv4,
};

/// Bytes of the header.
pub const LEN: usize = 40;
/// Bytes of the Fragment header.
pub const FRAGMENT_LEN: usize = 8;
/// The next-header value of the Fragment header.
pub const FRAGMENT: u8 = 44;
/// The next-header value of ICMPv6.
pub const ICMPV6: u8 = 58;
/// The hop limit that inlaid packets are sent with.
pub const HOP_LIMIT: u8 = 255;

/// An IPv6 header between substrate addresses.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Header {
    /// Version, traffic class and flow label, as a number.
    pub first_word: u32,
    /// Bytes after the header.
    pub payload_length: u16,
    /// What follows.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source.
    pub source: SubstrateAddress,
    /// Destination.
    pub destination: SubstrateAddress,
}

impl Header {
    /// The header in a window. Nothing is checked.
    #[inline(always)]
    #[must_use]
    pub fn of(window: &Window<'_, LEN>) -> Self {
        Self {
            first_word: u32::from_be(window.u32::<0>()),
            payload_length: window.be16::<4>(),
            next_header: window.u8::<6>(),
            hop_limit: window.u8::<7>(),
            source: SubstrateAddress {
                prefix: HostPrefix(window.u64::<8>()),
                tag: Tag(window.u32::<16>()),
                virtual_ip: VirtualIp(window.u32::<20>()),
            },
            destination: SubstrateAddress {
                prefix: HostPrefix(window.u64::<24>()),
                tag: Tag(window.u32::<32>()),
                virtual_ip: VirtualIp(window.u32::<36>()),
            },
        }
    }

    /// The first word of a header of version 6.
    #[inline(always)]
    #[must_use]
    pub const fn first_word(traffic_class: u8, label: FlowLabel) -> u32 {
        6 << 28 | (traffic_class as u32) << 20 | label.bits()
    }

    /// The version.
    #[inline(always)]
    #[must_use]
    pub const fn version(&self) -> u8 {
        (self.first_word >> 28) as u8
    }

    /// The traffic class, which is IPv4's TOS.
    #[inline(always)]
    #[must_use]
    pub const fn traffic_class(&self) -> u8 {
        (self.first_word >> 20) as u8
    }

    /// The flow label.
    #[inline(always)]
    #[must_use]
    pub const fn label(&self) -> FlowLabel {
        FlowLabel::from_word(self.first_word)
    }

    /// Writes it.
    #[inline(always)]
    pub fn write(&self, window: &mut Window<'_, LEN>) {
        window.set_u32::<0>(self.first_word.to_be());
        window.set_be16::<4>(self.payload_length);
        window.set_u8::<6>(self.next_header);
        window.set_u8::<7>(self.hop_limit);
        window.set_u64::<8>(self.source.prefix.0);
        window.set_u32::<16>(self.source.tag.0);
        window.set_u32::<20>(self.source.virtual_ip.0);
        window.set_u64::<24>(self.destination.prefix.0);
        window.set_u32::<32>(self.destination.tag.0);
        window.set_u32::<36>(self.destination.virtual_ip.0);
    }
}

/// A Fragment header: IPv4's offset, MF and Identification; bit 16 of the IPv6 Identification
/// carries DF.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Fragment {
    /// What follows.
    pub next_header: u8,
    /// IPv4's flags and offset.
    pub fragment: ipv4::Fragment,
    /// IPv4's Identification.
    pub identification: u16,
}

const DF_BIT: u32 = 1 << 16;

impl Fragment {
    /// The header in a window. `None` where a reserved bit is set that IPv4 has no room for.
    #[inline(always)]
    #[must_use]
    pub fn of(window: &Window<'_, FRAGMENT_LEN>) -> Option<Self> {
        let offset_and_more = window.be16::<2>();
        let identification = u32::from_be(window.u32::<4>());
        if offset_and_more & 0b110 != 0 || identification >> 17 != 0 || window.u8::<1>() != 0 {
            return None;
        }
        Some(Self {
            next_header: window.u8::<0>(),
            fragment: ipv4::Fragment::new(
                identification & DF_BIT != 0,
                offset_and_more & 1 != 0,
                offset_and_more >> 3,
            ),
            identification: identification as u16,
        })
    }

    /// Writes it.
    #[inline(always)]
    pub fn write(&self, window: &mut Window<'_, FRAGMENT_LEN>) {
        let dont_fragment = u32::from(self.fragment.dont_fragment()) * DF_BIT;
        window.set_u8::<0>(self.next_header);
        window.set_u8::<1>(0);
        window.set_be16::<2>(self.fragment.offset() << 3 | u16::from(self.fragment.more()));
        window.set_u32::<4>((dont_fragment | u32::from(self.identification)).to_be());
    }
}
