//! Typed handles on the pinned maps. Keys and values are the records of `inlay_core`; who holds a handle
//! needs to know nothing of bpf(2).
//!
//! Inspection opens them for reading; only the agent writes.

mod array;
mod devices;
mod hash;
mod per_cpu;
mod snapshot;

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

use inlay_core::{
    drop_reason::DropReason,
    flow::{FlowKey, FlowRecord},
    ids::HostPrefix,
    pipeline::trace::TRACE_STEPS,
    tables::{
        limits::{
            DEVICES_MAX, FLOWS_MAX, FORWARDERS_MAX, FRAGMENTS_PER_PORT, HOSTS_MAX, INTERFACES_MAX,
            INTERVALS_MAX, MAPPINGS_MAX, NETWORKS_MAX, POLICIES_MAX, PORTS_MAX, ROUTE_TARGETS_MAX,
            ROWS_MAX, SUBNETS_MAX,
        },
        records::{
            Config, EventBudget, ForwarderKey, FragmentRecord, InterfaceRecord, Interval,
            MappingKey, MappingRecord, NetworkRecord, PolicyRecord, PortCounters, PortRecord,
            RouteTarget, Row, SubnetRecord,
        },
    },
};

pub use array::Array;
pub use devices::Devices;
pub use hash::Hash;
pub use per_cpu::PerCpu;
pub use snapshot::{NextHopSnapshot, PortStateSnapshot};

use crate::{
    Error,
    sys::{self, Access, Sizes},
};

/// An open map.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) name: &'static str,
    fd: OwnedFd,
}

impl Handle {
    /// Opens a map whose keys and values are of the sizes of `K` and `V`: what the kernel is handed
    /// later has room for them.
    fn open<K, V>(
        directory: &Path,
        name: &'static str,
        entries_max: u32,
        access: Access,
    ) -> Result<Self, Error> {
        let path = directory.join(name);
        let fd = sys::open_pin(&path, access).map_err(Error::file("open", path))?;
        let bytes = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        let (key_bytes, value_bytes) = (bytes(size_of::<K>()), bytes(size_of::<V>()));
        let found = sys::sizes(fd.as_fd()).map_err(Error::map(name, "ask for its size"))?;
        if found
            == (Sizes {
                key_bytes,
                value_bytes,
                entries_max,
            })
        {
            return Ok(Self { name, fd });
        }
        Err(Error::Shape { map: name })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(crate) fn error(&self, verb: &'static str) -> impl FnOnce(io::Error) -> Error + use<> {
        Error::map(self.name, verb)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "there are sixteen")]
const TRACE_PLACES: u32 = TRACE_STEPS as u32;

macro_rules! maps {
    ($($(#[doc = $doc:literal])+ $field:ident $name:literal: $map:ty = $entries_max:expr,)*) => {
        /// Names of all maps that have a typed handle.
        pub const NAMES: &[&str] = &[$($name),*];

        /// What each of them holds, in the order of [`NAMES`].
        pub const TEXTS: &[&str] = &[$(concat!($($doc),+)),*];

        /// The maps of one set.
        #[derive(Debug)]
        pub struct Maps {
            $($(#[doc = $doc])+ pub $field: $map,)*
        }

        impl Maps {
            /// Opens the maps that are pinned in `directory`.
            pub(crate) fn open(directory: &Path, access: Access) -> Result<Self, Error> {
                Ok(Self {
                    $($field: <$map>::open(directory, $name, $entries_max, access)?,)*
                })
            }

            /// The map of a name, seen as keys and values.
            pub(crate) fn table(&self, name: &str) -> Option<&dyn crate::inspect::Table> {
                match name {
                    $($name => Some(&self.$field),)*
                    _ => None,
                }
            }
        }
    };
}

maps! {
    /// This host; one entry.
    config "CONFIG": Array<Config> = 1,
    /// Interfaces by device index.
    devices "DEVICES": Devices = DEVICES_MAX,
    /// Device indexes by the low 16 bits of an interface's number.
    interfaces "INTERFACES": Array<InterfaceRecord> = INTERFACES_MAX,
    /// Ports by slot.
    ports "PORTS": Array<PortRecord> = PORTS_MAX,
    /// What the dataplane keeps of each port.
    port_states "PORT_STATES": Array<PortStateSnapshot> = PORTS_MAX,
    /// Packets and bytes of each port.
    port_counters "PORT_COUNTERS": PerCpu<PortCounters> = PORTS_MAX,
    /// Networks by slot.
    networks "NETWORKS": Array<NetworkRecord> = NETWORKS_MAX,
    /// Subnets by slot.
    subnets "SUBNETS": Array<SubnetRecord> = SUBNETS_MAX,
    /// Where the addresses are.
    mappings "MAPPINGS": Hash<MappingKey, MappingRecord> = MAPPINGS_MAX,
    /// Who speaks for whole networks.
    forwarders "FORWARDERS": Hash<ForwarderKey, u32> = FORWARDERS_MAX,
    /// Prefixes of hosts by slot.
    hosts "HOSTS": Array<HostPrefix> = HOSTS_MAX,
    /// The remembered way to each host.
    next_hops "NEXT_HOPS": Array<NextHopSnapshot> = HOSTS_MAX,
    /// Intervals of policies, route tables and networks.
    intervals "INTERVALS": Array<Interval> = INTERVALS_MAX,
    /// Rows of policies.
    rows "ROWS": Array<Row> = ROWS_MAX,
    /// Policies by slot.
    policies "POLICIES": Array<PolicyRecord> = POLICIES_MAX,
    /// Targets of routes.
    route_targets "ROUTE_TARGETS": Array<RouteTarget> = ROUTE_TARGETS_MAX,
    /// The flows.
    flows "FLOWS": Hash<FlowKey, FlowRecord> = FLOWS_MAX,
    /// Each port's places in the flow table.
    flow_rings "FLOW_RINGS": Array<FlowKey> = FLOWS_MAX,
    /// First fragments.
    fragments "FRAGMENTS": Array<FragmentRecord> = PORTS_MAX * FRAGMENTS_PER_PORT,
    /// Drops by twice the network's slot plus the direction, then by reason.
    drops "DROPS": PerCpu<[u64; DropReason::COUNTERS]> = NETWORKS_MAX * 2,
    /// What is left of each CPU's drop events.
    event_budgets "EVENT_BUDGETS": PerCpu<EventBudget> = 1,
    /// Steps of an `explain`: 1 and the value of each that was taken.
    trace "TRACE": Array<[u64; 2]> = TRACE_PLACES,
    /// The interface that `explain` impersonates.
    explain "EXPLAIN": Array<u32> = 1,
}
