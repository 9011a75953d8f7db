//! Records as JSON, field by field.

use inlay_core::{
    drop_reason::DropReason,
    flow::{FlowKey, FlowRecord},
    ids::{HostPrefix, MacAddress, VirtualIp},
    tables::records::{
        Config, EventBudget, FragmentRecord, InterfaceRecord, Interval, MappingRecord, NONE,
        NetworkRecord, PolicyRecord, PortCounters, PortRecord, RouteKind, RouteTarget, Row, Span,
        SubnetRecord,
    },
};
use serde_json::{Value, json};

use super::keys::Key as _;
use crate::maps::{NextHopSnapshot, PortStateSnapshot};

/// A value of a map that can be shown.
pub(crate) trait Record: aya::Pod {
    /// Its fields.
    fn json(&self) -> Value;

    /// Whether anything was ever written to it.
    fn is_used(&self) -> bool {
        let start = std::ptr::from_ref(self).cast::<u8>();
        // SAFETY: records have no padding, so that each of their bytes can be read.
        unsafe { std::slice::from_raw_parts(start, size_of::<Self>()) }
            .iter()
            .any(|byte| *byte != 0)
    }
}

fn slot(slot: u32) -> Value {
    if slot == NONE {
        Value::Null
    } else {
        json!(slot)
    }
}

fn span(span: Span) -> Value {
    json!({ "base": span.base, "count": span.count })
}

fn text(value: impl std::fmt::Display) -> Value {
    Value::String(value.to_string())
}

pub(crate) fn mac(mac: MacAddress) -> Value {
    text(mac)
}

impl Record for u32 {
    fn json(&self) -> Value {
        json!(self)
    }
}

impl Record for [u64; 2] {
    fn json(&self) -> Value {
        json!({ "taken": self[0] != 0, "value": self[1] })
    }
}

impl Record for [u64; DropReason::COUNTERS] {
    fn json(&self) -> Value {
        let named = DropReason::ALL
            .iter()
            .zip(self)
            .filter(|(_, count)| **count != 0);
        named
            .map(|(reason, count)| (reason.name().to_owned(), json!(count)))
            .collect()
    }
}

impl Record for HostPrefix {
    fn json(&self) -> Value {
        text(self)
    }
}

impl Record for Config {
    fn json(&self) -> Value {
        json!({
            "prefix": text(self.prefix),
            "virtual_mtu": self.virtual_mtu,
            "hop_limit_min": self.hop_limit_min,
        })
    }
}

impl Record for InterfaceRecord {
    fn json(&self) -> Value {
        json!({ "interface_index": self.interface_index, "device": self.device })
    }
}

impl Record for PortRecord {
    fn json(&self) -> Value {
        json!({
            "host_prefix": text(self.host_prefix),
            "mac": mac(self.mac),
            "vni": self.tag.vni().number(),
            "virtual_ip": text(self.virtual_ip),
            "interface_index": self.interface_index,
            "network": self.network,
            "subnet": self.subnet,
            "policy": slot(self.policy),
            "ring_base": self.ring_base,
            "flows_max": u64::from(self.ring_mask) + 1,
            "new_flows_per_s": self.new_flows_per_s,
            "has_more_addresses": self.flags & Self::MORE_ADDRESSES != 0,
            "is_forwarding": self.flags & Self::FORWARDING != 0,
            "has_dhcp": self.flags & Self::DHCP != 0,
        })
    }
}

impl Record for PortStateSnapshot {
    fn json(&self) -> Value {
        json!({ "ring_head": self.ring_head, "started_outbound": self.started_outbound, "started_inbound": self.started_inbound, "window": self.window })
    }
}

impl Record for PortCounters {
    fn json(&self) -> Value {
        json!({
            "outbound": { "packets": self.packets[0], "bytes": self.bytes[0] },
            "inbound": { "packets": self.packets[1], "bytes": self.bytes[1] },
        })
    }
}

impl Record for NetworkRecord {
    fn json(&self) -> Value {
        json!({
            "vni": self.tag.vni().number(),
            "epoch": self.epoch,
            "subnets": span(self.subnets),
        })
    }
}

impl Record for SubnetRecord {
    fn json(&self) -> Value {
        json!({
            "vni": self.tag.vni().number(),
            "network": self.network,
            "virtual_ip": text(self.virtual_ip),
            "mask": text(VirtualIp(self.mask)),
            "gateway": text(self.gateway),
            "acl": slot(self.acl),
            "routes": span(self.routes),
        })
    }
}

impl Record for MappingRecord {
    fn json(&self) -> Value {
        json!({ "host": self.host, "port": slot(self.port), "groups": self.groups })
    }
}

impl Record for NextHopSnapshot {
    fn json(&self) -> Value {
        json!({
            "destination_mac": mac(self.destination()),
            "source_mac": mac(self.source),
            "device": self.device(),
            "renewed": self.renewed,
            "is_usable": self.usable != 0,
        })
    }
}

impl Record for Interval {
    fn json(&self) -> Value {
        json!({ "start": self.start, "value": self.value })
    }
}

impl Record for Row {
    fn json(&self) -> Value {
        json!({ "rules": super::policies::rules_of(self) })
    }
}

impl Record for PolicyRecord {
    fn json(&self) -> Value {
        json!({
            "addresses": span(self.addresses),
            "groups": span(self.groups),
            "services": span(self.services),
            "allow": self.allow,
            "rules": self.rules,
        })
    }
}

/// A kind's name for people.
pub(crate) fn route_kind(kind: u32) -> String {
    match kind {
        RouteKind::UNREACHABLE => "unreachable".to_owned(),
        RouteKind::LOCAL => "local".to_owned(),
        RouteKind::BLACKHOLE => "blackhole".to_owned(),
        RouteKind::VIA_NODE => "via-node".to_owned(),
        other => other.to_string(),
    }
}

impl Record for RouteTarget {
    fn json(&self) -> Value {
        let via = (self.kind == RouteKind::VIA_NODE).then(|| text(self.virtual_ip));
        json!({ "kind": route_kind(self.kind), "virtual_ip": via })
    }
}

impl Record for FlowKey {
    fn json(&self) -> Value {
        text(self.text())
    }
}

impl Record for FlowRecord {
    fn json(&self) -> Value {
        json!({
            "state": self.state().name(),
            "origin": self.origin().name(),
            "allowed": self.allowed,
            "port": self.port,
            "peer_port": slot(self.peer_port),
            "host": slot(self.host),
            "inbound_prefix": text(self.inbound_prefix),
            "outbound_prefix": text(self.outbound_prefix),
            "epoch": self.epoch,
            "rule": slot(self.rule),
            "ring": self.ring,
            "started": self.started,
            "last_seen": self.last_seen,
            "is_routed": self.flags & Self::ROUTED != 0,
        })
    }
}

impl Record for FragmentRecord {
    fn json(&self) -> Value {
        json!({
            "local": text(self.key.local),
            "remote": text(self.key.remote),
            "datagram": self.key.datagram,
            "ports": self.ports,
            "seen": self.seen,
        })
    }
}

impl Record for EventBudget {
    fn json(&self) -> Value {
        json!({ "window": self.window, "sent": self.sent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_unused() {
        assert!(!PortRecord::default().is_used());
        assert!(
            PortRecord {
                flags: 1,
                ..PortRecord::default()
            }
            .is_used()
        );
    }

    #[test]
    fn records_show_addresses_as_people_write_them() {
        let record = PortRecord {
            virtual_ip: VirtualIp::from_octets([10, 0, 1, 10]),
            mac: MacAddress::from_octets([2, 0, 0, 0, 0, 1]),
            policy: NONE,
            flags: PortRecord::FORWARDING,
            ..PortRecord::default()
        };
        let shown = record.json();
        assert_eq!(shown["virtual_ip"], "10.0.1.10");
        assert_eq!(shown["mac"], "02:00:00:00:00:01");
        assert_eq!(shown["policy"], Value::Null);
        assert_eq!(shown["is_forwarding"], true);
        let mut counts = [0; DropReason::COUNTERS];
        counts[DropReason::Acl as usize] = 3;
        assert_eq!(counts.json(), json!({ "acl": 3 }));
    }
}
