//! The small world that the rows are about: host 1, and what it knows of its networks.
//!
//! ```text
//!   host 1 (slot 1)                        host 2        host 3          host 4       host 5
//!   red-a 10.0.1.10  red-d 10.0.1.12       red-b .1.11   red-h .1.13     red-u .1.14  red-v .1.15
//!   red-f 10.0.1.20 (forwards 10.8/16)     red-c .2.10   red-r .1.40     (neighbour   (no route)
//!   red-m 10.0.1.30 and .31                              (forwards       unresolved)
//!   red-e 10.0.2.12                                       10.7/16)
//!   blue-a 10.0.1.10                       blue-b .1.11
//!
//!   red is VNI 100, blue VNI 200. Routes of red: 10.0.0.0/16 local, 10.7.0.0/16 via red-r,
//!   10.8.0.0/16 via red-f, 10.9.0.0/16 black hole, 10.6.0.0/16 via 10.0.1.99, whom nobody knows.
//! ```

mod changes;

use inlay_core::{
    ids::{HostPrefix, MacAddress, VirtualIp, Vni},
    substrate::Tag,
    tables::{
        Direction, Resolved,
        limits::FLOWS_MAX,
        records::{
            Config, ForwarderKey, Interval, MappingKey, MappingRecord, NONE, NetworkRecord,
            PortRecord, RouteKind, RouteTarget, SubnetRecord,
        },
    },
};
use inlay_dataplane::image::Image;

use crate::{
    dataplane::UPLINK,
    memory::{Neighbours, neighbour},
    nodes::{ALL, Host, Node, RED_F, RED_R, UPLINK_INTERFACE},
    policy::{self, Peer, Rule, allow, write_intervals},
};

/// Ethernet address of the uplink.
pub const UPLINK_MAC: [u8; 6] = [2, 0, 0, 0, 1, 0];
/// Ethernet address of the ports' own interfaces.
pub const DEVICE_MAC: [u8; 6] = MacAddress::ROUTER.octets();
/// Largest IPv4 packet.
pub const VIRTUAL_MTU: u32 = 1500;
/// Least hop limit.
pub const HOP_LIMIT_MIN: u8 = 250;
/// Places of a port's ring, less one.
pub const RING_MASK: u32 = 15;

/// Slots of the networks.
pub const RED: u32 = 1;
/// Slots of the networks.
pub const BLUE: u32 = 2;
/// Slots of the subnets.
pub const RED_1: u32 = 1;
/// Slots of the subnets.
pub const RED_2: u32 = 2;
/// Slots of the subnets.
pub const BLUE_1: u32 = 3;
/// Slot of the ports' policy.
pub const POLICY: u32 = 1;
/// Slot of an access list's policy, empty in the standard world.
pub const ACL: u32 = 2;

/// What host 1 knows.
#[derive(Clone, Debug)]
pub struct World {
    /// What the agent wrote.
    pub image: Image,
    /// What the substrate's routing says.
    pub neighbours: Neighbours,
    /// Flows that fit into the table.
    pub flows_max: usize,
}

fn ip(octets: [u8; 4]) -> VirtualIp {
    VirtualIp::from_octets(octets)
}

fn tag(vni: u32) -> Tag {
    Tag::ipv4(Vni::new(vni).unwrap())
}

/// The key of an address.
#[must_use]
pub fn mapping_key(vni: u32, address: [u8; 4]) -> MappingKey {
    MappingKey {
        tag: tag(vni),
        virtual_ip: ip(address),
    }
}

/// What is open among the nodes of a network: ICMP, TCP 5201 and 8080, UDP 5201 and 9000 to 9999; and
/// everything outbound.
#[must_use]
pub fn standard_rules() -> Vec<Rule> {
    let inbound = || allow(Direction::Inbound).peer(Peer::Cidr([10, 0, 0, 0], 8));
    vec![
        allow(Direction::Outbound),
        inbound().protocol(1),
        inbound().protocol(6).services(5201, 5201),
        inbound().protocol(6).services(8080, 8080),
        inbound().protocol(17).services(5201, 5201),
        inbound().protocol(17).services(9000, 9999),
    ]
}

impl World {
    /// The one that is drawn above.
    #[must_use]
    pub fn standard() -> Self {
        let mut world = Self {
            image: Image::default(),
            neighbours: Neighbours::new(),
            flows_max: FLOWS_MAX as usize,
        };
        let prefix = HostPrefix::from_octets(Host::One.prefix());
        let hop_limit_min = u32::from(HOP_LIMIT_MIN);
        world.image.config = Config {
            prefix,
            virtual_mtu: VIRTUAL_MTU,
            hop_limit_min,
        };
        world.image.devices.insert(UPLINK_INTERFACE, UPLINK);
        policy::write(&mut world.image, POLICY, &standard_rules());
        world.add_hosts();
        world.add_networks();
        for node in ALL {
            world.add_node(node);
        }
        world.image.forwarders.insert(forwarder(Host::One), RED);
        world.image.forwarders.insert(forwarder(Host::Three), RED);
        world
    }

    fn add_hosts(&mut self) {
        for host in Host::ALL {
            let prefix = HostPrefix::from_octets(host.prefix());
            self.image.hosts.insert(host.slot(), prefix);
            let resolved = match host {
                Host::One | Host::Five => continue,
                Host::Two | Host::Three => neighbour(host.mac(), UPLINK_MAC, UPLINK),
                Host::Four => Resolved::Unresolved,
            };
            self.neighbours.insert(prefix, resolved);
        }
    }

    fn add_networks(&mut self) {
        let red = self.subnets(&[([10, 0, 1, 0], RED_1), ([10, 0, 2, 0], RED_2)]);
        let blue = self.subnets(&[([10, 0, 1, 0], BLUE_1)]);
        self.image.networks.insert(
            RED,
            NetworkRecord {
                tag: tag(100),
                epoch: 7,
                subnets: red,
            },
        );
        self.image.networks.insert(
            BLUE,
            NetworkRecord {
                tag: tag(200),
                epoch: 3,
                subnets: blue,
            },
        );
        for (slot, network, vni, first) in [
            (RED_1, RED, 100, [10, 0, 1, 0]),
            (RED_2, RED, 100, [10, 0, 2, 0]),
            (BLUE_1, BLUE, 200, [10, 0, 1, 0]),
        ] {
            let routes = write_intervals(&mut self.image, &routes());
            self.image.subnets.insert(
                slot,
                SubnetRecord {
                    tag: tag(vni),
                    network,
                    virtual_ip: ip(first),
                    mask: ip([255, 255, 255, 0]).0,
                    gateway: ip([10, 0, first[2], 1]),
                    acl: NONE,
                    routes,
                },
            );
        }
        let target = |kind, address| RouteTarget {
            kind,
            virtual_ip: ip(address),
        };
        self.image.route_targets.extend([
            (1, target(RouteKind::LOCAL, [0; 4])),
            (2, target(RouteKind::VIA_NODE, RED_R.ip)),
            (3, target(RouteKind::VIA_NODE, RED_F.ip)),
            (4, target(RouteKind::BLACKHOLE, [0; 4])),
            (5, target(RouteKind::VIA_NODE, [10, 0, 1, 99])),
        ]);
    }

    fn subnets(&mut self, subnets: &[([u8; 4], u32)]) -> inlay_core::tables::records::Span {
        let mut intervals = vec![Interval {
            start: 0,
            value: NONE,
        }];
        for (first, slot) in subnets {
            let start = u32::from_be_bytes(*first);
            if intervals.last().is_some_and(|last| last.start == start) {
                intervals.pop();
            }
            intervals.push(Interval {
                start,
                value: *slot,
            });
            intervals.push(Interval {
                start: start + 256,
                value: NONE,
            });
        }
        write_intervals(&mut self.image, &intervals)
    }

    fn add_node(&mut self, node: &Node) {
        let slot = node.port.map(|port| port.slot);
        for address in [node.ip].iter().chain(node.more) {
            let key = mapping_key(node.vni, *address);
            self.image.mappings.insert(
                key,
                MappingRecord {
                    host: node.host.slot(),
                    port: slot.unwrap_or(NONE),
                    groups: node.groups,
                    flags: 0,
                },
            );
        }
        let Some(port) = node.port else { return };
        let (network, subnet) = match (node.vni, node.ip[2]) {
            (100, 1) => (RED, RED_1),
            (100, _) => (RED, RED_2),
            _ => (BLUE, BLUE_1),
        };
        self.image.devices.insert(port.interface, port.slot);
        self.image.ports.insert(
            port.slot,
            PortRecord {
                host_prefix: HostPrefix::from_octets(Host::One.prefix()),
                mac: MacAddress::from_octets(node.mac),
                tag: tag(node.vni),
                virtual_ip: ip(node.ip),
                interface_index: port.interface,
                network,
                subnet,
                policy: POLICY,
                ring_base: port.slot * (RING_MASK + 1),
                ring_mask: RING_MASK,
                new_flows_per_s: 1000,
                flags: port.flags,
            },
        );
    }
}

fn forwarder(host: Host) -> ForwarderKey {
    ForwarderKey {
        prefix: HostPrefix::from_octets(host.prefix()),
        tag: tag(100),
        reserved: 0,
    }
}

/// Intervals of the route table that is drawn above.
fn routes() -> Vec<Interval> {
    let at = |second: u8, value| Interval {
        start: u32::from_be_bytes([10, second, 0, 0]),
        value,
    };
    vec![
        Interval { start: 0, value: 0 },
        at(0, 1),
        at(1, 0),
        at(6, 5),
        at(7, 2),
        at(8, 3),
        at(9, 4),
        at(10, 0),
    ]
}
