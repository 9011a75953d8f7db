//! The maps. Their names are what pins, inspection and `docs/maps.md` call them.

use aya_ebpf::{
    btf_maps::{Array, DevMap, HashMap, PerCpuArray, RingBuf},
    macros::btf_map,
};
use inlay_core::{
    drop_reason::DropReason,
    flow::{FlowKey, FlowRecord},
    ids::HostPrefix,
    pipeline::{Work, trace::TRACE_STEPS},
    tables::{
        limits::{
            DEVICES_MAX, EVENTS_BYTES, FLOWS_MAX, FORWARDERS_MAX, FRAGMENTS_PER_PORT, HOSTS_MAX,
            INTERFACES_MAX, INTERVALS_MAX, MAPPINGS_MAX, NETWORKS_MAX, POLICIES_MAX, PORTS_MAX,
            ROUTE_TARGETS_MAX, ROWS_MAX, SUBNETS_MAX,
        },
        records::{
            Config, EventBudget, ForwarderKey, FragmentRecord, InterfaceRecord, Interval,
            MappingKey, MappingRecord, NetworkRecord, NextHop, PolicyRecord, PortCounters,
            PortRecord, PortState, RouteTarget, Row, SubnetRecord,
        },
    },
};

#[btf_map]
pub static CONFIG: Array<Config, 1> = Array::new();
#[btf_map]
pub static DEVICES: DevMap<{ DEVICES_MAX as usize }> = DevMap::new();
#[btf_map]
pub static INTERFACES: Array<InterfaceRecord, { INTERFACES_MAX as usize }> = Array::new();
#[btf_map]
pub static PORTS: Array<PortRecord, { PORTS_MAX as usize }> = Array::new();
#[btf_map]
pub static PORT_STATES: Array<PortState, { PORTS_MAX as usize }> = Array::new();
#[btf_map]
pub static PORT_COUNTERS: PerCpuArray<PortCounters, { PORTS_MAX as usize }> = PerCpuArray::new();
#[btf_map]
pub static NETWORKS: Array<NetworkRecord, { NETWORKS_MAX as usize }> = Array::new();
#[btf_map]
pub static SUBNETS: Array<SubnetRecord, { SUBNETS_MAX as usize }> = Array::new();
#[btf_map]
pub static MAPPINGS: HashMap<MappingKey, MappingRecord, { MAPPINGS_MAX as usize }> = HashMap::new();
#[btf_map]
pub static FORWARDERS: HashMap<ForwarderKey, u32, { FORWARDERS_MAX as usize }> = HashMap::new();
#[btf_map]
pub static HOSTS: Array<HostPrefix, { HOSTS_MAX as usize }> = Array::new();
#[btf_map]
pub static NEXT_HOPS: Array<NextHop, { HOSTS_MAX as usize }> = Array::new();
#[btf_map]
pub static INTERVALS: Array<Interval, { INTERVALS_MAX as usize }> = Array::new();
#[btf_map]
pub static ROWS: Array<Row, { ROWS_MAX as usize }> = Array::new();
#[btf_map]
pub static POLICIES: Array<PolicyRecord, { POLICIES_MAX as usize }> = Array::new();
#[btf_map]
pub static ROUTE_TARGETS: Array<RouteTarget, { ROUTE_TARGETS_MAX as usize }> = Array::new();
#[btf_map]
pub static FLOWS: HashMap<FlowKey, FlowRecord, { FLOWS_MAX as usize }> = HashMap::new();
#[btf_map]
pub static FLOW_RINGS: Array<FlowKey, { FLOWS_MAX as usize }> = Array::new();
#[btf_map]
pub static FRAGMENTS: Array<FragmentRecord, { (PORTS_MAX * FRAGMENTS_PER_PORT) as usize }> =
    Array::new();
/// Indexed by twice the network's slot plus the direction.
#[btf_map]
pub static DROPS: PerCpuArray<[u64; DropReason::COUNTERS], { NETWORKS_MAX as usize * 2 }> =
    PerCpuArray::new();
#[btf_map]
pub static EVENTS: RingBuf<(), { EVENTS_BYTES as usize }> = RingBuf::new();
#[btf_map]
pub static EVENT_BUDGETS: PerCpuArray<EventBudget, 1> = PerCpuArray::new();
/// One `explain` at a time writes here: 1 and the value of every step that was taken.
#[btf_map]
pub static TRACE: Array<[u64; 2], { TRACE_STEPS }> = Array::new();
/// The interface that `explain` impersonates.
#[btf_map]
pub static EXPLAIN: Array<u32, 1> = Array::new();
/// The full pipeline's scratch.
#[btf_map]
pub static WORK: PerCpuArray<Work, 1> = PerCpuArray::new();

/// This CPU's scratch: more than a stack holds.
#[inline(always)]
pub fn work() -> Option<&'static mut Work> {
    let work = WORK.get_ptr_mut(0)?;
    // SAFETY: a program runs to its end before another starts on this CPU, and of its functions only
    // one uses the scratch at a time: a caller passes its borrow on. `Work::start` writes what is read
    // before anything else of it is; in what an earlier packet left, and in a fresh map's zeros, every
    // field holds a valid value.
    Some(unsafe { &mut *work })
}
