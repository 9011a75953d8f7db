//! Packets that are made, and those that come of them, taken apart by somebody else's code.

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use inlay_core::{
    ids::MacAddress,
    substrate::Kind,
    tables::PortRecord,
    wire::l4::{ICMP, TCP, UDP},
};
use serde::Serialize;

use super::{Protocol, Question};

const TTL: u8 = 64;
const WINDOW: u16 = 64_240;

pub(super) const fn protocol_number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => TCP,
        Protocol::Udp => UDP,
        Protocol::Icmp => ICMP,
    }
}

/// A packet as the node behind `port` would send it through its virtual router.
pub(super) fn make(port: &PortRecord, question: &Question, source_port: u16) -> Bytes {
    const PAYLOAD: &[u8] = b"inlay explain";
    let builder = PacketBuilder::ethernet2(port.mac.octets(), MacAddress::ROUTER.octets()).ipv4(
        port.virtual_ip.octets(),
        question.to.octets(),
        TTL,
    );
    let mut packet = Vec::new();
    let to = question.destination_port;
    // Writing to a vector does not fail, and what is left of a packet is dropped as truncated.
    let _ = match question.protocol {
        Protocol::Tcp => builder
            .tcp(source_port, to, 0, WINDOW)
            .syn()
            .write(&mut packet, &[]),
        Protocol::Udp => builder.udp(source_port, to).write(&mut packet, PAYLOAD),
        Protocol::Icmp => builder
            .icmpv4_echo_request(source_port, 1)
            .write(&mut packet, PAYLOAD),
    };
    packet.into()
}

/// A packet, taken apart.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct PacketView {
    /// Bytes of the frame.
    pub len_bytes: usize,
    /// Source Ethernet address.
    pub source_mac: String,
    /// Destination Ethernet address.
    pub destination_mac: String,
    /// Source address: a substrate address on the substrate.
    pub source: String,
    /// Destination address.
    pub destination: String,
    /// What an inlaid source stands for, like `10.0.1.10 of network 100 at 2001:db8:0:1::/64`.
    pub virtual_source: Option<String>,
    /// What an inlaid destination stands for.
    pub virtual_destination: Option<String>,
    /// TTL or hop limit.
    pub ttl: Option<u8>,
    /// Protocol, ports and flags.
    pub transport: String,
    /// The frame.
    pub hex: String,
}

impl PacketView {
    pub(super) fn of(frame: &[u8]) -> Self {
        use std::fmt::Write as _;
        let mac = |at: usize| {
            let octets = frame
                .get(at..at + 6)
                .and_then(|octets| octets.try_into().ok());
            octets
                .map(|octets| MacAddress::from_octets(octets).to_string())
                .unwrap_or_default()
        };
        let hex = frame.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let (destination_mac, source_mac) = (mac(0), mac(6));
        let mut view = Self {
            len_bytes: frame.len(),
            source_mac,
            destination_mac,
            hex,
            ..Self::default()
        };
        if let Ok(packet) = SlicedPacket::from_ethernet(frame) {
            view.fill(&packet);
        }
        view
    }

    fn fill(&mut self, packet: &SlicedPacket<'_>) {
        match &packet.net {
            Some(NetSlice::Ipv4(ipv4)) => {
                let header = ipv4.header();
                self.source = Ipv4Addr::from(header.source()).to_string();
                self.destination = Ipv4Addr::from(header.destination()).to_string();
                self.ttl = Some(header.ttl());
                self.transport = format!("protocol {}", header.protocol().0);
            }
            Some(NetSlice::Ipv6(ipv6)) => {
                let header = ipv6.header();
                self.source = Ipv6Addr::from(header.source()).to_string();
                self.destination = Ipv6Addr::from(header.destination()).to_string();
                self.virtual_source = inlaid(header.source());
                self.virtual_destination = inlaid(header.destination());
                self.ttl = Some(header.hop_limit());
                self.transport = match header.next_header().0 {
                    // ICMP stays ICMP inside IPv6: nobody but the far end reads it.
                    ICMP => "icmp".to_owned(),
                    other => format!("protocol {other}"),
                };
            }
            _ => {}
        }
        match &packet.transport {
            Some(TransportSlice::Tcp(tcp)) => {
                self.transport = format!("tcp {} to {}", tcp.source_port(), tcp.destination_port());
            }
            Some(TransportSlice::Udp(udp)) => {
                self.transport = format!("udp {} to {}", udp.source_port(), udp.destination_port());
            }
            Some(TransportSlice::Icmpv4(icmp)) => {
                self.transport = format!("icmp type {} code {}", icmp.type_u8(), icmp.code_u8());
            }
            _ => {}
        }
    }
}

/// What a substrate address of inlaid IPv4 stands for.
fn inlaid(address: [u8; 16]) -> Option<String> {
    let (prefix, rest) = address.split_at(8);
    let &[kind, a, b, c, ref virtual_ip @ ..] = rest else {
        return None;
    };
    if kind != Kind::Ipv4 as u8 {
        return None;
    }
    let mut host = [0; 16];
    host[..8].copy_from_slice(prefix);
    let vni = u32::from_be_bytes([0, a, b, c]);
    let virtual_ip: [u8; 4] = virtual_ip.try_into().ok()?;
    let (virtual_ip, host) = (Ipv4Addr::from(virtual_ip), Ipv6Addr::from(host));
    Some(format!("{virtual_ip} of network {vni} at {host}/64"))
}

#[cfg(test)]
mod tests {
    use inlay_core::ids::VirtualIp;

    use super::*;

    fn view(protocol: Protocol) -> PacketView {
        let port = PortRecord {
            mac: MacAddress::from_octets([2, 0, 0, 0, 0, 1]),
            virtual_ip: VirtualIp::from_octets([10, 0, 1, 10]),
            ..PortRecord::default()
        };
        let to = Ipv4Addr::new(10, 0, 1, 11);
        let question = Question {
            port: 0,
            to,
            protocol,
            source_port: None,
            destination_port: 22,
        };
        PacketView::of(&make(&port, &question, 50_000))
    }

    #[test]
    fn made_packets_are_what_a_node_sends() {
        let tcp = view(Protocol::Tcp);
        assert_eq!(tcp.source_mac, "02:00:00:00:00:01");
        assert_eq!(tcp.destination_mac, MacAddress::ROUTER.to_string());
        assert_eq!(
            (tcp.source.as_str(), tcp.destination.as_str()),
            ("10.0.1.10", "10.0.1.11")
        );
        assert_eq!(tcp.transport, "tcp 50000 to 22");
        assert_eq!(view(Protocol::Udp).transport, "udp 50000 to 22");
        assert_eq!(view(Protocol::Icmp).transport, "icmp type 8 code 0");
    }

    #[test]
    fn a_substrate_address_is_taken_apart() {
        let address: Ipv6Addr = "2001:db8:0:2:400:64:a00:10b".parse().unwrap();
        let text = inlaid(address.octets());
        assert_eq!(
            text.as_deref(),
            Some("10.0.1.11 of network 100 at 2001:db8:0:2::/64")
        );
        let agent: Ipv6Addr = "2001:db8:0:2::1".parse().unwrap();
        assert_eq!(inlaid(agent.octets()), None);
    }

    #[test]
    fn what_is_no_packet_is_shown_as_far_as_it_goes() {
        assert_eq!(PacketView::of(&[]).len_bytes, 0);
        assert_eq!(PacketView::of(&[0xff; 20]).source, "");
    }
}
