//! Flows, as the ports have them.

use inlay_core::{
    flow::{FlowKey, FlowRecord},
    ids::Tick,
    tables::records::NONE,
    wire::l4::ICMP,
};
use serde::Serialize;

use super::{Inspection, age_s, keys, now};
use crate::Error;

/// A flow.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct FlowView {
    /// Name of the network.
    pub network: Option<String>,
    /// Its number.
    pub vni: u32,
    /// Name of the port.
    pub port: Option<String>,
    /// Its slot.
    pub port_slot: u32,
    /// The protocol.
    pub protocol: String,
    /// The address on the port's side, and its transport port where the protocol has one.
    pub local: String,
    /// The other's.
    pub remote: String,
    /// Which way its first packet went.
    pub origin: &'static str,
    /// How far it is.
    pub state: &'static str,
    /// Name of the remote side's host, as far as it is known.
    pub host: Option<String>,
    /// The rule of the port's policy that allowed it: its text where that is known, else its number.
    pub rule: Option<String>,
    /// Seconds since its first packet.
    pub age_s: u64,
    /// Seconds since a recent packet; the table is brought up to date about once a second.
    pub idle_s: u64,
    /// Whether it is over, and only waits for its place to be taken.
    pub is_expired: bool,
    /// Whether its network has changed since it was decided, so that its next packet is decided anew.
    pub is_stale: bool,
}

impl Inspection {
    /// All flows, by network, port and addresses.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn flows(&self) -> Result<Vec<FlowView>, Error> {
        let now = now();
        let ports = self.maps.ports.all()?;
        let networks = self.maps.networks.all()?;
        let mut all = self.maps.flows.all()?;
        all.sort_unstable_by_key(|(key, record)| (key.vni(), record.port, *key));
        let view = |(key, record): (FlowKey, FlowRecord)| {
            let port = ports.get(record.port as usize).copied().unwrap_or_default();
            let epoch = networks
                .get(port.network as usize)
                .map(|network| network.epoch);
            let rule = (record.rule != NONE).then(|| {
                let text = self.labels.rule(port.policy, record.rule);
                text.unwrap_or_else(|| record.rule.to_string())
            });
            FlowView {
                network: self.labels.network_of_vni(key.vni()),
                vni: key.vni(),
                port: self.labels.port(record.port),
                port_slot: record.port,
                protocol: keys::protocol_name(key.protocol()),
                local: endpoint(&key, key.local, key.local_port()),
                remote: endpoint(&key, key.remote, key.remote_port()),
                origin: record.origin().name(),
                state: record.state().name(),
                host: self.labels.host(record.host),
                rule,
                age_s: age_s(Tick(record.started), now),
                idle_s: age_s(Tick(record.last_seen), now),
                is_expired: record.is_expired(now),
                is_stale: epoch != Some(record.epoch),
            }
        };
        Ok(all.into_iter().map(view).collect())
    }
}

/// An address with its port, where the protocol has ports. An ICMP echo's identifier is one.
pub(crate) fn endpoint(key: &FlowKey, address: inlay_core::ids::VirtualIp, l4_port: u16) -> String {
    let has_none = key.ports == 0 || key.protocol() == ICMP && l4_port == 0;
    if has_none {
        address.to_string()
    } else {
        format!("{address}:{l4_port}")
    }
}
