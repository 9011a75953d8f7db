//! An image as the pipeline reads it: what only the agent writes, and nothing else.

use std::cell::Cell;

use inlay_core::{
    drop_reason::DropReason,
    event::DropEvent,
    flow::{Flow, FlowKey, FlowRecord},
    ids::{HostPrefix, Tick},
    pipeline::trace::Step,
    substrate::Tag,
    tables::{
        Config, Direction, ForwarderKey, FragmentRecord, Interval, MappingKey, MappingRecord,
        NetworkRecord, NextHop, PolicyRecord, PortRecord, PortState, Resolved, RouteTarget, Row,
        SubnetRecord, Tables,
    },
};
use inlay_dataplane::image::Image;

/// Reads an image.
pub(crate) struct ImageTables<'a>(pub(crate) &'a Image);

impl Tables for ImageTables<'_> {
    type FlowRef = Box<Flow>;

    fn config(&self) -> Option<&Config> {
        Some(&self.0.config)
    }
    fn device(&self, interface_index: u32) -> Option<u32> {
        self.0.devices.get(&interface_index).copied()
    }
    fn port(&self, slot: u32) -> Option<&PortRecord> {
        self.0.ports.get(&slot)
    }
    fn network(&self, slot: u32) -> Option<&NetworkRecord> {
        self.0.networks.get(&slot)
    }
    fn subnet(&self, slot: u32) -> Option<&SubnetRecord> {
        self.0.subnets.get(&slot)
    }
    fn mapping(&self, key: &MappingKey) -> Option<MappingRecord> {
        self.0.mappings.get(key).copied()
    }
    fn network_of(&self, tag: Tag) -> Option<u32> {
        let own = ForwarderKey {
            prefix: self.0.config.prefix,
            tag,
            reserved: 0,
        };
        self.0.forwarders.get(&own).copied()
    }
    fn is_forwarder(&self, key: &ForwarderKey) -> bool {
        self.0.forwarders.contains_key(key)
    }
    fn host_prefix(&self, slot: u32) -> Option<HostPrefix> {
        self.0.hosts.get(&slot).copied()
    }
    fn interval(&self, index: u32) -> Option<Interval> {
        self.0.intervals.get(&index).copied()
    }
    fn row(&self, index: u32) -> Option<&Row> {
        self.0.rows.get(&index)
    }
    fn policy(&self, slot: u32) -> Option<&PolicyRecord> {
        self.0.policies.get(&slot)
    }
    fn route_target(&self, index: u32) -> Option<RouteTarget> {
        self.0.route_targets.get(&index).copied()
    }
    fn trace(&self, _: Step, _: u64) {}

    fn port_state(&self, _: u32) -> Option<&PortState> {
        unreachable!("the agent does not write it")
    }
    fn count_up(&self, _: &Cell<u64>) -> u64 {
        unreachable!("the agent does not write it")
    }
    fn flow(&self, _: &FlowKey) -> Option<Self::FlowRef> {
        unreachable!("the agent does not write it")
    }
    fn put_flow(&self, _: &FlowKey, _: &FlowRecord) -> bool {
        unreachable!("the agent does not write it")
    }
    fn replace_flow(&self, _: &FlowKey, _: &FlowRecord) -> bool {
        unreachable!("the agent does not write it")
    }
    fn remove_flow(&self, _: &FlowKey) {
        unreachable!("the agent does not write it")
    }
    fn ring(&self, _: u32) -> Option<FlowKey> {
        unreachable!("the agent does not write it")
    }
    fn put_ring(&self, _: u32, _: &FlowKey) {
        unreachable!("the agent does not write it")
    }
    fn fragment(&self, _: u32) -> Option<FragmentRecord> {
        unreachable!("the agent does not write it")
    }
    fn put_fragment(&self, _: u32, _: &FragmentRecord) {
        unreachable!("the agent does not write it")
    }
    fn now(&self) -> Tick {
        unreachable!("the agent does not write it")
    }
    fn next_hop(&self, _: u32) -> Option<&NextHop> {
        unreachable!("the agent does not write it")
    }
    fn resolve(&self, _: HostPrefix) -> Resolved {
        unreachable!("the agent does not write it")
    }
    fn count_drop(&self, _: u32, _: Direction, _: DropReason) {
        unreachable!("the agent does not write it")
    }
    fn count_port(&self, _: u32, _: Direction, _: u32) {
        unreachable!("the agent does not write it")
    }
    fn may_send_event(&self) -> bool {
        unreachable!("the agent does not write it")
    }
    fn send_event(&self, _: &DropEvent) {
        unreachable!("the agent does not write it")
    }
}
