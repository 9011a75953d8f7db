//! Flows, as the ports have them.

use inlay_core::{
    flow::{FlowKey, FlowRecord},
    ids::{Tick, VirtualIp},
    tables::records::NONE,
    wire::l4::{ICMP, TCP, UDP},
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
    /// The message of ICMP, like `echo 77` with its identifier.
    pub icmp: Option<String>,
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
            let ends = Ends::of(&key);
            FlowView {
                network: self.labels.network_of_vni(key.vni()),
                vni: key.vni(),
                port: self.labels.port(record.port),
                port_slot: record.port,
                protocol: ends.protocol.unwrap_or_default(),
                icmp: ends.icmp,
                local: ends.local.unwrap_or_default(),
                remote: ends.remote.unwrap_or_default(),
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

/// What a key says of the packets, as far as it was known.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Ends {
    pub(crate) protocol: Option<String>,
    pub(crate) icmp: Option<String>,
    pub(crate) local: Option<String>,
    pub(crate) remote: Option<String>,
}

impl Ends {
    pub(crate) fn of(key: &FlowKey) -> Self {
        if key.local.0 == 0 && key.remote.0 == 0 {
            return Self::default();
        }
        let has_ports = matches!(key.protocol(), TCP | UDP) && key.ports != 0;
        let end = |address: VirtualIp, l4_port: u16| {
            Some(if has_ports {
                format!("{address}:{l4_port}")
            } else {
                address.to_string()
            })
        };
        Self {
            protocol: Some(keys::protocol_name(key.protocol())),
            icmp: icmp(key),
            local: end(key.local, key.local_port()),
            remote: end(key.remote, key.remote_port()),
        }
    }
}

/// The message of an ICMP key, where it was read.
fn icmp(key: &FlowKey) -> Option<String> {
    if key.protocol() != ICMP || key.ports == 0 {
        return None;
    }
    let [kind, code] = key.remote_port().to_be_bytes();
    Some(if key.is_echo() {
        format!("echo {}", key.local_port())
    } else {
        format!("type {kind} code {code}")
    })
}

#[cfg(test)]
mod tests {
    use inlay_core::{ids::Vni, substrate::Tag, wire::l4::SENDER_ASKS};

    use super::*;

    #[test]
    fn the_ends_of_a_flow() {
        let tag = Tag::ipv4(Vni::new(7).unwrap());
        let ip = |last| VirtualIp::from_octets([10, 0, 0, last]);
        let ports =
            |first: u16, second: u16| u32::from(first.to_be()) | u32::from(second.to_be()) << 16;
        let text = |protocol, ports| {
            let ends = Ends::of(&FlowKey::new(tag, protocol, ip(1), ip(2), ports, 0));
            let all = [ends.protocol, ends.icmp, ends.local, ends.remote];
            all.into_iter().flatten().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(text(TCP, ports(1000, 80)), "tcp 10.0.0.1:1000 10.0.0.2:80");
        assert_eq!(text(UDP, 0), "udp 10.0.0.1 10.0.0.2");
        let echo = ports(77, SENDER_ASKS.to_be());
        assert_eq!(text(ICMP, echo), "icmp echo 77 10.0.0.1 10.0.0.2");
        let unreachable = ports(0xffff, 0x0301);
        assert_eq!(
            text(ICMP, unreachable),
            "icmp type 3 code 1 10.0.0.1 10.0.0.2"
        );
        assert_eq!(text(50, 0), "50 10.0.0.1 10.0.0.2");
        assert_eq!(Ends::of(&FlowKey::default()), Ends::default());
    }
}
