//! The way of a packet: the sending node's host is asked what becomes of it, then the host that it is sent to.

use std::net::{Ipv4Addr, Ipv6Addr};

use inlay_api::{
    objects::{Kind, Network, Node, Role, Trace, TraceDirection, TraceStep},
    wire::agent::{Answer, ExplainInbound, ExplainOutbound, question::Question},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Api,
    handle::Call,
    problems::{Failure, not_found, wrong_field},
    status::hosts,
};
use crate::service::{Actor, Target};

/// Ethernet header, then where the IPv6 header has its destination (RFC 8200, section 3).
const ETHERTYPE_AT: usize = 12;
const IPV6_ETHERTYPE: [u8; 2] = [0x86, 0xdd];
const DESTINATION_AT: usize = 14 + 24;
/// Bytes of a host's prefix.
const PREFIX_BYTES: usize = 8;

/// Traces the packet that `call` asks about. Whoever may read the node and its network may.
///
/// # Errors
/// The problem of reading them.
pub(crate) async fn trace(api: &Api, call: &Call) -> Result<Trace, Failure> {
    let from = &call.query.from;
    from.parse::<inlay_api::Name>()
        .map_err(|wrong| wrong_field("from", wrong.to_string()))?;
    let network: Network = read(api, call, Kind::Network, &call.path.network).await?;
    let node: Node = read(api, call, Kind::Node, from).await?;
    let mut way = Way::default();
    let question = Question::ExplainOutbound(ExplainOutbound {
        vni: network.status.vni,
        node: from.clone(),
        destination: call.query.to.map_or(0, Ipv4Addr::to_bits),
        protocol: call.query.protocol.name().to_owned(),
        destination_port: call.query.port.map_or(0, u32::from),
    });
    let host = node.status.host;
    let frame = way
        .ask(api, &host, TraceDirection::Outbound, question)
        .await;
    if let Some(prefix) = frame.as_deref().and_then(destination_prefix) {
        match host_of(api, prefix).await? {
            Some(next) if next == host => {}
            Some(next) => {
                let frame = frame.unwrap_or_default();
                let question = Question::ExplainInbound(ExplainInbound { frame });
                way.ask(api, &next, TraceDirection::Inbound, question).await;
            }
            None => way.stop("it is sent to a prefix that no host has".into()),
        }
    }
    Ok(way.trace)
}

async fn read<T: DeserializeOwned>(
    api: &Api,
    call: &Call,
    kind: Kind,
    name: &str,
) -> Result<T, Failure> {
    let network = if kind == Kind::Network {
        ""
    } else {
        &call.path.network
    };
    let target = Target {
        kind,
        project: call.path.project.clone(),
        network: network.to_owned(),
        name: name.to_owned(),
    };
    let object = api.verbs.read(&call.actor, &target).await?;
    serde_json::from_value(object).map_err(|_| not_found("no such object"))
}

/// The host that has a prefix. Clients see no hosts, so that the manager asks for itself.
async fn host_of(api: &Api, prefix: [u8; PREFIX_BYTES]) -> Result<Option<String>, Failure> {
    let manager = Actor {
        token: "manager".to_owned(),
        role: Role::Admin,
        project: None,
    };
    let hosts = hosts(&*api.verbs, &manager).await?;
    let found = hosts.into_iter().find(|host| {
        let address = host.spec.prefix.split('/').next().unwrap_or_default();
        let address = address.parse::<Ipv6Addr>();
        address.is_ok_and(|address| address.octets().starts_with(&prefix))
    });
    Ok(found.map(|host| host.metadata.name))
}

/// The prefix that a frame is sent to, if it is an IPv6 packet.
fn destination_prefix(frame: &[u8]) -> Option<[u8; PREFIX_BYTES]> {
    let ethertype = frame.get(ETHERTYPE_AT..ETHERTYPE_AT + 2)?;
    let prefix = frame.get(DESTINATION_AT..DESTINATION_AT + PREFIX_BYTES)?;
    (ethertype == IPV6_ETHERTYPE).then(|| prefix.try_into().ok())?
}

#[derive(Default)]
struct Way {
    trace: Trace,
}

impl Way {
    /// Asks a host; returns the frame as it leaves, where it does.
    async fn ask(
        &mut self,
        api: &Api,
        host: &str,
        direction: TraceDirection,
        question: Question,
    ) -> Option<Vec<u8>> {
        if host.is_empty() {
            self.stop("the node is on no host".into());
            return None;
        }
        match api.hosts.ask(host, question).await {
            Ok(answer) => self.add(host, direction, answer),
            Err(error) => {
                self.stop(error.to_string());
                None
            }
        }
    }

    fn add(&mut self, host: &str, direction: TraceDirection, answer: Answer) -> Option<Vec<u8>> {
        use inlay_api::wire::agent::answer::Answer as Said;
        let explanation: Value = match answer.answer {
            Some(Said::Explanation(text)) => serde_json::from_str(&text).unwrap_or_default(),
            Some(Said::Error(error)) => {
                self.stop(format!("host {host}: {error}"));
                return None;
            }
            None => Value::Null,
        };
        let Some(verdict) = explanation["verdict"].as_str() else {
            self.stop(format!("host {host} has answered what is no explanation"));
            return None;
        };
        verdict.clone_into(&mut self.trace.verdict);
        self.trace.steps.push(TraceStep {
            host: host.to_owned(),
            direction,
            explanation,
        });
        Some(answer.frame).filter(|frame| !frame.is_empty())
    }

    /// The rest of the way is not known.
    fn stop(&mut self, reason: String) {
        "unknown".clone_into(&mut self.trace.verdict);
        self.trace.reason = reason;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_destination_of_an_ipv6_frame_is_found() {
        let mut frame = vec![0; 60];
        frame[ETHERTYPE_AT..ETHERTYPE_AT + 2].copy_from_slice(&IPV6_ETHERTYPE);
        frame[DESTINATION_AT..DESTINATION_AT + 8].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(destination_prefix(&frame), Some([1, 2, 3, 4, 5, 6, 7, 8]));
        frame[ETHERTYPE_AT] = 8;
        assert_eq!(destination_prefix(&frame), None);
        assert_eq!(destination_prefix(&frame[..20]), None);
    }
}
