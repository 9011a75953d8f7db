//! The nodes and hosts of the rows' world, and the packets that they send each other.

use inlay_core::tables::{Direction, records::PortRecord};

use crate::{
    dataplane::Frame,
    packet::{Body, IPV4, IPV6, Ip, Mac, Packet, Path, ethernet},
    world::UPLINK_MAC,
};

/// The virtual router's Ethernet address.
pub const ROUTER_MAC: Mac = [0x02, 0x69, 0x6e, 0x6c, 0x61, 0x79];
/// Number of the uplink's interface.
pub const UPLINK_INTERFACE: u32 = 100;
/// Number of an interface that is no port and no uplink.
pub const STRANGER_INTERFACE: u32 = 199;

/// A host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Host {
    /// The one whose dataplane it is.
    One = 1,
    /// A neighbour.
    Two,
    /// A neighbour.
    Three,
    /// One whose Ethernet address nobody has asked for.
    Four,
    /// One to which there is no route.
    Five,
}

impl Host {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::One, Self::Two, Self::Three, Self::Four, Self::Five];

    /// Its slot.
    #[must_use]
    pub fn slot(self) -> u32 {
        self as u32
    }

    /// Its /64.
    #[must_use]
    pub fn prefix(self) -> [u8; 8] {
        [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, self as u8]
    }

    /// Its Ethernet address on the substrate.
    #[must_use]
    pub fn mac(self) -> Mac {
        [2, 0, 0, 0, 1, self as u8]
    }
}

/// A port of host 1.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    /// Its slot.
    pub slot: u32,
    /// Its interface's number.
    pub interface: u32,
    /// Flags of its record.
    pub flags: u32,
}

/// A node.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Its network.
    pub vni: u32,
    /// Its first address.
    pub ip: Ip,
    /// Its other addresses.
    pub more: &'static [Ip],
    /// Its Ethernet address.
    pub mac: Mac,
    /// Its host.
    pub host: Host,
    /// Its port, on host 1.
    pub port: Option<Port>,
    /// Number of its set of groups.
    pub groups: u32,
}

const fn local(vni: u32, ip: Ip, slot: u32, flags: u32) -> Node {
    #[expect(clippy::cast_possible_truncation, reason = "slots are small")]
    let mac = [2, 0, 0, 0, 0, slot as u8 + 10];
    let port = Some(Port { slot, interface: 101 + slot, flags });
    Node { vni, ip, more: &[], mac, host: Host::One, port, groups: 1 }
}

const fn remote(vni: u32, ip: Ip, host: Host) -> Node {
    Node { vni, ip, more: &[], mac: [2, 0, 0, 0, 2, 0], host, port: None, groups: 2 }
}

/// In red's first subnet.
pub const RED_A: Node = local(100, [10, 0, 1, 10], 0, 0);
/// In red's first subnet.
pub const RED_D: Node = local(100, [10, 0, 1, 12], 1, 0);
/// In blue, with the address of red-a.
pub const BLUE_A: Node = local(200, [10, 0, 1, 10], 2, 0);
/// Forwards 10.8.0.0/16.
pub const RED_F: Node = local(100, [10, 0, 1, 20], 3, PortRecord::FORWARDING);
/// Has a second address.
pub const RED_M: Node = Node {
    more: &[[10, 0, 1, 31]],
    ..local(100, [10, 0, 1, 30], 4, PortRecord::MORE_ADDRESSES)
};
/// In red's second subnet.
pub const RED_E: Node = local(100, [10, 0, 2, 12], 5, 0);
/// On host 2.
pub const RED_B: Node = remote(100, [10, 0, 1, 11], Host::Two);
/// On host 2, in the second subnet.
pub const RED_C: Node = remote(100, [10, 0, 2, 10], Host::Two);
/// On host 2, with the address of red-b.
pub const BLUE_B: Node = remote(200, [10, 0, 1, 11], Host::Two);
/// On host 3.
pub const RED_H: Node = remote(100, [10, 0, 1, 13], Host::Three);
/// On host 3; forwards 10.7.0.0/16.
pub const RED_R: Node = remote(100, [10, 0, 1, 40], Host::Three);
/// On host 4.
pub const RED_U: Node = remote(100, [10, 0, 1, 14], Host::Four);
/// On host 5.
pub const RED_V: Node = remote(100, [10, 0, 1, 15], Host::Five);

/// All of them.
pub const ALL: &[Node] = &[
    RED_A, RED_D, BLUE_A, RED_F, RED_M, RED_E, RED_B, RED_C, BLUE_B, RED_H, RED_R, RED_U, RED_V,
];

/// The virtual router of a subnet.
#[must_use]
pub const fn gateway(node: &Node) -> Ip {
    [10, 0, node.ip[2], 1]
}

impl Node {
    /// The slot of its port.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.port.unwrap().slot
    }

    /// A TCP segment with 10 octets.
    #[must_use]
    pub fn tcp(&self, to: &Node, ports: (u16, u16), flags: u8) -> Packet {
        let payload = b"0123456789".to_vec();
        Packet::new(self.ip, to.ip, Body::Tcp { ports, flags, payload })
    }

    /// A UDP datagram with 11 octets.
    #[must_use]
    pub fn udp(&self, to: &Node, ports: (u16, u16)) -> Packet {
        self.udp_of(to, ports, 11)
    }

    /// A UDP datagram with so many octets.
    #[must_use]
    pub fn udp_of(&self, to: &Node, ports: (u16, u16), len_bytes: usize) -> Packet {
        let payload = (0..len_bytes).map(|at| u8::try_from(at % 251).unwrap()).collect();
        Packet::new(self.ip, to.ip, Body::Udp { ports, has_checksum: true, payload })
    }

    /// An ICMP message with 8 octets.
    #[must_use]
    pub fn icmp(&self, to: Ip, kind: (u8, u8), word: [u8; 4]) -> Packet {
        Packet::new(self.ip, to, Body::Icmp { kind, word, payload: b"pingping".to_vec() })
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
    let body = Body::Icmp { kind, word, payload: quoted.to_vec() };
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
    Frame { interface: UPLINK_INTERFACE, direction: Direction::Inbound, bytes }
}
