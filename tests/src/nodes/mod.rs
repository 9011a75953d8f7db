//! The nodes and hosts of the rows' world, and the packets that they send each other.

mod packets;

use inlay_core::tables::records::PortRecord;

pub use packets::{quote, router_error, uplink};

use crate::packet::{Ip, Mac};

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
    let port = Some(Port {
        slot,
        interface: 101 + slot,
        flags,
    });
    Node {
        vni,
        ip,
        more: &[],
        mac,
        host: Host::One,
        port,
        groups: 1,
    }
}

const fn remote(vni: u32, ip: Ip, host: Host) -> Node {
    Node {
        vni,
        ip,
        more: &[],
        mac: [2, 0, 0, 0, 2, 0],
        host,
        port: None,
        groups: 2,
    }
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
}
