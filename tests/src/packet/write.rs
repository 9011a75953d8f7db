//! A packet's bytes, as its node sees it and as the substrate does.

use etherparse::{
    Icmpv4Header, Icmpv4Type, IpDscp, IpEcn, IpFragOffset, IpNumber, Ipv4Header, Ipv4Options,
    Ipv6FlowLabel, Ipv6FragmentHeader, Ipv6Header, TcpHeader, UdpHeader,
};
use inlay_core::{ids::VirtualIp, pipeline::translate::label_hash, wire::l4::Transport};

use crate::packet::{Body, Ipv6, Packet, Part, Path, substrate_address};

impl Packet {
    /// Bytes of the IPv4 packet.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        20 + self.options.len() + self.payload(None).len()
    }

    /// Header and data of the transport, of the whole datagram, under the pseudo header of IPv4 or IPv6.
    fn transport(&self, substrate: Option<(Ipv6, Ipv6)>) -> Vec<u8> {
        match &self.body {
            Body::Tcp {
                ports,
                flags,
                payload,
            } => {
                let mut header = TcpHeader::new(ports.0, ports.1, 0x0102_0304, 64000);
                header.fin = flags & 1 != 0;
                header.syn = flags & 2 != 0;
                header.rst = flags & 4 != 0;
                header.ack = flags & 16 != 0;
                header.checksum = match substrate {
                    Some((source, destination)) => header
                        .calc_checksum_ipv6_raw(source, destination, payload)
                        .unwrap(),
                    None => header
                        .calc_checksum_ipv4_raw(self.source, self.destination, payload)
                        .unwrap(),
                };
                [&header.to_bytes()[..], payload].concat()
            }
            Body::Udp {
                ports,
                has_checksum,
                payload,
            } => {
                let length = u16::try_from(8 + payload.len()).unwrap();
                let mut header = UdpHeader {
                    source_port: ports.0,
                    destination_port: ports.1,
                    length,
                    checksum: 0,
                };
                if *has_checksum {
                    header.checksum = match substrate {
                        Some((source, destination)) => header
                            .calc_checksum_ipv6_raw(source, destination, payload)
                            .unwrap(),
                        None => header
                            .calc_checksum_ipv4_raw(self.source, self.destination, payload)
                            .unwrap(),
                    };
                }
                [&header.to_bytes()[..], payload].concat()
            }
            Body::Icmp {
                kind,
                word,
                payload,
            } => {
                let kind = Icmpv4Type::Unknown {
                    type_u8: kind.0,
                    code_u8: kind.1,
                    bytes5to8: *word,
                };
                let header = Icmpv4Header::with_checksum(kind, payload);
                [&header.to_bytes()[..], payload].concat()
            }
            Body::Other { payload, .. } => payload.clone(),
        }
    }

    fn payload(&self, substrate: Option<(Ipv6, Ipv6)>) -> Vec<u8> {
        let whole = self.transport(substrate);
        match self.part {
            None => whole,
            Some(part) => whole[part.offset_bytes..part.offset_bytes + part.len_bytes].to_vec(),
        }
    }

    /// The IPv4 packet.
    #[must_use]
    pub fn ipv4(&self) -> Vec<u8> {
        let payload = self.payload(None);
        let offset = self.part.map_or(0, |part| part.offset_bytes / 8);
        let mut header = Ipv4Header {
            dscp: IpDscp::try_new(self.tos >> 2).unwrap(),
            ecn: IpEcn::try_new(self.tos & 3).unwrap(),
            total_len: 0,
            identification: self.identification,
            dont_fragment: self.dont_fragment,
            more_fragments: self.part.is_some_and(|part| part.more),
            fragment_offset: IpFragOffset::try_new(u16::try_from(offset).unwrap()).unwrap(),
            time_to_live: self.ttl,
            protocol: IpNumber(self.protocol()),
            header_checksum: 0,
            source: self.source,
            destination: self.destination,
            options: Ipv4Options::try_from(&self.options[..]).unwrap(),
        };
        header.set_payload_len(payload.len()).unwrap();
        header.header_checksum = header.calc_header_checksum();
        [&header.to_bytes()[..], &payload].concat()
    }

    /// The IPv6 packet that it is on the substrate.
    #[must_use]
    pub fn ipv6(&self, path: &Path) -> Vec<u8> {
        let source = substrate_address(path.from, path.vni, self.source);
        let destination = substrate_address(path.to, path.vni, self.destination);
        let payload = self.payload(Some((source, destination)));
        let (next_header, fragment) = match (self.part, self.dont_fragment) {
            (None, true) => (self.protocol(), Vec::new()),
            (part, _) => (44, self.fragment_header(part)),
        };
        let label = if self.part.is_some() {
            0
        } else {
            self.label_hash()
        } << 8
            | u32::from(self.ttl);
        let header = Ipv6Header {
            traffic_class: self.tos,
            flow_label: Ipv6FlowLabel::try_new(label).unwrap(),
            payload_length: u16::try_from(fragment.len() + payload.len()).unwrap(),
            next_header: IpNumber(next_header),
            hop_limit: 255,
            source,
            destination,
        };
        [&header.to_bytes()[..], &fragment, &payload].concat()
    }

    fn fragment_header(&self, part: Option<Part>) -> Vec<u8> {
        let offset = u16::try_from(part.map_or(0, |part| part.offset_bytes / 8)).unwrap();
        let header = Ipv6FragmentHeader::new(
            IpNumber(self.protocol()),
            IpFragOffset::try_new(offset).unwrap(),
            part.is_some_and(|part| part.more),
            u32::from(self.dont_fragment) << 16 | u32::from(self.identification),
        );
        header.to_bytes().to_vec()
    }

    /// The hash is whatever the sender takes: its quality is tested elsewhere.
    fn label_hash(&self) -> u32 {
        let mut first = self.transport(None);
        let mut packet = inlay_core::packet::Packet::new(&mut first);
        let ports = Transport::read(&mut packet, 0, self.protocol())
            .unwrap_or_default()
            .ports;
        let number = |ip| VirtualIp::from_octets(ip).0;
        label_hash(
            number(self.source),
            number(self.destination),
            ports,
            self.protocol(),
        ) & 0xfff
    }
}
