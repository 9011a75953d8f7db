//! What was dropped, and why.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use inlay_core::{
    drop_reason::DropReason,
    event::DropEvent,
    tables::{Direction, records::NONE},
};
use serde::Serialize;

use super::{Inspection, flows::Ends, since_boot};
use crate::Error;

/// Drops of one network, one direction, one reason.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct DropCount {
    /// Name of the network; none where the packet's network was not known.
    pub network: Option<String>,
    /// Its slot; 0 where it was not known.
    pub network_slot: u32,
    /// Which way the packets went.
    pub direction: &'static str,
    /// Why they were dropped.
    pub reason: &'static str,
    /// What that means, and what to look at.
    pub explanation: &'static str,
    /// How many there were.
    pub packets: u64,
}

/// A dropped packet, of those that were sampled.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct DropView {
    /// When it was dropped, in milliseconds since 1970.
    pub unix_time_ms: u64,
    /// Name of the network.
    pub network: Option<String>,
    /// Its slot; 0 where it was not known.
    pub network_slot: u32,
    /// Which way the packet went.
    pub direction: &'static str,
    /// Name of the port.
    pub port: Option<String>,
    /// Its slot.
    pub port_slot: Option<u32>,
    /// The protocol; none where it was dropped before that was read. So below.
    pub protocol: Option<String>,
    /// The message of ICMP.
    pub icmp: Option<String>,
    /// Where the packet came from.
    pub source: Option<String>,
    /// Where it was to go.
    pub destination: Option<String>,
    /// Bytes of the frame.
    pub len_bytes: u32,
    /// Why it was dropped.
    pub reason: &'static str,
    /// What that means, and what to look at.
    pub explanation: &'static str,
    /// The rule that decided: its text where that is known, else its number.
    pub rule: Option<String>,
    /// The network's epoch.
    pub epoch: u32,
    /// The interface that it came from.
    pub interface_index: u32,
}

/// The time of a moment in nanoseconds since boot.
fn unix_time_ms(time_ns: u64) -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let booted = now.saturating_sub(since_boot());
    u64::try_from((booted + Duration::from_nanos(time_ns)).as_millis()).unwrap_or(u64::MAX)
}

const DIRECTIONS: [Direction; 2] = [Direction::Outbound, Direction::Inbound];

impl Inspection {
    /// All counters that are not zero, by network, direction and reason.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn drops(&self) -> Result<Vec<DropCount>, Error> {
        let all = self.maps.drops.all()?;
        let mut counts = Vec::new();
        for (network_slot, by_direction) in (0..).zip(all.chunks_exact(2)) {
            for (direction, cpus) in DIRECTIONS.into_iter().zip(by_direction) {
                for (number, &reason) in DropReason::ALL.iter().enumerate() {
                    let packets = cpus.iter().map(|counters| counters[number]).sum();
                    if packets != 0 {
                        counts.push(self.count(network_slot, direction, reason, packets));
                    }
                }
            }
        }
        Ok(counts)
    }

    fn count(
        &self,
        network_slot: u32,
        direction: Direction,
        reason: DropReason,
        packets: u64,
    ) -> DropCount {
        DropCount {
            network: self.labels.network(network_slot),
            network_slot,
            direction: direction.name(),
            reason: reason.name(),
            explanation: reason.explanation().trim(),
            packets,
        }
    }

    /// A drop event, with names.
    #[must_use]
    pub fn drop_view(&self, event: &DropEvent) -> DropView {
        let Ends {
            protocol,
            icmp,
            local,
            remote,
        } = Ends::of(&event.key);
        let (direction, source, destination) = if event.direction == 0 {
            (Direction::Outbound, local, remote)
        } else {
            (Direction::Inbound, remote, local)
        };
        let reason = DropReason::from_number(event.reason);
        let port_slot = (event.port != NONE).then_some(event.port);
        DropView {
            unix_time_ms: unix_time_ms(event.time_ns),
            network: self.labels.network(event.network),
            network_slot: event.network,
            direction: direction.name(),
            port: port_slot.and_then(|slot| self.labels.port(slot)),
            port_slot,
            protocol,
            icmp,
            source,
            destination,
            len_bytes: event.len_bytes,
            reason: reason.map_or("unknown", DropReason::name),
            explanation: reason.map_or("", |reason| reason.explanation().trim()),
            rule: self.rule_of(event, reason),
            epoch: event.epoch,
            interface_index: event.interface_index,
        }
    }

    /// The text of the rule of the policy that decided: the port's, or its subnet's access list.
    fn rule_of(&self, event: &DropEvent, reason: Option<DropReason>) -> Option<String> {
        if event.rule == NONE {
            return None;
        }
        let number = event.rule.to_string();
        let Ok(port) = self.maps.ports.get(event.port) else {
            return Some(number);
        };
        let policy = if reason == Some(DropReason::Acl) {
            self.maps
                .subnets
                .get(port.subnet)
                .map_or(NONE, |subnet| subnet.acl)
        } else {
            port.policy
        };
        Some(self.labels.rule(policy, event.rule).unwrap_or(number))
    }
}
