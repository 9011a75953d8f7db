//! The ways to other hosts that the dataplane remembers.

use serde::Serialize;

use super::{Inspection, age_s, now};
use crate::{Error, maps::NextHopSnapshot};

/// The way to a host.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct NextHopView {
    /// Name of the host.
    pub host: Option<String>,
    /// Its slot.
    pub host_slot: u32,
    /// Its /64.
    pub prefix: String,
    /// The device index of the uplink.
    pub device: u32,
    /// The uplink's interface number, where it is there.
    pub interface_index: Option<u32>,
    /// The Ethernet address of the next router or host.
    pub destination_mac: String,
    /// The uplink's own.
    pub source_mac: String,
    /// Whether it could be used when it was asked for.
    pub is_usable: bool,
    /// Seconds since it was asked of the kernel's routing.
    pub age_s: u64,
}

impl Inspection {
    /// The ways that were ever asked for, by slot of the host.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn next_hops(&self) -> Result<Vec<NextHopView>, Error> {
        let now = now();
        let used = self
            .maps
            .next_hops
            .used(|next_hop| *next_hop != NextHopSnapshot::default())?;
        let view = |(host_slot, next_hop): (u32, NextHopSnapshot)| {
            Ok(NextHopView {
                host: self.labels.host(host_slot),
                host_slot,
                prefix: self.maps.hosts.get(host_slot)?.to_string(),
                device: next_hop.device(),
                interface_index: self.maps.devices.get(next_hop.device())?,
                destination_mac: next_hop.destination().to_string(),
                source_mac: next_hop.source.to_string(),
                is_usable: next_hop.usable != 0,
                age_s: age_s(next_hop.tick(), now),
            })
        };
        used.into_iter().map(view).collect()
    }
}
