//! What nodes send each other, and where it is seen.

use inlay_core::tables::Direction;

use crate::{
    dataplane::Frame,
    nodes::{Host, Node, ROUTER_MAC, UPLINK_INTERFACE, gateway},
    packet::{Body, IPV4, IPV6, Ip, Packet, Path, ethernet},
    world::UPLINK_MAC,
};

impl Node {
    /// A TCP segment with 10 octets.
    #[must_use]
    pub fn tcp(&self, to: &Node, ports: (u16, u16), flags: u8) -> Packet {
        let payload = b"0123456789".to_vec();
        Packet::new(
            self.ip,
            to.ip,
            Body::Tcp {
                ports,
                flags,
                payload,
            },
        )
    }

    /// A UDP datagram with 11 octets.
    #[must_use]
    pub fn udp(&self, to: &Node, ports: (u16, u16)) -> Packet {
        self.udp_of(to, ports, 11)
    }

    /// A UDP datagram with so many octets.
    #[must_use]
    pub fn udp_of(&self, to: &Node, ports: (u16, u16), len_bytes: usize) -> Packet {
        let payload = (0..len_bytes)
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect();
        Packet::new(
            self.ip,
            to.ip,
            Body::Udp {
                ports,
                has_checksum: true,
                payload,
            },
        )
    }

    /// An ICMP message with 8 octets.
    #[must_use]
    pub fn icmp(&self, to: Ip, kind: (u8, u8), word: [u8; 4]) -> Packet {
        Packet::new(
            self.ip,
            to,
            Body::Icmp {
                kind,
                word,
                payload: b"pingping".to_vec(),
            },
        )
    }

    /// An echo request.
    #[must_use]
    pub fn ping(&self, to: Ip, identifier: u16) -> Packet {
        let [high, low] = identifier.to_be_bytes();
        self.icmp(to, (8, 0), [high, low, 0, 1])
    }

    /// An echo reply.
    #[must_use]
    pub fn pong(&self, to: Ip, identifier: u16) -> Packet {
        let [high, low] = identifier.to_be_bytes();
        self.icmp(to, (0, 0), [high, low, 0, 1])
    }

    /// A packet as it comes out of the node.
    #[must_use]
    pub fn sends(&self, packet: &Packet) -> Frame {
        self.sends_bytes(IPV4, &packet.ipv4())
    }

    /// Any bytes as they come out of the node.
    #[must_use]
    pub fn sends_bytes(&self, ether_type: u16, bytes: &[u8]) -> Frame {
        Frame {
            interface: self.port.unwrap().interface,
            direction: Direction::Outbound,
            bytes: ethernet((ROUTER_MAC, self.mac), ether_type, bytes),
        }
    }

    /// A packet as the node gets it.
    #[must_use]
    pub fn gets(&self, packet: &Packet) -> Vec<u8> {
        ethernet((self.mac, ROUTER_MAC), IPV4, &packet.ipv4())
    }

    /// A packet as it leaves host 1 for `host`.
    #[must_use]
    pub fn inlaid(&self, packet: &Packet, host: Host) -> Vec<u8> {
        let path = self.path_to(host);
        ethernet(path.macs, IPV6, &packet.ipv6(&path))
    }

    /// The way from host 1 to `host` in the node's network.
    #[must_use]
    pub fn path_to(&self, host: Host) -> Path {
        Path {
            from: Host::One.prefix(),
            to: host.prefix(),
            vni: self.vni,
            macs: (host.mac(), UPLINK_MAC),
        }
    }

    /// The way from `host` to host 1 in the node's network.
    #[must_use]
    pub fn path_from(&self, host: Host) -> Path {
        Path {
            from: host.prefix(),
            to: Host::One.prefix(),
            vni: self.vni,
            macs: (UPLINK_MAC, host.mac()),
        }
    }

    /// A packet of the node, on another host, as it arrives at host 1.
    #[must_use]
    pub fn arrives(&self, packet: &Packet) -> Frame {
        self.arrives_from(packet, self.host)
    }

    /// As `arrives`, from whichever host.
    #[must_use]
    pub fn arrives_from(&self, packet: &Packet, host: Host) -> Frame {
        let path = self.path_from(host);
        uplink(ethernet(path.macs, IPV6, &packet.ipv6(&path)))
    }
}

/// The virtual router's ICMP error to a node, quoting these bytes.
#[must_use]
pub fn router_error(node: &Node, kind: (u8, u8), word: [u8; 4], quoted: &[u8]) -> Packet {
    let body = Body::Icmp {
        kind,
        word,
        payload: quoted.to_vec(),
    };
    Packet::new(gateway(node), node.ip, body).tos(0xc0)
}

/// Header and eight octets of a packet: what an ICMP error quotes.
#[must_use]
pub fn quote(packet: &Packet) -> Vec<u8> {
    let mut bytes = packet.ipv4();
    bytes.truncate(20 + packet.options.len() + 8);
    bytes
}

/// A frame at the uplink.
#[must_use]
pub fn uplink(bytes: Vec<u8>) -> Frame {
    Frame {
        interface: UPLINK_INTERFACE,
        direction: Direction::Inbound,
        bytes,
    }
}
