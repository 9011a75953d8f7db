//! Applies a rewrite to a buffer whose head and tail can be moved: XDP's in the kernel, a slice in
//! user space.

use crate::{
    checksum::Sum,
    drop_reason::DropReason,
    ids::MacAddress,
    packet::Packet,
    rewrite::{
        EchoReply, FRAGMENT_GROWTH, GROWTH, Hop, Inlay, NodeError, QUOTE_MAX, Restore, Rewrite,
        SubstrateError, Transport, from_router,
    },
    wire::{
        arp,
        ethernet::{self, ether_type},
        icmp, ipv4, ipv6,
        l4::{ICMP, TCP, TCP_CHECKSUM, UDP, UDP_CHECKSUM},
    },
};

/// A buffer with room before the packet.
pub trait Linear {
    /// The packet as it lies. What was had before a move is no longer valid.
    fn packet(&mut self) -> Packet<'_>;
    /// Moves the packet's start by so many bytes, towards its end where positive.
    fn adjust_head(&mut self, by: i32) -> bool;
    /// Cuts the packet off after `len_bytes`.
    fn truncate(&mut self, len_bytes: u32) -> bool;
}

/// A packet in a slice, for tests and tools: `buffer[start..end]`.
pub struct Slice<'a> {
    /// The memory.
    pub buffer: &'a mut [u8],
    /// Where the packet starts.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl Linear for Slice<'_> {
    fn packet(&mut self) -> Packet<'_> {
        Packet::new(
            self.buffer
                .get_mut(self.start..self.end)
                .unwrap_or_default(),
        )
    }

    fn adjust_head(&mut self, by: i32) -> bool {
        let Some(start) = self.start.checked_add_signed(by as isize) else {
            return false;
        };
        // As the kernel has it: an Ethernet header must remain.
        let fits = start + ethernet::LEN <= self.end;
        if fits {
            self.start = start;
        }
        fits
    }

    fn truncate(&mut self, len_bytes: u32) -> bool {
        let end = self.start + len_bytes as usize;
        let fits = len_bytes as usize >= ethernet::LEN && end <= self.end;
        if fits {
            self.end = end;
        }
        fits
    }
}

const L3: usize = ethernet::LEN;
const L4: usize = L3 + ipv4::LEN;
const SUBSTRATE_L4: usize = L3 + ipv6::LEN;

type Applied = Result<(), DropReason>;

const CUT: DropReason = DropReason::Truncated;

/// Makes the packet what `rewrite` says.
///
/// # Errors
/// `NoHeadroom` where the buffer cannot be moved, `Truncated` where it holds less than was parsed.
#[inline(always)]
pub fn apply<L: Linear>(buffer: &mut L, rewrite: &Rewrite) -> Applied {
    match rewrite {
        Rewrite::Keep => Ok(()),
        Rewrite::Inlay(inlay) => apply_inlay(buffer, inlay),
        Rewrite::Restore(restore) => apply_restore(buffer, restore),
        Rewrite::Hop(hop) => apply_hop(buffer, hop),
        Rewrite::Arp(request) => {
            arp::write_reply(&mut buffer.packet(), request, MacAddress::ROUTER).ok_or(CUT)
        }
        Rewrite::EchoReply(reply) => apply_echo_reply(buffer, reply),
        Rewrite::Error(error) => apply_error(buffer, error),
        Rewrite::SubstrateError(error) => apply_substrate_error(buffer, error),
    }
}

#[inline(always)]
fn moved<L: Linear>(buffer: &mut L, by: i32) -> Applied {
    if buffer.adjust_head(by) {
        Ok(())
    } else {
        Err(DropReason::NoHeadroom)
    }
}

/// Updates TCP's or UDP's checksum in a transport header at `at`.
#[inline(always)]
fn update_checksum<L: Linear>(buffer: &mut L, at: usize, checksum: &Transport) -> Applied {
    match checksum.protocol {
        TCP => {
            let mut packet = buffer.packet();
            let mut field = packet.window::<2>(at + TCP_CHECKSUM).ok_or(CUT)?;
            field.set_u16::<0>(checksum.delta.apply_tcp(field.u16::<0>()));
        }
        UDP => {
            let mut packet = buffer.packet();
            let mut field = packet.window::<2>(at + UDP_CHECKSUM).ok_or(CUT)?;
            field.set_u16::<0>(checksum.delta.apply_udp(field.u16::<0>()));
        }
        _ => {}
    }
    Ok(())
}

/// IPv4 to IPv6, in place: the transport header stays where it is.
#[inline(always)]
pub fn apply_inlay<L: Linear>(buffer: &mut L, inlay: &Inlay) -> Applied {
    update_checksum(buffer, L4, &inlay.checksum)?;
    let growth = if inlay.fragment.is_some() {
        FRAGMENT_GROWTH
    } else {
        GROWTH
    };
    moved(buffer, -i32::from(growth))?;
    let mut packet = buffer.packet();
    let mut window = packet.window::<L3>(0).ok_or(CUT)?;
    let ethernet = ethernet::Header {
        destination: inlay.destination_mac,
        source: inlay.source_mac,
        ether_type: ether_type::IPV6,
    };
    ethernet.write(&mut window);
    inlay
        .header
        .write(&mut packet.window::<{ ipv6::LEN }>(L3).ok_or(CUT)?);
    if let Some(fragment) = &inlay.fragment {
        fragment.write(
            &mut packet
                .window::<{ ipv6::FRAGMENT_LEN }>(SUBSTRATE_L4)
                .ok_or(CUT)?,
        );
    }
    Ok(())
}

/// IPv6 to IPv4, in place.
#[inline(always)]
pub fn apply_restore<L: Linear>(buffer: &mut L, restore: &Restore) -> Applied {
    let (at, growth) = if restore.had_fragment {
        (SUBSTRATE_L4 + ipv6::FRAGMENT_LEN, FRAGMENT_GROWTH)
    } else {
        (SUBSTRATE_L4, GROWTH)
    };
    update_checksum(buffer, at, &restore.checksum)?;
    moved(buffer, i32::from(growth))?;
    write_ipv4(buffer, restore.destination_mac, &restore.header)
}

#[inline(always)]
fn apply_hop<L: Linear>(buffer: &mut L, hop: &Hop) -> Applied {
    write_ipv4(buffer, hop.destination_mac, &hop.header)
}

#[inline(always)]
fn write_ipv4<L: Linear>(buffer: &mut L, to: MacAddress, header: &ipv4::Header) -> Applied {
    let mut packet = buffer.packet();
    from_router(to, ether_type::IPV4).write(&mut packet.window::<L3>(0).ok_or(CUT)?);
    header.write(&mut packet.window::<{ ipv4::LEN }>(L3).ok_or(CUT)?);
    Ok(())
}

/// Type 8 becomes 0, which the checksum follows (RFC 1624).
#[inline(always)]
fn apply_echo_reply<L: Linear>(buffer: &mut L, reply: &EchoReply) -> Applied {
    write_ipv4(buffer, reply.destination_mac, &reply.header)?;
    let mut packet = buffer.packet();
    let mut window = packet.window::<4>(L4).ok_or(CUT)?;
    let (old, new) = (window.u16::<0>(), 0);
    let delta = Sum::ZERO.add16(new).minus(Sum::ZERO.add16(old));
    window.set_u16::<0>(new);
    window.set_u16::<2>(delta.apply(window.u16::<2>()));
    Ok(())
}

const ERROR_GROWTH: usize = ipv4::LEN + icmp::LEN;

/// New headers before the packet, which is cut off to what is quoted.
#[inline(always)]
fn apply_error<L: Linear>(buffer: &mut L, error: &NodeError) -> Applied {
    let quoted = quote_sum(&mut buffer.packet(), error.quoted_bytes)?;
    moved(buffer, -(ERROR_GROWTH as i32))?;
    let len_bytes = ERROR_GROWTH as u16 + error.quoted_bytes;
    let header = error_header(error.router, error.node, len_bytes);
    write_ipv4(buffer, error.destination_mac, &header)?;
    write_icmp(&mut buffer.packet(), error.error, quoted)?;
    cut(buffer, L3 as u32 + u32::from(len_bytes))
}

#[inline(always)]
fn cut<L: Linear>(buffer: &mut L, len_bytes: u32) -> Applied {
    if buffer.truncate(len_bytes) {
        Ok(())
    } else {
        Err(DropReason::NoHeadroom)
    }
}

/// The sum over the first `len_bytes` (a multiple of four) of the packet.
#[inline(always)]
fn quote_sum(packet: &mut Packet<'_>, len_bytes: u16) -> Result<Sum, DropReason> {
    let mut sum = Sum::ZERO;
    for word in 0..usize::from(QUOTE_MAX) / 4 {
        if word * 4 >= usize::from(len_bytes) {
            break;
        }
        sum = sum.add32(packet.window::<4>(L3 + word * 4).ok_or(CUT)?.u32::<0>());
    }
    Ok(sum)
}

/// Linux sends its own with precedence "internetwork control" (RFC 1812 section 4.3.2.5) and TTL 64.
#[inline(always)]
fn error_header(
    source: crate::ids::VirtualIp,
    destination: crate::ids::VirtualIp,
    total_length: u16,
) -> ipv4::Header {
    ipv4::Header {
        version_and_length: ipv4::PLAIN,
        tos: 0xc0,
        total_length,
        identification: 0,
        fragment: ipv4::Fragment::ATOMIC,
        ttl: 64,
        protocol: ICMP,
        checksum: 0,
        source,
        destination,
    }
}

#[inline(always)]
fn write_icmp(packet: &mut Packet<'_>, error: icmp::Error, quoted: Sum) -> Applied {
    let (type_and_code, word) = error.words();
    let mut window = packet.window::<{ icmp::LEN }>(L4).ok_or(CUT)?;
    window.set_u16::<0>(type_and_code);
    window.set_u16::<2>(quoted.add16(type_and_code).add32(word).checksum());
    window.set_u32::<4>(word);
    Ok(())
}

const QUOTE_L4: usize = L4 + icmp::LEN + ipv4::LEN;
const SUBSTRATE_QUOTE_L4: usize = SUBSTRATE_L4 + icmp::LEN + ipv6::LEN;

/// The substrate's error shrinks so that the quoted transport header stays where it is.
#[inline(always)]
fn apply_substrate_error<L: Linear>(buffer: &mut L, error: &SubstrateError) -> Applied {
    let fragment = if error.had_fragment {
        ipv6::FRAGMENT_LEN
    } else {
        0
    };
    moved(buffer, (SUBSTRATE_QUOTE_L4 + fragment - QUOTE_L4) as i32)?;
    let total_length = (QUOTE_L4 - L3 + 8) as u16;
    let header = error_header(error.router, error.quoted.source, total_length);
    write_ipv4(buffer, error.destination_mac, &header)?;
    let mut packet = buffer.packet();
    error
        .quoted
        .write(&mut packet.window::<{ ipv4::LEN }>(L4 + icmp::LEN).ok_or(CUT)?);
    packet
        .window::<8>(QUOTE_L4)
        .ok_or(CUT)?
        .set_u64::<0>(error.payload);
    // A header with its checksum sums up to all ones, which is zero.
    write_icmp(&mut packet, error.error, Sum::ZERO.add64(error.payload))?;
    cut(buffer, QUOTE_L4 as u32 + 8)
}
