//! The other header: IPv4 to IPv6 and back, without loss.

use crate::{
    checksum::Delta,
    ids::MacAddress,
    pipeline::parse::Substrate,
    rewrite::{Inlay, Restore, Transport, substrate_sum, virtual_sum},
    substrate::{FlowLabel, SubstrateAddress},
    wire::{
        ipv4,
        ipv6::{self, HOP_LIMIT},
        l4::{TCP, UDP},
    },
};

/// A hash of the 5-tuple for the flow label: a few instructions whose upper bits are well mixed.
#[inline(always)]
#[must_use]
pub const fn label_hash(source: u32, destination: u32, ports: u32, protocol: u8) -> u32 {
    let addresses = source ^ destination.rotate_left(13);
    let mixed = addresses.wrapping_mul(0x9e37_79b1) ^ ports ^ protocol as u32;
    mixed.wrapping_mul(0x85eb_ca77) >> 20
}

/// The checksum change, where the packet has a transport header with one.
#[inline(always)]
const fn transport(protocol: u8, offset: u16, delta: Delta) -> Transport {
    let has_checksum = offset == 0 && matches!(protocol, TCP | UDP);
    Transport {
        protocol: if has_checksum { protocol } else { 0 },
        delta,
    }
}

/// The inlaid form of a packet: `header` with the TTL that it goes on with. MAC addresses are those of the
/// next hop, which is found later.
#[inline(always)]
#[must_use]
pub fn inlay(
    header: &ipv4::Header,
    ports: u32,
    source: SubstrateAddress,
    destination: SubstrateAddress,
) -> Inlay {
    let delta =
        substrate_sum(&source, &destination).minus(virtual_sum(header.source, header.destination));
    let is_atomic = header.fragment.0 == ipv4::Fragment::ATOMIC.0;
    let hash = if header.fragment.is_fragment() {
        0
    } else {
        label_hash(
            header.source.0,
            header.destination.0,
            ports,
            header.protocol,
        )
    };
    let payload_length = header.total_length - ipv4::LEN as u16;
    let fragment = ipv6::Fragment {
        next_header: header.protocol,
        fragment: header.fragment,
        identification: header.identification,
    };
    let (payload_length, next_header, fragment) = if is_atomic {
        (payload_length, header.protocol, None)
    } else {
        (
            payload_length + ipv6::FRAGMENT_LEN as u16,
            ipv6::FRAGMENT,
            Some(fragment),
        )
    };
    Inlay {
        destination_mac: MacAddress(0),
        source_mac: MacAddress(0),
        header: ipv6::Header {
            first_word: ipv6::Header::first_word(header.tos, FlowLabel::new(hash, header.ttl)),
            payload_length,
            next_header,
            hop_limit: HOP_LIMIT,
            source,
            destination,
        },
        fragment,
        checksum: transport(header.protocol, header.fragment.offset(), delta),
    }
}

/// The IPv4 header of an inlaid packet. An atomic datagram's Identification is 0 (RFC 6864 section 4.1).
#[inline(always)]
#[must_use]
pub const fn ipv4_header(substrate: &Substrate) -> ipv4::Header {
    ipv4::Header {
        version_and_length: ipv4::PLAIN,
        tos: substrate.header.traffic_class(),
        total_length: substrate.payload_length + ipv4::LEN as u16,
        identification: substrate.identification,
        fragment: substrate.fragment,
        ttl: substrate.header.label().ttl(),
        protocol: substrate.protocol,
        checksum: 0,
        source: substrate.header.source.virtual_ip,
        destination: substrate.header.destination.virtual_ip,
    }
}

/// The checksum change of an inlaid packet on its way back to IPv4.
#[inline(always)]
#[must_use]
pub const fn restored_checksum(substrate: &Substrate) -> Transport {
    let header = &substrate.header;
    let delta = virtual_sum(header.source.virtual_ip, header.destination.virtual_ip)
        .minus(substrate_sum(&header.source, &header.destination));
    transport(substrate.protocol, substrate.fragment.offset(), delta)
}

/// The tenant's packet again, for the node of `destination_mac`.
#[inline(always)]
#[must_use]
pub const fn restore(substrate: &Substrate, destination_mac: MacAddress) -> Restore {
    Restore {
        destination_mac,
        header: ipv4_header(substrate),
        had_fragment: substrate.had_fragment,
        checksum: restored_checksum(substrate),
    }
}
