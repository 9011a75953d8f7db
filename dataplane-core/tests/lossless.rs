//! For any IPv4 packet that is carried: what is restored is what was inlaid, up to an atomic datagram's
//! Identification; and what is inlaid has the checksums that somebody else's arithmetic gives it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use etherparse::{IpNumber, Ipv6Header, TcpHeader, UdpHeader};
use inlay_core::{
    ids::{HostPrefix, MacAddress, Vni},
    linear::{self, Linear as _, Slice},
    packet::Packet,
    pipeline::{Frame, parse, translate},
    rewrite::Rewrite,
    substrate::{SubstrateAddress, Tag},
    wire::{ipv4, l4::Transport},
};
use proptest::{collection::vec, prelude::*};

const HEADROOM: usize = 256;
const MAC: MacAddress = MacAddress::from_octets([2, 0, 0, 0, 0, 1]);

/// A buffer with room before a frame.
fn buffer(frame: &[u8]) -> Vec<u8> {
    [&[0; HEADROOM], frame].concat()
}

fn apply(frame: &[u8], rewrite: &Rewrite) -> Vec<u8> {
    let mut buffer = buffer(frame);
    let end = buffer.len();
    let mut slice = Slice {
        buffer: &mut buffer,
        start: HEADROOM,
        end,
    };
    linear::apply(&mut slice, rewrite).unwrap();
    let (start, end) = (slice.start, slice.end);
    assert_eq!(slice.packet().len_bytes(), end - start);
    buffer[start..end].to_vec()
}

/// The hosts and the network of a packet.
#[derive(Clone, Copy, Debug)]
struct Between {
    from: u64,
    to: u64,
    vni: u32,
}

fn address(prefix: u64, vni: u32, virtual_ip: inlay_core::ids::VirtualIp) -> SubstrateAddress {
    let tag = Tag::ipv4(Vni::new(vni).unwrap());
    SubstrateAddress {
        prefix: HostPrefix(prefix),
        tag,
        virtual_ip,
    }
}

/// The frame on the substrate. `None` where the packet is not one that is carried.
fn inlaid(frame: &[u8], between: Between) -> Option<Vec<u8>> {
    let mut bytes = frame.to_vec();
    let described = Frame {
        interface_index: 1,
        len_bytes: u32::try_from(frame.len()).unwrap(),
    };
    let mut packet = Packet::new(&mut bytes);
    let header = parse::ipv4(&mut packet, &described).ok()?;
    let is_carried = !parse::has_options(&header)
        && !header.fragment.is_reserved()
        && header.is_checksum_right()
        && !parse::is_extension(header.protocol);
    let payload_length = header.total_length - 20;
    if !is_carried
        || parse::check_payload(header.fragment, header.protocol, payload_length).is_err()
    {
        return None;
    }
    let ports = match header.fragment.offset() {
        0 => Transport::read(&mut packet, parse::L4, header.protocol)?.ports,
        _ => 7,
    };
    let source = address(between.from, between.vni, header.source);
    let destination = address(between.to, between.vni, header.destination);
    let inlay = translate::inlay(&header, ports, source, destination);
    Some(apply(frame, &Rewrite::Inlay(inlay)))
}

fn restored(frame: &[u8]) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    let described = Frame {
        interface_index: 1,
        len_bytes: u32::try_from(frame.len()).unwrap(),
    };
    let mut packet = Packet::new(&mut bytes);
    let header = parse::ipv6(&mut packet, &described).unwrap();
    let substrate = parse::substrate(&mut packet, header).unwrap();
    parse::check_payload(
        substrate.fragment,
        substrate.protocol,
        substrate.payload_length,
    )
    .unwrap();
    apply(
        frame,
        &Rewrite::Restore(translate::restore(&substrate, MAC)),
    )
}

/// An IPv4 header of any fields but its options, and any payload.
fn any_packet() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        4 => Just(0x4000u16),
        2 => Just(0),
        1 => any::<u16>(),
        1 => Just(0x2000),
        1 => Just(0x6001),
    ];
    let protocol = prop_oneof![3 => Just(6u8), 3 => Just(17), 2 => Just(1), 2 => any::<u8>()];
    packet_of(fragment, protocol, 0)
}

/// A whole packet of `protocol` with at least so many bytes of payload.
fn whole(protocol: u8, payload_min: usize) -> impl Strategy<Value = Vec<u8>> {
    packet_of(Just(0x4000), Just(protocol), payload_min)
}

/// The checksum fields of TCP and UDP in a payload hold what is odd about checksums more often than by
/// chance.
fn payload(min: usize) -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![vec(any::<u8>(), min..64), vec(any::<u8>(), 1400..1460)];
    let field = prop_oneof![
        Just(None),
        Just(Some(0u16)),
        Just(Some(1)),
        Just(Some(0xfffe)),
        Just(Some(0xffff))
    ];
    (bytes, field).prop_map(|(mut bytes, field)| {
        if let Some(field) = field {
            for at in [6, 16] {
                if let Some(place) = bytes.get_mut(at..at + 2) {
                    place.copy_from_slice(&field.to_be_bytes());
                }
            }
        }
        bytes
    })
}

fn packet_of(
    fragment: impl Strategy<Value = u16>,
    protocol: impl Strategy<Value = u8>,
    payload_min: usize,
) -> impl Strategy<Value = Vec<u8>> {
    (
        any::<(u8, u16, u8, [u8; 4], [u8; 4])>(),
        fragment,
        protocol,
        payload(payload_min),
    )
        .prop_map(
            |((tos, identification, ttl, source, destination), fragment, protocol, payload)| {
                let total_length = u16::try_from(20 + payload.len()).unwrap();
                let mut packet = vec![0x45, tos];
                packet.extend(total_length.to_be_bytes());
                packet.extend(identification.to_be_bytes());
                packet.extend(fragment.to_be_bytes());
                packet.extend([ttl, protocol, 0, 0]);
                packet.extend(source);
                packet.extend(destination);
                let header = etherparse::Ipv4Header::from_slice(&packet).unwrap().0;
                let mut checksum = header.calc_header_checksum();
                if fragment & 0x8000 != 0 {
                    // etherparse does not keep the reserved flag.
                    checksum = !checksum;
                }
                packet[10..12].copy_from_slice(&checksum.to_be_bytes());
                packet.extend(payload);
                packet
            },
        )
}

fn between() -> impl Strategy<Value = Between> {
    // A prefix of zeros is no host's, and a sum of zero has two forms.
    (1u64.., 1u64.., 0..=Vni::MAX).prop_map(|(from, to, vni)| Between { from, to, vni })
}

fn with_ethernet(packet: &[u8]) -> Vec<u8> {
    [
        &MAC.octets()[..],
        &MacAddress::ROUTER.octets(),
        &[8, 0],
        packet,
    ]
    .concat()
}

fn is_atomic(packet: &[u8]) -> bool {
    u16::from_be_bytes([packet[6], packet[7]]) == 0x4000
}

/// The packet with Identification 0, where it is atomic.
fn canonical(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if is_atomic(&packet) {
        packet[4..6].fill(0);
        let checksum = etherparse::Ipv4Header::from_slice(&packet)
            .unwrap()
            .0
            .calc_header_checksum();
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    }
    packet
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_restored_is_what_was_inlaid(packet in any_packet(), between in between()) {
        let frame = with_ethernet(&packet);
        let Some(inlaid) = inlaid(&frame, between) else { return Ok(()) };
        prop_assert_eq!(restored(&inlaid)[14..].to_vec(), canonical(&packet));
    }

    #[test]
    fn padding_is_restored_too(packet in any_packet(), padding in vec(any::<u8>(), 1..30), between in between()) {
        let frame = [with_ethernet(&packet), padding.clone()].concat();
        let Some(inlaid) = inlaid(&frame, between) else { return Ok(()) };
        prop_assert_eq!(restored(&inlaid)[14..].to_vec(), [canonical(&packet), padding].concat());
    }

    #[test]
    fn an_inlaid_packet_grows_by_its_headers(packet in any_packet(), between in between()) {
        let frame = with_ethernet(&packet);
        let Some(inlaid) = inlaid(&frame, between) else { return Ok(()) };
        let growth = if is_atomic(&packet) { 20 } else { 28 };
        prop_assert_eq!(inlaid.len(), frame.len() + growth);
        let (header, _) = Ipv6Header::from_slice(&inlaid[14..]).unwrap();
        prop_assert_eq!(usize::from(header.payload_length), inlaid.len() - 14 - 40);
        prop_assert_eq!(header.hop_limit, 255);
        prop_assert_eq!(header.traffic_class, packet[1]);
        prop_assert_eq!(header.flow_label.value() & 0xff, u32::from(packet[8]));
        prop_assert_eq!(header.next_header == IpNumber(44), !is_atomic(&packet));
    }

    /// The packet's own checksum is etherparse's for IPv4; what it becomes must be etherparse's for IPv6.
    #[test]
    fn tcp_has_the_checksum_of_the_substrate(mut packet in whole(6, 20), between in between()) {
        packet[32] = 0x50;
        let header = TcpHeader::from_slice(&packet[20..]).unwrap().0;
        let (source, destination) = addresses(&packet);
        let payload = packet[40..].to_vec();
        let right = header.calc_checksum_ipv4_raw(source, destination, &payload).unwrap();
        packet[36..38].copy_from_slice(&right.to_be_bytes());
        let inlaid = inlaid(&with_ethernet(&canonical(&packet)), between).unwrap();
        let ipv6 = Ipv6Header::from_slice(&inlaid[14..]).unwrap().0;
        let header = TcpHeader::from_slice(&inlaid[54..]).unwrap().0;
        let expected = header.calc_checksum_ipv6_raw(ipv6.source, ipv6.destination, &payload).unwrap();
        prop_assert_eq!(header.checksum, expected);
    }

    #[test]
    fn udp_has_the_checksum_of_the_substrate(mut packet in whole(17, 8), between in between()) {
        let length = u16::try_from(packet.len() - 20).unwrap();
        packet[24..26].copy_from_slice(&length.to_be_bytes());
        let header = UdpHeader::from_slice(&packet[20..]).unwrap().0;
        let (source, destination) = addresses(&packet);
        let payload = packet[28..].to_vec();
        let right = header.calc_checksum_ipv4_raw(source, destination, &payload).unwrap();
        packet[26..28].copy_from_slice(&right.to_be_bytes());
        let inlaid = inlaid(&with_ethernet(&canonical(&packet)), between).unwrap();
        let ipv6 = Ipv6Header::from_slice(&inlaid[14..]).unwrap().0;
        let header = UdpHeader::from_slice(&inlaid[54..]).unwrap().0;
        let expected = header.calc_checksum_ipv6_raw(ipv6.source, ipv6.destination, &payload).unwrap();
        prop_assert_eq!(header.checksum, expected);
    }

    /// A wrong checksum is wrong at the far end, and so is found there.
    #[test]
    fn a_wrong_checksum_stays_as_wrong(packet in whole(6, 20), between in between(), error: u16) {
        let packet = canonical(&packet);
        let mut wrong = packet.clone();
        let field = u16::from_be_bytes([wrong[36], wrong[37]]) ^ error;
        wrong[36..38].copy_from_slice(&field.to_be_bytes());
        let carry = |packet: &[u8]| restored(&inlaid(&with_ethernet(packet), between).unwrap())[14..].to_vec();
        prop_assert_eq!(carry(&wrong), wrong);
        prop_assert_eq!(carry(&packet), packet);
    }

    #[test]
    fn a_header_reads_as_it_was_written(packet in any_packet()) {
        let mut bytes = packet.clone();
        let header = ipv4::Header::of(&Packet::new(&mut bytes).window::<{ ipv4::LEN }>(0).unwrap());
        prop_assume!(!header.fragment.is_reserved());
        let mut written = vec![0; ipv4::LEN];
        header.write(&mut Packet::new(&mut written).window::<{ ipv4::LEN }>(0).unwrap());
        prop_assert_eq!(written, packet[..20].to_vec());
    }
}

fn addresses(packet: &[u8]) -> ([u8; 4], [u8; 4]) {
    (
        packet[12..16].try_into().unwrap(),
        packet[16..20].try_into().unwrap(),
    )
}
