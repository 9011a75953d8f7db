//! `Tables` over the BPF maps.

use core::cell::Cell;
#[cfg(target_arch = "bpf")]
use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::{
    bindings::{bpf_fib_lookup as FibParams, xdp_md},
    helpers::generated::{bpf_fib_lookup, bpf_ktime_get_coarse_ns},
};
use inlay_core::{
    drop_reason::DropReason,
    event::DropEvent,
    flow::{Flow, FlowKey, FlowRecord},
    ids::{HostPrefix, MacAddress, Tick},
    pipeline::{Work, trace::Step},
    policy::{Match, Question},
    substrate::Tag,
    tables::{
        Direction, Resolved, Tables,
        limits::{DEVICES_MAX, EVENTS_PER_SECOND, INTERFACES_MAX},
        records::{
            Config, ForwarderKey, FragmentRecord, Interval, MappingKey, MappingRecord,
            NetworkRecord, NextHop, PolicyRecord, PortRecord, PortState, RouteTarget, Row,
            SubnetRecord,
        },
    },
};

use crate::{functions, maps};

/// The maps, for one run of a program.
#[derive(Clone, Copy)]
pub struct KernelTables {
    context: *mut xdp_md,
    /// A made packet of `explain`: nothing is written but the trace.
    is_dry: bool,
}

const AF_INET6: u8 = 10;
const BPF_ANY: u64 = 0;
const BPF_EXIST: u64 = 2;
#[expect(clippy::cast_possible_wrap, reason = "64 bytes")]
const FIB_PARAMS_BYTES: i32 = size_of::<FibParams>() as i32;

/// Results of `bpf_fib_lookup`.
const FIB_SUCCESS: i64 = 0;
const FIB_NO_NEIGHBOUR: i64 = 7;

impl KernelTables {
    #[inline(always)]
    pub fn new(context: *mut xdp_md, is_dry: bool) -> Self {
        Self { context, is_dry }
    }

    /// The substrate's routing, asked as for a packet to the agent of the other host.
    #[inline(never)]
    fn ask_routing(self, prefix: HostPrefix) -> Resolved {
        // SAFETY: all zeros are valid for the helper's parameters.
        let mut params: FibParams = unsafe { core::mem::zeroed() };
        params.family = AF_INET6;
        // SAFETY: the context is the program's own.
        params.ifindex = unsafe { (*self.context).ingress_ifindex };
        let prefix_words = [prefix.0 as u32, (prefix.0 >> 32) as u32];
        params.__bindgen_anon_4.ipv6_dst = [prefix_words[0], prefix_words[1], 0, 1u32.to_be()];
        // SAFETY: the helper reads and writes `size_of::<FibParams>()` bytes of `params`.
        let answer =
            unsafe { bpf_fib_lookup(self.context.cast(), &raw mut params, FIB_PARAMS_BYTES, 0) };
        match answer {
            FIB_SUCCESS => neighbour(self, &params),
            FIB_NO_NEIGHBOUR => Resolved::Unresolved,
            _ => Resolved::Unreachable,
        }
    }
}

#[inline(always)]
fn neighbour(tables: KernelTables, params: &FibParams) -> Resolved {
    let Some(device) = tables.device(params.ifindex) else {
        return Resolved::Unreachable;
    };
    // Kernels before 6.3 answer so for a neighbour that is still being asked for.
    if params.dmac == [0; 6] {
        return Resolved::Unresolved;
    }
    Resolved::Neighbour {
        destination: MacAddress::from_octets(params.dmac),
        source: MacAddress::from_octets(params.smac),
        device,
    }
}

impl Tables for KernelTables {
    type FlowRef = &'static Flow;

    #[inline(always)]
    fn config(&self) -> Option<&Config> {
        maps::CONFIG.get(0)
    }

    #[inline(always)]
    fn device(&self, interface_index: u32) -> Option<u32> {
        let record = maps::INTERFACES.get(interface_index & (INTERFACES_MAX - 1))?;
        let is_known = record.interface_index == interface_index && record.device < DEVICES_MAX;
        if is_known { Some(record.device) } else { None }
    }

    #[inline(always)]
    fn port(&self, slot: u32) -> Option<&PortRecord> {
        maps::PORTS.get(slot)
    }

    #[inline(always)]
    fn port_state(&self, slot: u32) -> Option<&PortState> {
        maps::PORT_STATES.get(slot)
    }

    #[inline(always)]
    fn count_up(&self, counter: &Cell<u64>) -> u64 {
        if self.is_dry {
            return counter.get();
        }
        // Rust offers no atomic addition for BPF but this intrinsic. With a relaxed order LLVM 22 takes
        // the instruction that returns nothing, and the operand for the result.
        // SAFETY: the counter lies in a map, which all CPUs change by this one instruction.
        #[cfg(target_arch = "bpf")]
        unsafe {
            atomic_xadd::<u64, u64, { AtomicOrdering::SeqCst }>(counter.as_ptr(), 1)
        }
        #[cfg(not(target_arch = "bpf"))]
        counter.replace(counter.get() + 1)
    }

    #[inline(always)]
    fn network(&self, slot: u32) -> Option<&NetworkRecord> {
        maps::NETWORKS.get(slot)
    }

    #[inline(always)]
    fn subnet(&self, slot: u32) -> Option<&SubnetRecord> {
        maps::SUBNETS.get(slot)
    }

    #[inline(always)]
    fn mapping(&self, key: &MappingKey) -> Option<MappingRecord> {
        // SAFETY: plain numbers, copied at once. An element may be given to another key meanwhile; whoever
        // uses what it names compares the network's tag.
        unsafe { maps::MAPPINGS.get(key) }.copied()
    }

    #[inline(always)]
    fn is_forwarder(&self, key: &ForwarderKey) -> bool {
        maps::FORWARDERS.get_ptr(key).is_some()
    }

    #[inline(always)]
    fn network_of(&self, tag: Tag) -> Option<u32> {
        let prefix = self.config()?.prefix;
        // SAFETY: as for `mapping`.
        unsafe {
            maps::FORWARDERS.get(ForwarderKey {
                prefix,
                tag,
                reserved: 0,
            })
        }
        .copied()
    }

    #[inline(always)]
    fn host_prefix(&self, slot: u32) -> Option<HostPrefix> {
        maps::HOSTS.get(slot).copied()
    }

    #[inline(always)]
    fn interval(&self, index: u32) -> Option<Interval> {
        maps::INTERVALS.get(index).copied()
    }

    #[inline(always)]
    fn row(&self, index: u32) -> Option<&Row> {
        maps::ROWS.get(index)
    }

    #[inline(always)]
    fn policy(&self, slot: u32) -> Option<&PolicyRecord> {
        maps::POLICIES.get(slot)
    }

    #[inline(always)]
    fn route_target(&self, index: u32) -> Option<RouteTarget> {
        maps::ROUTE_TARGETS.get(index).copied()
    }

    #[inline(always)]
    fn flow(&self, key: &FlowKey) -> Option<&'static Flow> {
        let record = maps::FLOWS.get_ptr(key)?;
        // SAFETY: `Flow` and `FlowRecord` have one layout, and `Flow` is all cells, as memory that other CPUs
        // write must be. The memory stays mapped; the element may be given to another flow meanwhile, which
        // `FlowRecord::check` tells.
        Some(unsafe { &*record.cast::<Flow>() })
    }

    #[inline(always)]
    fn put_flow(&self, key: &FlowKey, record: &FlowRecord) -> bool {
        self.is_dry || maps::FLOWS.insert(key, record, BPF_ANY).is_ok()
    }

    #[inline(always)]
    fn replace_flow(&self, key: &FlowKey, record: &FlowRecord) -> bool {
        self.is_dry || maps::FLOWS.insert(key, record, BPF_EXIST).is_ok()
    }

    #[inline(always)]
    fn remove_flow(&self, key: &FlowKey) {
        if !self.is_dry {
            // Another CPU may have removed it first, which is as well.
            let _ = maps::FLOWS.remove(key);
        }
    }

    #[inline(always)]
    fn ring(&self, index: u32) -> Option<FlowKey> {
        maps::FLOW_RINGS.get(index).copied()
    }

    #[inline(always)]
    fn put_ring(&self, index: u32, key: &FlowKey) {
        if let Some(place) = maps::FLOW_RINGS.get_ptr_mut(index).filter(|_| !self.is_dry) {
            // SAFETY: the place is the port's; CPUs that write it at once leave a key that no flow
            // with this place has, and the place counts as free.
            unsafe { *place = *key };
        }
    }

    #[inline(always)]
    fn fragment(&self, index: u32) -> Option<FragmentRecord> {
        maps::FRAGMENTS.get(index).copied()
    }

    #[inline(always)]
    fn put_fragment(&self, index: u32, record: &FragmentRecord) {
        if let Some(place) = maps::FRAGMENTS.get_ptr_mut(index).filter(|_| !self.is_dry) {
            // SAFETY: as for a ring's place; a record that two CPUs wrote names no datagram.
            unsafe { *place = *record };
        }
    }

    #[inline(always)]
    fn may_write(&self) -> bool {
        !self.is_dry
    }

    #[inline(always)]
    fn now(&self) -> Tick {
        // SAFETY: the helper has no arguments.
        Tick::from_nanoseconds(unsafe { bpf_ktime_get_coarse_ns() })
    }

    #[inline(always)]
    fn next_hop(&self, host: u32) -> Option<&NextHop> {
        maps::NEXT_HOPS.get(host)
    }

    #[inline(always)]
    fn resolve(&self, prefix: HostPrefix) -> Resolved {
        self.ask_routing(prefix)
    }

    #[inline(always)]
    fn count_drop(&self, network: u32, direction: Direction, reason: DropReason) {
        if self.is_dry {
            return;
        }
        if let Some(counters) = maps::DROPS.get_ptr_mut(network << 1 | direction as u32) {
            let number = reason as u32;
            // The compiler knows the reasons' range and would remove the mask, by which the verifier
            // sees that the index stays inside: a volatile read is of any number.
            // SAFETY: the element is this CPU's.
            unsafe {
                let index =
                    (&raw const number).read_volatile() as usize & (DropReason::COUNTERS - 1);
                *counters.cast::<u64>().add(index) += 1;
            }
        }
    }

    #[inline(always)]
    fn count_port(&self, port: u32, direction: Direction, len_bytes: u32) {
        if self.is_dry {
            return;
        }
        if let Some(counters) = maps::PORT_COUNTERS.get_ptr_mut(port) {
            let index = direction as usize & 1;
            // SAFETY: the element is this CPU's: packets of two directions, then bytes of two.
            unsafe {
                *counters.cast::<u64>().add(index) += 1;
                *counters.cast::<u64>().add(2 + index) += u64::from(len_bytes);
            }
        }
    }

    #[inline(always)]
    fn may_send_event(&self) -> bool {
        if self.is_dry {
            return false;
        }
        let Some(budget) = maps::EVENT_BUDGETS.get_ptr_mut(0) else {
            return false;
        };
        // SAFETY: the element is this CPU's.
        unsafe {
            // Once the window's events are spent, a flood of drops asks for the time only now and then.
            if (*budget).sent >= EVENTS_PER_SECOND {
                (*budget).sent = (*budget).sent.saturating_add(1);
                if (*budget).sent & 63 != 0 && (*budget).sent != u32::MAX {
                    return false;
                }
            }
            let window = self.now().0 >> 6;
            if (*budget).window != window {
                (*budget).window = window;
                (*budget).sent = 0;
            }
            (*budget).sent < EVENTS_PER_SECOND
        }
    }

    #[inline(always)]
    fn send_event(&self, event: &DropEvent) {
        if let Some(budget) = maps::EVENT_BUDGETS.get_ptr_mut(0) {
            // SAFETY: the element is this CPU's.
            unsafe { (*budget).sent += 1 };
        }
        let Some(mut entry) = maps::EVENTS.reserve_untyped::<DropEvent>(0) else {
            return;
        };
        // SAFETY: the helper has no arguments.
        let time_ns = unsafe { bpf_ktime_get_coarse_ns() };
        entry.write(DropEvent { time_ns, ..*event });
        entry.submit(0);
    }

    #[inline(always)]
    fn trace(&self, step: Step, value: u64) {
        if !self.is_dry {
            return;
        }
        if let Some(place) = maps::TRACE.get_ptr_mut(step as u32) {
            // SAFETY: one `explain` runs at a time.
            unsafe { *place = [1, value] };
        }
    }

    #[inline(always)]
    fn evaluate(&self, policy: u32, question: &Question) -> Option<Match> {
        let Question {
            remote,
            groups,
            service,
        } = *question;
        functions::from_answer(functions::inlay_evaluate(policy, remote.0, groups, service))
    }

    #[inline(always)]
    fn track(&self, work: &mut Work) -> Result<(), DropReason> {
        // The function takes the work from its map, as its caller did.
        expose(work);
        let answer = functions::inlay_track(u32::from(self.is_dry));
        expose(work);
        match answer {
            0 => Ok(()),
            answer => Err(functions::reason(answer)),
        }
    }

    #[inline(always)]
    fn pass_dhcp(&self, work: &mut Work) -> Result<(), DropReason> {
        expose(work);
        match functions::inlay_pass_dhcp(u32::from(self.is_dry)) {
            0 => Ok(()),
            answer => Err(functions::reason(answer)),
        }
    }
}

/// Tells the compiler that what `work` holds may be read and written by others here: a global function takes
/// it from its map, by a pointer that the compiler does not know to be the same.
#[inline(always)]
fn expose(work: &mut Work) {
    // SAFETY: no instruction, and no effect but that on the compiler.
    #[cfg(target_arch = "bpf")]
    unsafe {
        core::arch::asm!("", in("r1") core::ptr::from_mut(work));
    }
    #[cfg(not(target_arch = "bpf"))]
    let _ = work;
}
