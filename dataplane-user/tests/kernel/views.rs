//! Inspection from outside: what the maps hold, in words.

use inlay_core::{
    flow::{FlowKey, FlowRecord, FlowState},
    ids::Tick,
    tables::{Direction, records::PortCounters},
};
use inlay_dataplane::{
    Error, Mode, degraded,
    image::{Changes, Image},
    inspect::Inspection,
    labels::{Labels, NetworkLabel, PortLabel},
    offload,
};

use crate::{
    bed::{Bed, in_namespace, ip as run_ip, veth},
    state::{image, ip, tag},
};

#[test]
fn an_instance_that_is_not_loaded_says_what_to_do() {
    let Some(bed) = Bed::new("an_instance_that_is_not_loaded_says_what_to_do") else {
        return;
    };
    let result = Inspection::open(&bed.options.pin_root, &bed.options.instance);
    let Err(error) = result else {
        panic!("there is something where nothing was made")
    };
    assert!(matches!(error, Error::NotLoaded { .. }));
    assert!(
        error.to_string().contains("inlay agent --static"),
        "{error}"
    );
}

#[test]
fn a_map_of_another_shape_is_not_read() {
    let Some(bed) = Bed::new("a_map_of_another_shape_is_not_read") else {
        return;
    };
    let ports = bed.open().map_directory().join("PORTS");
    let odd = aya::maps::Array::<_, [u8; 7]>::create(1024, 0).unwrap();
    std::fs::remove_file(&ports).unwrap();
    odd.pin(ports).unwrap();
    let result = Inspection::open(&bed.options.pin_root, &bed.options.instance);
    assert!(
        matches!(result, Err(Error::Shape { map: "PORTS" })),
        "{result:?}"
    );
}

#[test]
fn names_are_shown_where_the_agent_left_some() {
    let Some(bed) = Bed::new("names_are_shown_where_the_agent_left_some") else {
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
        let instance = &bed.options.instance;
        let network = |name: &str| NetworkLabel {
            name: name.to_owned(),
            vni: 100,
        };
        let label = PortLabel {
            name: "a".to_owned(),
            network: "red".to_owned(),
            interface: "port".to_owned(),
            degraded: vec!["it is slow".to_owned()],
        };
        let labels = Labels {
            ports: [(3, label)].into(),
            networks: [(1, network("red"))].into(),
            ..Labels::default()
        };
        labels.write(instance).unwrap();
        let seen = Inspection::open(&bed.options.pin_root, instance).unwrap();
        assert_eq!(seen.labels, labels);
        let port = &seen.ports().unwrap()[0];
        assert_eq!(port.full_name(), "red/a");
        assert_eq!(port.degraded, ["it is slow"]);
        for name in ["a", "red/a", "port", "3"] {
            assert_eq!(seen.port_slot(name).unwrap(), 3, "{name}");
        }
        let mapping = &seen.mappings().unwrap()[0];
        assert_eq!(mapping.network.as_deref(), Some("red"));
        assert_eq!(mapping.port.as_deref(), Some("a"));
    });
}

#[test]
fn views_show_what_was_applied() {
    let Some(bed) = Bed::new("views_show_what_was_applied") else {
        return;
    };
    in_namespace(|| {
        let (port, _) = veth("port", "node");
        let (uplink, _) = veth("uplink", "fabric");
        let mut dataplane = bed.open();
        dataplane
            .apply(&Changes::between(&Image::default(), &image(port, uplink)))
            .unwrap();
        dataplane.attach_port(port, Mode::Native).unwrap();
        let maps = dataplane.maps();
        maps.port_counters
            .set(
                3,
                PortCounters {
                    packets: [1, 2],
                    bytes: [3, 4],
                },
            )
            .unwrap();
        let key = FlowKey::new(tag(), 6, ip(10), ip(11), 80u16.to_be().into(), 0);
        let record = FlowRecord::start(3, Direction::Inbound, FlowState::Established, Tick(0));
        let other = FlowKey {
            remote: ip(12),
            ..key
        };
        let others = FlowRecord { port: 4, ..record };
        maps.flows
            .set_all(&[(key, record), (other, others)])
            .unwrap();

        let seen = Inspection::open(&bed.options.pin_root, &bed.options.instance).unwrap();
        let ports = seen.ports().unwrap();
        assert_eq!((ports[0].slot, ports[0].vni, ports[0].flows), (3, 100, 1));
        assert!(ports[0].is_attached);
        assert_eq!(ports[0].addresses, ["10.0.1.10"]);
        assert_eq!(seen.port_slot("3").unwrap(), 3);
        assert!(matches!(seen.port_slot("nobody"), Err(Error::Input { .. })));

        let cpus = aya::util::nr_cpus().unwrap() as u64;
        let counters = &seen.counters().unwrap()[0];
        assert_eq!(
            (counters.outbound_packets, counters.inbound_bytes),
            (cpus, 4 * cpus)
        );
        assert_eq!(seen.mappings().unwrap().len(), 2);
        assert_eq!(seen.policies_of_port(3).unwrap(), [5]);
        let rules = &seen.policies().unwrap()[0].rules;
        assert_eq!(rules[0].services, ["outbound everything"]);
        assert_eq!(rules[1].services, ["inbound tcp 8080"]);
        assert_eq!(
            (rules[1].action, rules[1].addresses.as_slice()),
            ("allow", ["0.0.0.0/0".to_owned()].as_slice())
        );

        let text = "100/tcp/10.0.1.10:80/10.0.1.11:0";
        assert_eq!(
            seen.get("flows", text).unwrap().unwrap().value["state"],
            "established"
        );
        assert_eq!(
            seen.get("MAPPINGS", "100/10.0.1.10")
                .unwrap()
                .unwrap()
                .value["port"],
            3
        );
        assert_eq!(seen.get("MAPPINGS", "100/10.0.1.99").unwrap(), None);
        assert!(matches!(
            seen.get("MAPPINGS", "10.0.1.10"),
            Err(Error::Input { .. })
        ));
        assert!(matches!(seen.dump("EVENTS"), Err(Error::Input { .. })));
        let list = seen.maps().unwrap();
        let mappings = list.iter().find(|map| map.name == "MAPPINGS").unwrap();
        assert_eq!(
            (mappings.entries, mappings.map_type.as_str()),
            (Some(2), "hash")
        );
        assert!(list.iter().all(|map| map.memory_bytes > 0));

        assert_eq!(dataplane.remove_flows(3).unwrap(), 1);
        assert_eq!(seen.flows().unwrap().len(), 1);
    });
}

#[test]
fn the_conditions_of_a_port_are_set_and_checked() {
    let Some(bed) = Bed::new("the_conditions_of_a_port_are_set_and_checked") else {
        return;
    };
    in_namespace(|| {
        let (port, _) = veth("port", "node");
        let mut dataplane = bed.open();
        let reasons = |mtu| {
            let found = degraded::port(port, mtu);
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let has = |words: &str, mtu| reasons(mtu).iter().any(|reason| reason.contains(words));
        assert!(has("no program is attached", 1500));
        dataplane.attach_port(port, Mode::Native).unwrap();
        assert!(has("leaves out checksums", 1500), "{:?}", reasons(1500));
        assert!(has("no GRO", 1500), "{:?}", reasons(1500));
        offload::prepare_port(port).unwrap();
        assert_eq!(reasons(1500), [""; 0]);
        assert!(has("below 9000", 9000));
        run_ip("link set port down");
        assert!(has("is down", 1500));
        run_ip("link del port");
        assert_eq!(degraded::port(port, 1500), [degraded::Degraded::Missing]);
    });
}
