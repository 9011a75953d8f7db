//! Reads headers, and refuses what is malformed, before anything is looked up.

use crate::{
    drop_reason::DropReason,
    packet::Packet,
    pipeline::Frame,
    wire::{
        ethernet,
        ipv4::{self, PLAIN},
        ipv6,
        l4::{ICMP, TCP, UDP},
    },
};

/// Offset of the network header.
pub const L3: usize = ethernet::LEN;
/// Offset of an IPv4 packet's transport header, where it has no options.
pub const L4: usize = L3 + ipv4::LEN;
/// Offset of an inlaid packet's transport header, where it has no Fragment header.
pub const SUBSTRATE_L4: usize = L3 + ipv6::LEN;

/// The IPv4 header of a frame, its lengths checked. Options and checksum are for the caller.
#[inline(always)]
pub fn ipv4(packet: &mut Packet<'_>, frame: &Frame) -> Result<ipv4::Header, DropReason> {
    let header = ipv4::Header::of(
        &packet
            .window::<{ ipv4::LEN }>(L3)
            .ok_or(DropReason::Truncated)?,
    );
    let header_length = header.header_length();
    if header.version_and_length >> 4 != 4
        || header_length < ipv4::LEN
        || usize::from(header.total_length) < header_length
    {
        return Err(DropReason::BadIpv4Header);
    }
    if L3 as u32 + u32::from(header.total_length) > frame.len_bytes {
        return Err(DropReason::Truncated);
    }
    Ok(header)
}

/// Whether an IPv4 header has options.
#[inline(always)]
#[must_use]
pub const fn has_options(header: &ipv4::Header) -> bool {
    header.version_and_length != PLAIN
}

/// An inlaid packet's headers, made one: what IPv4 would say of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Substrate {
    /// The IPv6 header.
    pub header: ipv6::Header,
    /// The protocol.
    pub protocol: u8,
    /// Flags and offset that IPv4 has again.
    pub fragment: ipv4::Fragment,
    /// Identification that IPv4 has again.
    pub identification: u16,
    /// Whether there is a Fragment header.
    pub had_fragment: bool,
    /// Bytes after the headers.
    pub payload_length: u16,
}

/// The IPv6 header of a frame, its version and length checked.
#[inline(always)]
pub fn ipv6(packet: &mut Packet<'_>, frame: &Frame) -> Result<ipv6::Header, DropReason> {
    let header = ipv6::Header::of(
        &packet
            .window::<{ ipv6::LEN }>(L3)
            .ok_or(DropReason::Truncated)?,
    );
    if header.version() != 6 {
        return Err(DropReason::BadIpv6Header);
    }
    if SUBSTRATE_L4 as u32 + u32::from(header.payload_length) > frame.len_bytes {
        return Err(DropReason::Truncated);
    }
    Ok(header)
}

/// What follows an IPv6 header: at most one Fragment header, then the tenant's payload.
#[inline(always)]
pub fn substrate(packet: &mut Packet<'_>, header: ipv6::Header) -> Result<Substrate, DropReason> {
    if header.next_header == ipv6::FRAGMENT {
        return with_fragment(packet, header);
    }
    if is_extension(header.next_header) || header.payload_length > u16::MAX - ipv4::LEN as u16 {
        return Err(DropReason::BadIpv6Header);
    }
    Ok(Substrate {
        header,
        protocol: header.next_header,
        fragment: ipv4::Fragment::ATOMIC,
        identification: 0,
        had_fragment: false,
        payload_length: header.payload_length,
    })
}

#[inline(always)]
fn with_fragment(packet: &mut Packet<'_>, header: ipv6::Header) -> Result<Substrate, DropReason> {
    let window = packet
        .window::<{ ipv6::FRAGMENT_LEN }>(SUBSTRATE_L4)
        .ok_or(DropReason::Truncated)?;
    let fragment = ipv6::Fragment::of(&window).ok_or(DropReason::BadIpv6Header)?;
    let len = header.payload_length.checked_sub(ipv6::FRAGMENT_LEN as u16);
    let payload_length = len.ok_or(DropReason::BadIpv6Header)?;
    if is_extension(fragment.next_header) || payload_length > u16::MAX - ipv4::LEN as u16 {
        return Err(DropReason::BadIpv6Header);
    }
    // What is atomic carries no Fragment header: a sender that adds one does not speak Inlay.
    if fragment.fragment == ipv4::Fragment::ATOMIC {
        return Err(DropReason::BadFragment);
    }
    Ok(Substrate {
        header,
        protocol: fragment.next_header,
        fragment: fragment.fragment,
        identification: fragment.identification,
        had_fragment: true,
        payload_length,
    })
}

/// Hop-by-hop, Routing, another Fragment, Destination Options, Mobility, HIP, Shim6: nobody inlays
/// them, and an IPv4 node would not know what to do with them. Nor ICMPv6: a tenant must not be able to put
/// router advertisements and the like on the fabric, where switches act on them.
#[inline(always)]
#[must_use]
pub const fn is_extension(next_header: u8) -> bool {
    matches!(
        next_header,
        0 | 43 | ipv6::FRAGMENT | ipv6::ICMPV6 | 60 | 135 | 139 | 140
    )
}

/// Refuses transport headers that are cut short by the packet's end or by fragmentation (RFC 1858,
/// RFC 3128), and fragments that no datagram has.
#[inline(always)]
pub fn check_payload(
    fragment: ipv4::Fragment,
    protocol: u8,
    payload_length: u16,
) -> Result<(), DropReason> {
    if fragment.is_fragment() {
        check_fragment(fragment, protocol, payload_length)?;
    }
    let needed = match protocol {
        TCP => 20,
        UDP | ICMP => 8,
        _ => 0,
    };
    if fragment.offset() == 0 && payload_length < needed {
        return Err(if fragment.more() {
            DropReason::BadFragment
        } else {
            DropReason::Truncated
        });
    }
    Ok(())
}

#[inline(always)]
fn check_fragment(
    fragment: ipv4::Fragment,
    protocol: u8,
    payload_length: u16,
) -> Result<(), DropReason> {
    let end = u32::from(fragment.offset()) * 8 + u32::from(payload_length);
    let uneven = fragment.more() && !payload_length.is_multiple_of(8);
    let in_header = protocol == TCP && matches!(fragment.offset(), 1 | 2);
    if uneven || in_header || payload_length == 0 || end > u32::from(u16::MAX) - ipv4::LEN as u32 {
        return Err(DropReason::BadFragment);
    }
    Ok(())
}
