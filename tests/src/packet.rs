//! A tenant's packet, described once and written twice: as its node sees it, and as the substrate does.
//! Headers and checksums are etherparse's, so that nothing here shares code with what is tested.

use etherparse::{
    EtherType, Ethernet2Header, Icmpv4Header, Icmpv4Type, IpDscp, IpEcn, IpFragOffset, IpNumber,
    Ipv4Header, Ipv4Options, Ipv6FlowLabel, Ipv6FragmentHeader, Ipv6Header, TcpHeader, UdpHeader,
};
use inlay_core::{ids::VirtualIp, pipeline::translate::label_hash, wire::l4::Transport};

/// TCP's flags.
pub mod flags {
    /// Opens.
    pub const SYN: u8 = 2;
    /// Opens the other way.
    pub const SYN_ACK: u8 = 18;
    /// Goes on.
    pub const ACK: u8 = 16;
    /// Closes.
    pub const FIN_ACK: u8 = 17;
    /// Ends.
    pub const RST: u8 = 4;
    /// Nonsense.
    pub const SYN_FIN: u8 = 3;
}

/// Octets of an IPv4 address.
pub type Ip = [u8; 4];
/// Octets of an IPv6 address.
pub type Ipv6 = [u8; 16];
/// Octets of an Ethernet address.
pub type Mac = [u8; 6];

/// What follows the IPv4 header.
#[derive(Clone, Debug)]
pub enum Body {
    /// TCP.
    Tcp {
        /// Source and destination port.
        ports: (u16, u16),
        /// Flags.
        flags: u8,
        /// Data.
        payload: Vec<u8>,
    },
    /// UDP.
    Udp {
        /// Source and destination port.
        ports: (u16, u16),
        /// Whether it has a checksum.
        has_checksum: bool,
        /// Data.
        payload: Vec<u8>,
    },
    /// ICMP.
    Icmp {
        /// Type and code.
        kind: (u8, u8),
        /// The four octets after the checksum.
        word: [u8; 4],
        /// What follows.
        payload: Vec<u8>,
    },
    /// Anything.
    Other {
        /// The protocol's number.
        protocol: u8,
        /// All of it.
        payload: Vec<u8>,
    },
}

/// One fragment of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Where it starts.
    pub offset_bytes: usize,
    /// How long it is.
    pub len_bytes: usize,
    /// MF.
    pub more: bool,
}

/// A tenant's IPv4 packet.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Source.
    pub source: Ip,
    /// Destination.
    pub destination: Ip,
    /// TOS.
    pub tos: u8,
    /// Identification.
    pub identification: u16,
    /// DF.
    pub dont_fragment: bool,
    /// TTL.
    pub ttl: u8,
    /// Options, a multiple of four octets.
    pub options: Vec<u8>,
    /// What follows.
    pub body: Body,
    /// The part of it, where it is a fragment.
    pub part: Option<Part>,
}

/// What an inlaid packet is between.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// The sending host's /64.
    pub from: [u8; 8],
    /// The receiving host's /64.
    pub to: [u8; 8],
    /// The network.
    pub vni: u32,
    /// Destination and source Ethernet address.
    pub macs: (Mac, Mac),
}

/// The substrate address of `ip` in `vni` on the host of `prefix`.
#[must_use]
pub fn substrate_address(prefix: [u8; 8], vni: u32, ip: Ip) -> Ipv6 {
    let [_, a, b, c] = vni.to_be_bytes();
    let mut address = [0; 16];
    address[..8].copy_from_slice(&prefix);
    address[8..12].copy_from_slice(&[4, a, b, c]);
    address[12..].copy_from_slice(&ip);
    address
}

/// A frame around `packet`.
#[must_use]
pub fn ethernet((destination, source): (Mac, Mac), ether_type: u16, packet: &[u8]) -> Vec<u8> {
    let header = Ethernet2Header { source, destination, ether_type: EtherType(ether_type) };
    [&header.to_bytes()[..], packet].concat()
}

/// The type of IPv4.
pub const IPV4: u16 = 0x0800;
/// The type of IPv6.
pub const IPV6: u16 = 0x86dd;

impl Packet {
    /// A packet with ordinary header fields: atomic, TTL 64.
    #[must_use]
    pub fn new(source: Ip, destination: Ip, body: Body) -> Self {
        Self {
            source,
            destination,
            tos: 0,
            identification: 0,
            dont_fragment: true,
            ttl: 64,
            options: Vec::new(),
            body,
            part: None,
        }
    }

    /// With this TTL.
    #[must_use]
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// With this TOS.
    #[must_use]
    pub fn tos(mut self, tos: u8) -> Self {
        self.tos = tos;
        self
    }

    /// With this Identification.
    #[must_use]
    pub fn identification(mut self, identification: u16) -> Self {
        self.identification = identification;
        self
    }

    /// Without DF.
    #[must_use]
    pub fn may_fragment(mut self) -> Self {
        self.dont_fragment = false;
        self
    }

    /// With options.
    #[must_use]
    pub fn options(mut self, options: &[u8]) -> Self {
        self.options = options.to_vec();
        self
    }

    /// From another address.
    #[must_use]
    pub fn source(mut self, source: Ip) -> Self {
        self.source = source;
        self
    }

    /// To another address.
    #[must_use]
    pub fn destination(mut self, destination: Ip) -> Self {
        self.destination = destination;
        self
    }

    /// One fragment of it.
    #[must_use]
    pub fn part(mut self, offset_bytes: usize, len_bytes: usize, more: bool) -> Self {
        self.part = Some(Part { offset_bytes, len_bytes, more });
        self
    }

    /// The protocol's number.
    #[must_use]
    pub fn protocol(&self) -> u8 {
        match self.body {
            Body::Tcp { .. } => 6,
            Body::Udp { .. } => 17,
            Body::Icmp { .. } => 1,
            Body::Other { protocol, .. } => protocol,
        }
    }

    /// Bytes of the IPv4 packet.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        20 + self.options.len() + self.payload(None).len()
    }

    /// Header and data of the transport, of the whole datagram, under the pseudo header of IPv4 or IPv6.
    fn transport(&self, substrate: Option<(Ipv6, Ipv6)>) -> Vec<u8> {
        match &self.body {
            Body::Tcp { ports, flags, payload } => {
                let mut header = TcpHeader::new(ports.0, ports.1, 0x0102_0304, 64000);
                header.fin = flags & 1 != 0;
                header.syn = flags & 2 != 0;
                header.rst = flags & 4 != 0;
                header.ack = flags & 16 != 0;
                header.checksum = match substrate {
                    Some((source, destination)) => {
                        header.calc_checksum_ipv6_raw(source, destination, payload).unwrap()
                    }
                    None => {
                        header.calc_checksum_ipv4_raw(self.source, self.destination, payload).unwrap()
                    }
                };
                [&header.to_bytes()[..], payload].concat()
            }
            Body::Udp { ports, has_checksum, payload } => {
                let length = u16::try_from(8 + payload.len()).unwrap();
                let mut header =
                    UdpHeader { source_port: ports.0, destination_port: ports.1, length, checksum: 0 };
                if *has_checksum {
                    header.checksum = match substrate {
                        Some((source, destination)) => {
                            header.calc_checksum_ipv6_raw(source, destination, payload).unwrap()
                        }
                        None => header
                            .calc_checksum_ipv4_raw(self.source, self.destination, payload)
                            .unwrap(),
                    };
                }
                [&header.to_bytes()[..], payload].concat()
            }
            Body::Icmp { kind, word, payload } => {
                let kind = Icmpv4Type::Unknown { type_u8: kind.0, code_u8: kind.1, bytes5to8: *word };
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
        let label = if self.part.is_some() { 0 } else { self.label_hash() } << 8 | u32::from(self.ttl);
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
        let ports = Transport::read(&mut packet, 0, self.protocol()).unwrap_or_default().ports;
        let number = |ip| VirtualIp::from_octets(ip).0;
        label_hash(number(self.source), number(self.destination), ports, self.protocol()) & 0xfff
    }
}
