//! The trace of a run, in words.

use inlay_core::{
    ids::VirtualIp,
    pipeline::trace::{FlowFound, NextHopFound, Step},
    tables::{
        limits::PORTS_MAX,
        records::{NONE, RouteKind},
    },
};
use serde::Serialize;

use crate::inspect::{Inspection, route_kind};

/// A step that was taken.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct StepView {
    /// Its name.
    pub step: &'static str,
    /// What it found.
    pub found: String,
}

/// The value of each step that was taken, by its number.
#[derive(Debug)]
pub(super) struct Trace(Vec<Option<u64>>);

impl Trace {
    pub(super) fn new(places: &[[u64; 2]]) -> Self {
        Self(
            places
                .iter()
                .map(|[taken, value]| (*taken != 0).then_some(*value))
                .collect(),
        )
    }

    fn get(&self, step: Step) -> Option<u64> {
        self.0.get(step as usize).copied().flatten()
    }

    fn slot(&self, step: Step) -> Option<u32> {
        self.get(step)
            .and_then(|value| u32::try_from(value).ok())
            .filter(|slot| *slot != NONE)
    }

    /// The port of this host that the packet came to.
    pub(super) fn receiver(&self) -> Option<u32> {
        self.slot(Step::ToPort)
    }

    /// The number of the reason of a drop.
    pub(super) fn dropped(&self) -> Option<u8> {
        self.get(Step::Dropped)
            .and_then(|reason| u8::try_from(reason).ok())
    }
}

/// The rule that was asked last: it decided.
pub(super) fn rule(inspection: &Inspection, trace: &Trace) -> Option<String> {
    let asked = [
        Step::InboundAcl,
        Step::InboundRule,
        Step::OutboundAcl,
        Step::OutboundRule,
    ];
    let last = asked.into_iter().find(|step| trace.get(*step).is_some())?;
    trace
        .slot(last)
        .map(|rule| rule_text(inspection, trace, last, rule))
}

fn rule_text(inspection: &Inspection, trace: &Trace, step: Step, rule: u32) -> String {
    let policy = policy(inspection, trace, step);
    let text = policy.and_then(|policy| inspection.labels.rule(policy, rule));
    match (policy, text) {
        (_, Some(text)) => format!("rule {rule}: {text}"),
        (Some(policy), None) => format!("rule {rule} of policy {policy}"),
        (None, None) => format!("rule {rule}"),
    }
}

/// The policy that a step asked.
fn policy(inspection: &Inspection, trace: &Trace, step: Step) -> Option<u32> {
    let is_inbound = matches!(step, Step::InboundRule | Step::InboundAcl);
    let slot = trace.slot(if is_inbound {
        Step::ToPort
    } else {
        Step::FromPort
    })?;
    let port = inspection.maps.ports.get(slot).ok()?;
    if matches!(step, Step::OutboundRule | Step::InboundRule) {
        return Some(port.policy);
    }
    inspection
        .maps
        .subnets
        .get(port.subnet)
        .ok()
        .map(|subnet| subnet.acl)
}

/// Every step that was taken.
pub(super) fn views(inspection: &Inspection, trace: &Trace) -> Vec<StepView> {
    let view = |&step: &Step| {
        let value = trace.get(step)?;
        Some(StepView {
            step: step.name(),
            found: found(inspection, trace, step, value),
        })
    };
    let mut steps = Step::ALL.to_vec();
    steps.sort_by_key(|step| order(*step));
    steps.iter().filter_map(view).collect()
}

/// When a step is taken by a packet from a node.
const fn order(step: Step) -> u32 {
    match step {
        Step::FromPort | Step::FromHost => 0,
        Step::OutboundFlow => 1,
        Step::OutboundRule => 2,
        Step::OutboundAcl => 3,
        Step::Route => 4,
        Step::Destination => 5,
        Step::ToPort => 6,
        Step::InboundFlow => 7,
        Step::InboundRule => 8,
        Step::InboundAcl => 9,
        Step::NextHop => 10,
        Step::Dropped => 11,
    }
}

fn found(inspection: &Inspection, trace: &Trace, step: Step, value: u64) -> String {
    let slot = u32::try_from(value).unwrap_or(NONE);
    match step {
        Step::FromPort | Step::ToPort => port(inspection, slot),
        Step::FromHost | Step::Destination => host(inspection, slot),
        Step::OutboundFlow | Step::InboundFlow => flow_found(value).to_owned(),
        Step::OutboundRule | Step::InboundRule | Step::OutboundAcl | Step::InboundAcl => {
            match trace.slot(step) {
                Some(rule) => rule_text(inspection, trace, step, rule),
                None => "no rule matches".to_owned(),
            }
        }
        Step::Route => route(value),
        Step::NextHop => next_hop(inspection, value),
        Step::Dropped => {
            let reason = trace
                .dropped()
                .and_then(inlay_core::drop_reason::DropReason::from_number);
            reason.map_or_else(|| value.to_string(), |reason| reason.name().to_owned())
        }
    }
}

fn port(inspection: &Inspection, slot: u32) -> String {
    match inspection.labels.ports.get(&slot) {
        Some(label) => format!("{}/{} ({})", label.network, label.name, label.interface),
        None => format!("port {slot}"),
    }
}

fn host(inspection: &Inspection, slot: u32) -> String {
    let name = inspection
        .labels
        .host(slot)
        .unwrap_or_else(|| format!("host {slot}"));
    match inspection.maps.hosts.get(slot) {
        Ok(prefix) => format!("{name}, {prefix}"),
        Err(_) => name,
    }
}

const fn flow_found(value: u64) -> &'static str {
    const NEW: u64 = FlowFound::New as u64;
    const KNOWN: u64 = FlowFound::Known as u64;
    const STALE: u64 = FlowFound::Stale as u64;
    const RELATED: u64 = FlowFound::Related as u64;
    match value {
        NEW => "none: the packet starts one",
        KNOWN => "known: decided by an earlier packet",
        STALE => "stale: the network has changed, it is decided anew",
        RELATED => "the flow that the error quotes",
        _ => "unknown",
    }
}

fn route(value: u64) -> String {
    let [a, b, c, d, node @ ..] = value.to_le_bytes();
    let kind = u32::from_le_bytes([a, b, c, d]);
    let node = VirtualIp(u32::from_le_bytes(node));
    if kind == RouteKind::VIA_NODE {
        format!("via node {node}")
    } else {
        route_kind(kind)
    }
}

fn next_hop(inspection: &Inspection, value: u64) -> String {
    match value {
        NextHopFound::UNRESOLVED => {
            "not resolved: the kernel asks for the neighbour and forwards the packet".to_owned()
        }
        NextHopFound::UNREACHABLE => "the substrate has no route to the host".to_owned(),
        device => {
            let device = u32::try_from(device).unwrap_or(NONE);
            match inspection.report.uplinks.get(&device) {
                Some(name) => format!("uplink {name}"),
                None => format!("uplink {}", device.saturating_sub(PORTS_MAX)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_holds_the_steps_that_were_taken() {
        let mut places = [[0; 2]; 16];
        places[Step::ToPort as usize] = [1, 0];
        places[Step::InboundRule as usize] = [1, u64::from(NONE)];
        places[Step::Dropped as usize] = [1, 11];
        let trace = Trace::new(&places);
        assert_eq!(trace.receiver(), Some(0));
        assert_eq!(trace.slot(Step::InboundRule), None);
        assert_eq!(trace.dropped(), Some(11));
        assert_eq!(trace.get(Step::FromPort), None);
    }

    #[test]
    fn routes_are_told_in_words() {
        let node = VirtualIp::from_octets([10, 0, 1, 9]);
        assert_eq!(route(u64::from(RouteKind::LOCAL)), "local");
        let via = u64::from(RouteKind::VIA_NODE) | u64::from(node.0) << 32;
        assert_eq!(route(via), "via node 10.0.1.9");
    }
}
