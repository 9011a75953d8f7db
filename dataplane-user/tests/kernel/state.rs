//! Maps: what is written is read back, and nothing else.

use std::{collections::BTreeMap, time::Instant};

use inlay_core::{
    ids::{HostPrefix, MacAddress, VirtualIp, Vni},
    policy::service_point,
    substrate::Tag,
    tables::{
        Direction,
        limits::PORTS_MAX,
        records::{
            Config, ForwarderKey, Interval, MappingKey, MappingRecord, NONE, NetworkRecord,
            PolicyRecord, PortCounters, PortRecord, RouteKind, RouteTarget, Row, Span,
            SubnetRecord,
        },
    },
};
use inlay_dataplane::{
    Error,
    image::{Changes, Image, MapChanges},
};

use crate::bed::{Bed, in_namespace, veth};

pub(crate) const PREFIX: HostPrefix = HostPrefix::from_octets([0x20, 1, 0xd, 0xb8, 0, 0, 0, 1]);
pub(crate) const OTHER: HostPrefix = HostPrefix::from_octets([0x20, 1, 0xd, 0xb8, 0, 0, 0, 2]);
pub(crate) const NODE_MAC: MacAddress = MacAddress::from_octets([2, 0, 0, 0, 0, 0x10]);

pub(crate) fn tag() -> Tag {
    Tag::ipv4(Vni::new(100).unwrap())
}

pub(crate) const fn ip(last: u8) -> VirtualIp {
    VirtualIp::from_octets([10, 0, 1, last])
}

/// One port (10.0.1.10, slot 3) that may send everything and takes TCP port 8080; 10.0.1.11 is elsewhere.
pub(crate) fn image(port: u32, uplink: u32) -> Image {
    let everything = Row([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let second = Row([2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let both = Row([3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let tcp_8080 = service_point(Direction::Inbound, 6, 8080);
    let interval = |start, value| Interval { start, value };
    let mapping = |host, port| MappingRecord {
        host,
        port,
        groups: 0,
        flags: 0,
    };
    let key = |last| MappingKey {
        tag: tag(),
        virtual_ip: ip(last),
    };
    Image {
        config: Config {
            prefix: PREFIX,
            virtual_mtu: 1500,
            hop_limit_min: 64,
        },
        devices: BTreeMap::from([(port, 3), (uplink, PORTS_MAX)]),
        ports: BTreeMap::from([(3, port_record(port))]),
        networks: BTreeMap::from([(
            1,
            NetworkRecord {
                tag: tag(),
                epoch: 7,
                subnets: Span { base: 9, count: 1 },
            },
        )]),
        subnets: BTreeMap::from([(
            2,
            SubnetRecord {
                tag: tag(),
                network: 1,
                virtual_ip: ip(0),
                mask: u32::from_ne_bytes([255, 255, 255, 0]),
                gateway: ip(1),
                acl: NONE,
                routes: Span { base: 8, count: 1 },
            },
        )]),
        mappings: BTreeMap::from([(key(10), mapping(0, 3)), (key(11), mapping(1, NONE))]),
        forwarders: BTreeMap::from([(
            ForwarderKey {
                prefix: OTHER,
                tag: tag(),
                reserved: 0,
            },
            1,
        )]),
        hosts: BTreeMap::from([(0, PREFIX), (1, OTHER)]),
        intervals: BTreeMap::from([
            (0, interval(0, 2)),
            (1, interval(0, 2)),
            (2, interval(0, 0)),
            (3, interval(1 << 24, 3)),
            (4, interval(tcp_8080, 1)),
            (5, interval(tcp_8080 + 1, 3)),
            (8, interval(0, 0)),
            (9, interval(0, 2)),
        ]),
        rows: BTreeMap::from([(0, everything), (1, second), (2, both), (3, Row::default())]),
        policies: BTreeMap::from([(
            5,
            PolicyRecord {
                addresses: Span { base: 0, count: 1 },
                groups: Span { base: 1, count: 1 },
                services: Span { base: 2, count: 4 },
                allow: 2,
                rules: 2,
            },
        )]),
        route_targets: BTreeMap::from([(
            0,
            RouteTarget {
                kind: RouteKind::LOCAL,
                virtual_ip: VirtualIp(0),
            },
        )]),
    }
}

fn port_record(interface_index: u32) -> PortRecord {
    PortRecord {
        host_prefix: PREFIX,
        mac: NODE_MAC,
        tag: tag(),
        virtual_ip: ip(10),
        interface_index,
        network: 1,
        subnet: 2,
        policy: 5,
        ring_base: 256,
        ring_mask: 255,
        new_flows_per_s: 1000,
        flags: 0,
    }
}

#[test]
fn what_is_applied_is_read_back() {
    let Some(bed) = Bed::new("what_is_applied_is_read_back") else {
        return;
    };
    in_namespace(|| {
        let (port, _) = veth("port", "node");
        let (uplink, _) = veth("uplink", "fabric");
        let mut dataplane = bed.open();
        assert!(!dataplane.was_adopted());
        assert_eq!(dataplane.read_image().unwrap(), Image::default());

        let first = image(port, uplink);
        dataplane
            .apply(&Changes::between(&Image::default(), &first))
            .unwrap();
        assert_eq!(dataplane.read_image().unwrap(), first);

        // A mapping that moves, an address that goes, a port on another device.
        let mut second = first.clone();
        second.networks.get_mut(&1).unwrap().epoch = 8;
        second.mappings.remove(&MappingKey {
            tag: tag(),
            virtual_ip: ip(11),
        });
        second.devices.insert(port, 4);
        second.ports.remove(&3);
        second.ports.insert(4, port_record(port));
        dataplane.apply(&Changes::between(&first, &second)).unwrap();
        assert_eq!(dataplane.read_image().unwrap(), second);
        assert_eq!(dataplane.maps().devices.get(3).unwrap(), None);

        let nothing = Image {
            config: second.config,
            ..Image::default()
        };
        dataplane
            .apply(&Changes::between(&second, &nothing))
            .unwrap();
        assert_eq!(dataplane.read_image().unwrap(), nothing);
        assert_eq!(dataplane.maps().devices.get(4).unwrap(), None);
    });
}

#[test]
fn a_slot_that_is_given_up_forgets_its_counters() {
    let Some(bed) = Bed::new("a_slot_that_is_given_up_forgets_its_counters") else {
        return;
    };
    in_namespace(|| {
        let (port, _) = veth("port", "node");
        let (uplink, _) = veth("uplink", "fabric");
        let mut dataplane = bed.open();
        let image = image(port, uplink);
        dataplane
            .apply(&Changes::between(&Image::default(), &image))
            .unwrap();
        let counters = PortCounters {
            packets: [1, 2],
            bytes: [3, 4],
        };
        dataplane.maps().port_counters.set(3, counters).unwrap();
        let mut without = image.clone();
        without.ports.remove(&3);
        dataplane
            .apply(&Changes::between(&image, &without))
            .unwrap();
        let left = dataplane.maps().port_counters.get(3).unwrap();
        assert!(
            left.iter()
                .all(|counters| *counters == PortCounters::default())
        );
    });
}

#[test]
fn an_interface_that_is_not_there_is_refused() {
    let Some(bed) = Bed::new("an_interface_that_is_not_there_is_refused") else {
        return;
    };
    in_namespace(|| {
        let mut dataplane = bed.open();
        let image = Image {
            devices: BTreeMap::from([(77, 3)]),
            ..Image::default()
        };
        let result = dataplane.apply(&Changes::between(&Image::default(), &image));
        assert!(
            matches!(result, Err(Error::Map { map: "DEVICES", .. })),
            "{result:?}"
        );
        let changes = Changes {
            devices: MapChanges {
                put: vec![(77, 3), (77 + 65_536, 4)],
                removed: vec![],
            },
            ..Changes::default()
        };
        let result = dataplane.apply(&changes);
        assert!(
            matches!(result, Err(Error::InterfaceNumber { .. })),
            "{result:?}"
        );
        let changes = Changes {
            rows: MapChanges {
                put: vec![(u32::MAX, Row::default())],
                removed: vec![],
            },
            ..Changes::default()
        };
        let result = dataplane.apply(&changes);
        assert!(
            matches!(result, Err(Error::Index { map: "ROWS", .. })),
            "{result:?}"
        );
    });
}

#[test]
fn sixty_thousand_mappings_in_one_batch() {
    let Some(bed) = Bed::new("sixty_thousand_mappings_in_one_batch") else {
        return;
    };
    let mut dataplane = bed.open();
    let address = |n: u32| VirtualIp::from_octets((0x0a00_0000 + n).to_be_bytes());
    let record = MappingRecord {
        host: 1,
        port: NONE,
        groups: 0,
        flags: 0,
    };
    let mappings: BTreeMap<_, _> = (1..=60_000)
        .map(|n| {
            (
                MappingKey {
                    tag: tag(),
                    virtual_ip: address(n),
                },
                record,
            )
        })
        .collect();
    let image = Image {
        mappings,
        ..Image::default()
    };
    let changes = Changes::between(&Image::default(), &image);
    let start = Instant::now();
    dataplane.apply(&changes).unwrap();
    // A number for whoever reads; never a condition.
    eprintln!("60,000 mappings applied in {:?}", start.elapsed());
    assert_eq!(dataplane.read_image().unwrap(), image);
    let start = Instant::now();
    dataplane
        .apply(&Changes::between(&image, &Image::default()))
        .unwrap();
    eprintln!("60,000 mappings removed in {:?}", start.elapsed());
    assert_eq!(dataplane.read_image().unwrap(), Image::default());
}
