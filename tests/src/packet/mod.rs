//! A tenant's packet, described once and written twice: as its node sees it, and as the substrate does.
//! Headers and checksums are etherparse's, so that nothing here shares code with what is tested.

mod write;

use etherparse::{EtherType, Ethernet2Header};

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
    let header = Ethernet2Header {
        source,
        destination,
        ether_type: EtherType(ether_type),
    };
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

    /// Without a UDP checksum.
    #[must_use]
    pub fn no_checksum(mut self) -> Self {
        if let Body::Udp { has_checksum, .. } = &mut self.body {
            *has_checksum = false;
        }
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
        self.part = Some(Part {
            offset_bytes,
            len_bytes,
            more,
        });
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
}
