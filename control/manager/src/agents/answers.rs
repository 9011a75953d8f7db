//! What others ask about hosts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use inlay_api::{
    objects::{Applied, HostCondition, HostPending, Kind, Scope},
    wire::agent::{Answer, Rejection, question::Question},
};
use tokio::{
    sync::oneshot,
    time::{timeout, timeout_at},
};

use super::{
    entry::{Entry, rejection},
    fleet::Fleet,
    settings::ANSWER_TIME,
};
use crate::{
    hosts::{AskError, HostView, Hosts},
    service::Target,
    store::Revision,
};

impl Hosts for Fleet {
    fn subscribers(&self, vni: u32) -> Vec<Arc<str>> {
        self.world.subscribers(vni)
    }

    fn held(&self, vni: u32) -> Revision {
        let present = self.world.revision();
        let subscribers = self.world.subscribers(vni);
        let held = subscribers.iter().map(|host| self.held_by(host));
        let connected = held.filter(|(_, is_connected)| *is_connected);
        connected.map(|(held, _)| held).fold(present, Revision::min)
    }

    fn host(&self, name: &str) -> HostView {
        let desired_revision = self.world.desired(name);
        let has_joined = self.world.identity_revision(name) > 0;
        let hosts = self.hosts();
        let Some(entry) = hosts.get(name) else {
            return HostView {
                state: unseen(has_joined),
                desired_revision,
                ..HostView::default()
            };
        };
        HostView {
            state: if entry.session.is_some() {
                HostCondition::Ready
            } else {
                HostCondition::Unreachable
            },
            agent_version: entry.version.clone(),
            seen_ms: entry.seen_ms,
            desired_revision,
            applied_revision: entry.applied,
            lag_ms: millis(entry.lag(desired_revision)),
            degraded: entry.complaints(),
            clock_skew_ms: entry.clock_skew_ms,
            certificate_ends_s: entry.certificate_ends_s,
        }
    }

    fn degraded(&self, host: &str, network: &str, node: &str) -> Vec<String> {
        let vni = self.world.vni(network);
        let hosts = self.hosts();
        let entry = hosts.get(host);
        entry
            .map(|entry| entry.complaints_of(network, vni, node))
            .unwrap_or_default()
    }

    fn wait_applied(
        &self,
        revision: Revision,
        about: &Target,
        deadline: Instant,
    ) -> BoxFuture<'_, Applied> {
        Box::pin(self.applied(revision, about.clone(), deadline))
    }

    fn ask(&self, host: &str, question: Question) -> BoxFuture<'_, Result<Answer, AskError>> {
        let host = host.to_owned();
        Box::pin(async move { self.question(host, question).await })
    }
}

impl Fleet {
    async fn applied(&self, revision: Revision, about: Target, deadline: Instant) -> Applied {
        let mut changes = self.changes();
        let mut revisions = self.world.revisions();
        let seen = revisions.wait_for(|present| *present >= revision);
        // Where even the world has not come to it, every host is pending that it is known to concern.
        let _ = timeout_at(deadline.into(), seen).await;
        let concerned = self.world.concerned(revision);
        let mut waiting = concerned.unwrap_or_else(|| self.followers(&about));
        loop {
            // Whoever has it need not be looked at again, so that this costs each host once, and each change little.
            while waiting
                .last()
                .is_some_and(|host| self.pending(revision, host).is_none())
            {
                waiting.pop();
            }
            if waiting.is_empty() {
                break;
            }
            match timeout_at(deadline.into(), changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => break,
            }
        }
        let pending: Vec<_> = waiting
            .iter()
            .filter_map(|host| self.pending(revision, host))
            .collect();
        Applied {
            revision,
            complete: pending.is_empty() && self.world.revision() >= revision,
            pending,
        }
    }

    /// Names of the hosts whose maps hold something of an object.
    fn followers(&self, about: &Target) -> Vec<Arc<str>> {
        let network = match about.kind.scope() {
            _ if about.kind == Kind::Host => return vec![Arc::from(about.name.as_str())],
            _ if about.kind == Kind::Network => &about.name,
            Scope::Network => &about.network,
            // No map holds anything of it.
            Scope::System | Scope::Project => return Vec::new(),
        };
        let vni = self.world.vni(&format!("{}/{network}", about.project));
        vni.map_or_else(Vec::new, |vni| self.world.subscribers(vni))
    }

    /// Why a host has not got a revision in its maps; `None`: it has.
    fn pending(&self, revision: Revision, host: &str) -> Option<HostPending> {
        if !self.world.has_host(host) {
            return None;
        }
        let desired = self.world.desired(host);
        let hosts = self.hosts();
        let pending = |applied_revision, reason: String| {
            Some(HostPending {
                host: host.to_owned(),
                applied_revision,
                reason,
            })
        };
        let Some(entry) = hosts.get(host) else {
            return pending(0, disconnected(host));
        };
        // One that has come back says with its first acknowledgement what it rejects.
        let is_silent = entry.session.is_some() && !entry.has_acknowledged;
        if is_silent || !entry.holds(revision, desired) {
            let reason = match entry.session {
                Some(_) => "it has not acknowledged it yet".to_owned(),
                None => disconnected(host),
            };
            return pending(entry.applied, reason);
        }
        let rejected = self.rejected(revision, host, entry)?;
        pending(entry.applied, rejection(rejected))
    }

    /// A resource that the commit changed, and the host rejects.
    fn rejected<'a>(
        &self,
        revision: Revision,
        host: &str,
        entry: &'a Entry,
    ) -> Option<&'a Rejection> {
        let mut rejections = entry.rejections.iter();
        rejections.find(|rejection| {
            let id = (rejection.vni, rejection.kind(), &*rejection.key);
            self.world.changed_by(revision, host, id)
        })
    }

    async fn question(&self, host: String, question: Question) -> Result<Answer, AskError> {
        let questions = {
            let hosts = self.hosts();
            let session = hosts.get(&*host).and_then(|entry| entry.session.as_ref());
            session.map(|session| session.questions.clone())
        };
        let Some(questions) = questions else {
            return Err(AskError::NotConnected(host));
        };
        let (to, answer) = oneshot::channel();
        if questions.try_send((question, to)).is_err() {
            return Err(AskError::TimedOut(host));
        }
        match timeout(ANSWER_TIME, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(AskError::NotConnected(host)),
            Err(_) => Err(AskError::TimedOut(host)),
        }
    }
}

fn unseen(has_joined: bool) -> HostCondition {
    if has_joined {
        HostCondition::Unreachable
    } else {
        HostCondition::Expected
    }
}

fn disconnected(host: &str) -> String {
    format!("it is not connected; look at `inlay host show {host}`, and at its agent")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
