//! The maps, for tests: written from an image's changes, read back, cleared and aged.

use std::collections::BTreeMap;

use aya::{
    Ebpf, Pod,
    maps::{Array, DevMap, HashMap, Map, MapData, PerCpuArray, PerCpuValues, RingBuf},
};
use inlay_core::{
    drop_reason::DropReason,
    event::DropEvent,
    flow::{FlowKey, FlowRecord},
    ids::HostPrefix,
    tables::{
        Direction,
        limits::INTERFACES_MAX,
        records::{
            Config, EventBudget, ForwarderKey, FragmentRecord, InterfaceRecord, Interval,
            MappingKey, MappingRecord, NetworkRecord, PolicyRecord, PortCounters, PortRecord,
            RouteTarget, Row, SubnetRecord,
        },
    },
};
use inlay_dataplane::image::{Changes, Image, MapChanges};

use crate::dataplane::Counted;

/// A `PortState`: ring head, flows started by the node, by its peers, then window and padding.
type PortStateWords = [u64; 4];
/// A `NextHop`: destination and device, source, renewed and usable.
type NextHopWords = [u64; 3];

type Drops = [u64; DropReason::COUNTERS];

pub(super) struct Maps {
    config: Array<MapData, Config>,
    devices: DevMap<MapData>,
    interfaces: Array<MapData, InterfaceRecord>,
    ports: Array<MapData, PortRecord>,
    pub(super) port_states: Array<MapData, PortStateWords>,
    port_counters: PerCpuArray<MapData, PortCounters>,
    networks: Array<MapData, NetworkRecord>,
    subnets: Array<MapData, SubnetRecord>,
    mappings: HashMap<MapData, MappingKey, MappingRecord>,
    forwarders: HashMap<MapData, ForwarderKey, u32>,
    hosts: Array<MapData, HostPrefix>,
    pub(super) next_hops: Array<MapData, NextHopWords>,
    intervals: Array<MapData, Interval>,
    rows: Array<MapData, Row>,
    policies: Array<MapData, PolicyRecord>,
    route_targets: Array<MapData, RouteTarget>,
    pub(super) flows: HashMap<MapData, FlowKey, FlowRecord>,
    pub(super) flow_rings: Array<MapData, FlowKey>,
    pub(super) fragments: Array<MapData, FragmentRecord>,
    drops: PerCpuArray<MapData, Drops>,
    events: RingBuf<MapData>,
    event_budgets: PerCpuArray<MapData, EventBudget>,
}

fn map<T: TryFrom<Map>>(ebpf: &mut Ebpf, name: &str) -> T {
    let map = ebpf
        .take_map(name)
        .unwrap_or_else(|| panic!("the object has no map {name}"));
    T::try_from(map).unwrap_or_else(|_| panic!("the map {name} is of another type"))
}

fn put<V: Pod>(map: &mut Array<MapData, V>, changes: &MapChanges<u32, V>, zeros: V) {
    for (index, value) in &changes.put {
        map.set(*index, value, 0).unwrap();
    }
    for index in &changes.removed {
        map.set(*index, zeros, 0).unwrap();
    }
}

fn zeros<V: Pod>(value: V) -> PerCpuValues<V> {
    PerCpuValues::try_from(vec![value; aya::util::nr_cpus().unwrap()]).unwrap()
}

impl Maps {
    pub(super) fn take(ebpf: &mut Ebpf) -> Self {
        Self {
            config: map(ebpf, "CONFIG"),
            devices: map(ebpf, "DEVICES"),
            interfaces: map(ebpf, "INTERFACES"),
            ports: map(ebpf, "PORTS"),
            port_states: map(ebpf, "PORT_STATES"),
            port_counters: map(ebpf, "PORT_COUNTERS"),
            networks: map(ebpf, "NETWORKS"),
            subnets: map(ebpf, "SUBNETS"),
            mappings: map(ebpf, "MAPPINGS"),
            forwarders: map(ebpf, "FORWARDERS"),
            hosts: map(ebpf, "HOSTS"),
            next_hops: map(ebpf, "NEXT_HOPS"),
            intervals: map(ebpf, "INTERVALS"),
            rows: map(ebpf, "ROWS"),
            policies: map(ebpf, "POLICIES"),
            route_targets: map(ebpf, "ROUTE_TARGETS"),
            flows: map(ebpf, "FLOWS"),
            flow_rings: map(ebpf, "FLOW_RINGS"),
            fragments: map(ebpf, "FRAGMENTS"),
            drops: map(ebpf, "DROPS"),
            events: map(ebpf, "EVENTS"),
            event_budgets: map(ebpf, "EVENT_BUDGETS"),
        }
    }

    /// Writes changes whose interfaces are numbered as worlds do.
    pub(super) fn write(&mut self, changes: &Changes, interfaces: &BTreeMap<u32, u32>) {
        if let Some(config) = changes.config {
            self.config.set(0, config, 0).unwrap();
        }
        put(&mut self.intervals, &changes.intervals, Interval::default());
        put(&mut self.rows, &changes.rows, Row::default());
        put(
            &mut self.route_targets,
            &changes.route_targets,
            RouteTarget::default(),
        );
        put(
            &mut self.policies,
            &changes.policies,
            PolicyRecord::default(),
        );
        put(&mut self.hosts, &changes.hosts, HostPrefix::default());
        put(&mut self.subnets, &changes.subnets, SubnetRecord::default());
        for (key, value) in &changes.mappings.put {
            self.mappings.insert(key, value, 0).unwrap();
        }
        for key in &changes.mappings.removed {
            self.mappings.remove(key).unwrap();
        }
        for (key, value) in &changes.forwarders.put {
            self.forwarders.insert(key, value, 0).unwrap();
        }
        for key in &changes.forwarders.removed {
            self.forwarders.remove(key).unwrap();
        }
        for (slot, port) in &changes.ports.put {
            // 0 stays 0: an unused slot.
            let interface_index = interfaces.get(&port.interface_index).copied().unwrap_or(0);
            self.ports
                .set(
                    *slot,
                    PortRecord {
                        interface_index,
                        ..*port
                    },
                    0,
                )
                .unwrap();
        }
        for slot in &changes.ports.removed {
            self.ports.set(*slot, PortRecord::default(), 0).unwrap();
        }
        self.write_devices(&changes.devices, interfaces);
        put(
            &mut self.networks,
            &changes.networks,
            NetworkRecord::default(),
        );
    }

    fn write_devices(&mut self, changes: &MapChanges<u32, u32>, interfaces: &BTreeMap<u32, u32>) {
        for interface in &changes.removed {
            let index = interfaces[interface] & (INTERFACES_MAX - 1);
            let device = self.interfaces.get(&index, 0).unwrap().device;
            self.set_device(device, 0);
            self.interfaces
                .set(index, InterfaceRecord::default(), 0)
                .unwrap();
        }
        for (interface, device) in &changes.put {
            let interface_index = interfaces[interface];
            let record = InterfaceRecord {
                interface_index,
                device: *device,
            };
            self.interfaces
                .set(interface_index & (INTERFACES_MAX - 1), record, 0)
                .unwrap();
            self.set_device(*device, interface_index);
        }
    }

    /// Device `device` leads to an interface, or nowhere where that is 0.
    pub(super) fn set_device(&mut self, device: u32, interface_index: u32) {
        self.devices.set(device, interface_index, None, 0).unwrap();
    }

    pub(super) fn flow_keys(&self) -> Vec<FlowKey> {
        self.flows.keys().map(Result::unwrap).collect()
    }

    /// Counters of the content's networks and ports, and of network 0.
    pub(super) fn counted(&self, content: &Image) -> Counted {
        let mut counted = Counted::default();
        for network in content.networks.keys().copied().chain([0]) {
            for direction in [Direction::Outbound, Direction::Inbound] {
                let values = self
                    .drops
                    .get(&(network << 1 | direction as u32), 0)
                    .unwrap();
                for (number, reason) in DropReason::ALL.iter().enumerate() {
                    let sum: u64 = values.iter().map(|counters| counters[number]).sum();
                    if sum != 0 {
                        counted.drops.insert((network, direction, *reason), sum);
                    }
                }
            }
        }
        for slot in content.ports.keys() {
            let mut sum = PortCounters::default();
            for counters in self.port_counters.get(slot, 0).unwrap().iter() {
                for direction in 0..2 {
                    sum.packets[direction] += counters.packets[direction];
                    sum.bytes[direction] += counters.bytes[direction];
                }
            }
            if sum != PortCounters::default() {
                counted.ports.insert(*slot, sum);
            }
        }
        counted
    }

    pub(super) fn clear_counters(&mut self, content: &Image) {
        for network in content.networks.keys().copied().chain([0]) {
            for direction in 0..2 {
                self.drops
                    .set(
                        network << 1 | direction,
                        zeros([0; DropReason::COUNTERS]),
                        0,
                    )
                    .unwrap();
            }
        }
        for slot in content.ports.keys() {
            self.port_counters
                .set(*slot, zeros(PortCounters::default()), 0)
                .unwrap();
        }
        self.event_budgets
            .set(0, zeros(EventBudget::default()), 0)
            .unwrap();
        self.events();
    }

    /// The events that wait, their time set to 0.
    pub(super) fn events(&mut self) -> Vec<DropEvent> {
        let mut events = Vec::new();
        while let Some(item) = self.events.next() {
            assert_eq!(item.len(), size_of::<DropEvent>());
            // SAFETY: the kernel wrote a `DropEvent` of this size, which any bytes are.
            let event: DropEvent = unsafe { item.as_ptr().cast::<DropEvent>().read_unaligned() };
            events.push(DropEvent {
                time_ns: 0,
                ..event
            });
        }
        events
    }
}
