//! The map types, marked as plain old data for aya.

#![cfg(feature = "aya")]
#![expect(unsafe_code, reason = "aya's marker trait is unsafe")]

use crate::{
    event::DropEvent,
    flow::{FlowKey, FlowRecord},
    ids::HostPrefix,
    tables::records::{
        Config, EventBudget, ForwarderKey, FragmentRecord, InterfaceRecord, Interval, MappingKey,
        MappingRecord, NetworkRecord, PolicyRecord, PortCounters, PortRecord, RouteTarget, Row,
        SubnetRecord,
    },
};

macro_rules! plain_old_data {
    ($($record:ty,)*) => {$(
        // SAFETY: it is `repr(C)` or `repr(transparent)` over integers, its size is asserted to be
        // that of its fields, and every bit pattern is one of its values.
        unsafe impl aya::Pod for $record {}
    )*};
}

plain_old_data! {
    Config,
    DropEvent,
    EventBudget,
    FlowKey,
    FlowRecord,
    ForwarderKey,
    FragmentRecord,
    HostPrefix,
    InterfaceRecord,
    Interval,
    MappingKey,
    MappingRecord,
    NetworkRecord,
    PolicyRecord,
    PortCounters,
    PortRecord,
    RouteTarget,
    Row,
    SubnetRecord,
}
