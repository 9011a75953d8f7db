//! What is known of one host in memory: it is gone when the manager ends, and comes back with the host's next stream.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use inlay_api::wire::{
    HOST_SCOPE,
    agent::{Answer, Degraded, Kind, Rejection, question::Question},
};
use tokio::sync::{Notify, mpsc, oneshot};

use super::settings::{COMPLAINTS_MAX, REASON_BYTES_MAX};
use crate::store::Revision;

/// A question, and where its answer goes.
pub(super) type Asked = (Question, oneshot::Sender<Answer>);

/// The open stream of a host, for those who want something of it.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) id: u64,
    /// Notified when another stream of the same host takes its place.
    pub(super) superseded: Arc<Notify>,
    pub(super) questions: mpsc::Sender<Asked>,
}

#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) session: Option<Handle>,
    pub(super) version: String,
    pub(super) seen_ms: Option<i64>,
    /// The revision that its maps hold.
    pub(super) applied: Revision,
    /// Since when it has been sent something that it has not acknowledged, or has been gone.
    pub(super) behind_since: Option<Instant>,
    /// Since when it has no stream.
    pub(super) gone_since: Option<Instant>,
    pub(super) rejections: Vec<Rejection>,
    /// Whether it has acknowledged something on its stream: before, what it rejects is not known.
    pub(super) has_acknowledged: bool,
    pub(super) degraded: Vec<Degraded>,
    pub(super) clock_skew_ms: i64,
    pub(super) certificate_ends_s: Option<i64>,
}

impl Entry {
    /// Whether its maps hold a revision, where `desired` is the last one that concerns it.
    pub(super) fn holds(&self, revision: Revision, desired: Revision) -> bool {
        self.applied >= revision || self.applied >= desired
    }

    pub(super) fn lag(&self, desired: Revision) -> Duration {
        let since = self.behind_since.filter(|_| self.applied < desired);
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    pub(super) fn reject(&mut self, mut rejections: Vec<Rejection>) {
        rejections.truncate(COMPLAINTS_MAX);
        for rejection in &mut rejections {
            shorten(&mut rejection.reason);
        }
        self.rejections = rejections;
        self.has_acknowledged = true;
    }

    /// Notes that a stream begins, on which nothing was said yet.
    pub(super) fn begin(&mut self) {
        self.rejections.clear();
        self.degraded.clear();
        self.has_acknowledged = false;
    }

    pub(super) fn degrade(&mut self, mut degraded: Vec<Degraded>) {
        degraded.truncate(COMPLAINTS_MAX);
        for port in &mut degraded {
            shorten(&mut port.reason);
        }
        self.degraded = degraded;
    }

    /// All that does not work on the host, for people.
    pub(super) fn complaints(&self) -> Vec<String> {
        let degraded = self.degraded.iter().map(complaint);
        degraded.chain(self.unreported().map(rejection)).collect()
    }

    /// What it rejects and does not report too: an attachment that cannot be made is a port that does not work.
    fn unreported(&self) -> impl Iterator<Item = &Rejection> {
        let is_reported =
            |rejection: &Rejection| self.degraded.iter().any(|it| it.reason == rejection.reason);
        self.rejections.iter().filter(move |it| !is_reported(it))
    }

    /// What does not work of one node's port.
    pub(super) fn complaints_of(&self, network: &str, vni: Option<u32>, node: &str) -> Vec<String> {
        let ports = self.degraded.iter();
        let ports = ports.filter(|port| port.network == network && port.node == node);
        let rejected = self.unreported();
        let rejected =
            rejected.filter(|rejection| vni.is_some_and(|vni| is_of(rejection, vni, node)));
        ports
            .map(|port| port.reason.clone())
            .chain(rejected.map(|rejection| rejection.reason.clone()))
            .collect()
    }

    /// Whether it has said what it rejects, and neither the attachment of a node nor the node itself is among it.
    pub(super) fn accepts(&self, vni: u32, node: &str) -> bool {
        let mut rejections = self.rejections.iter();
        self.has_acknowledged && !rejections.any(|rejection| is_of(rejection, vni, node))
    }
}

fn is_of(rejection: &Rejection, vni: u32, node: &str) -> bool {
    match rejection.kind() {
        Kind::Attachment => {
            let key = rejection.key.split_once('/');
            rejection.vni == HOST_SCOPE
                && key.is_some_and(|(of, name)| of.parse() == Ok(vni) && name == node)
        }
        Kind::Node => rejection.vni == vni && rejection.key == node,
        _ => false,
    }
}

/// A rejected resource, for people.
pub(super) fn rejection(rejection: &Rejection) -> String {
    let kind = rejection.kind().as_str_name().trim_start_matches("KIND_");
    let kind = kind.to_ascii_lowercase().replace('_', "-");
    let Rejection {
        vni, key, reason, ..
    } = rejection;
    let of = match *vni {
        HOST_SCOPE => String::new(),
        vni => format!(" of the network with VNI {vni}"),
    };
    format!("{kind} {key}{of} is not in force: {reason}")
}

fn complaint(port: &Degraded) -> String {
    let Degraded {
        interface,
        network,
        node,
        reason,
    } = port;
    if node.is_empty() {
        return format!("{interface}: {reason}");
    }
    format!("{interface}, node {node} of {network}: {reason}")
}

fn shorten(text: &mut String) {
    let mut end = REASON_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(vni: u32, kind: Kind, key: &str) -> Rejection {
        Rejection {
            vni,
            kind: kind.into(),
            key: key.into(),
            reason: "no such interface".into(),
        }
    }

    #[test]
    fn a_rejection_is_of_its_node_and_of_no_other() {
        let mut entry = Entry::default();
        entry.reject(vec![
            rejected(0, Kind::Attachment, "7/web"),
            rejected(8, Kind::Node, "db"),
            rejected(8, Kind::Acl, "web"),
        ]);
        assert!(!entry.accepts(7, "web") && !entry.accepts(8, "db"));
        for (vni, node) in [(7, "db"), (8, "web"), (70, "web"), (7, "we")] {
            assert!(entry.accepts(vni, node), "{vni} {node}");
        }
        assert_eq!(
            entry.complaints_of("acme/main", Some(7), "web"),
            ["no such interface"]
        );
        assert_eq!(
            entry.complaints()[2],
            "acl web of the network with VNI 8 is not in force: no such interface"
        );
    }

    #[test]
    fn what_is_reported_too_is_told_once() {
        let mut entry = Entry::default();
        entry.reject(vec![rejected(0, Kind::Attachment, "7/web")]);
        entry.degrade(vec![Degraded {
            interface: "eno7".into(),
            network: "acme/main".into(),
            node: "web".into(),
            reason: "no such interface".into(),
        }]);
        assert_eq!(entry.complaints().len(), 1);
        let told = entry.complaints_of("acme/main", Some(7), "web");
        assert_eq!(told, ["no such interface"]);
        entry.begin();
        assert!(entry.complaints().is_empty() && !entry.accepts(7, "web"));
    }

    #[test]
    fn what_an_agent_says_is_bounded() {
        let mut entry = Entry::default();
        let mut long = rejected(0, Kind::Attachment, "7/web");
        long.reason = "ä".repeat(REASON_BYTES_MAX);
        entry.reject(vec![long; COMPLAINTS_MAX + 1]);
        assert_eq!(entry.rejections.len(), COMPLAINTS_MAX);
        assert_eq!(entry.rejections[0].reason.len(), REASON_BYTES_MAX);
    }
}
