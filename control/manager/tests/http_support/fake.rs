//! A service that does what a test tells it, and hosts of the same kind.

#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use inlay_api::{
    objects::{Applied, AuditEntry, HostCondition, HostPending, Kind, List, Plan, Problem, Role},
    wire::agent::{Answer, answer, question::Question},
};
use inlay_manager::{
    hosts::{AskError, HostView, Hosts},
    http::{self, AuditQuery, Verbs},
    service::{Actor, Listing, Mutation, Outcome, Target},
    store::Revision,
};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

/// Answers every request; remembers what changed something.
#[derive(Debug)]
pub(crate) struct Fake {
    pub(crate) mutations: Mutex<Vec<Mutation>>,
    /// Mutations that have begun.
    pub(crate) begun: AtomicUsize,
    /// Each mutation takes a permit of it, so that a test may hold them.
    pub(crate) gate: Semaphore,
    pub(crate) began: Notify,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            mutations: Mutex::default(),
            begun: AtomicUsize::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            began: Notify::default(),
        }
    }
}

impl Fake {
    /// One whose mutations wait until permits are added to `gate`.
    pub(crate) fn held() -> Self {
        Self {
            gate: Semaphore::new(0),
            ..Self::default()
        }
    }

    pub(crate) fn done(&self) -> usize {
        self.mutations.lock().unwrap().len()
    }

    pub(crate) fn last(&self) -> Mutation {
        self.mutations.lock().unwrap().last().unwrap().clone()
    }

    fn object(target: &Target) -> Value {
        let name = if target.name.is_empty() {
            "made"
        } else {
            &target.name
        };
        let mut object = json!({
            "kind": target.kind.name(),
            "metadata": {"name": name, "project": target.project, "revision": 7},
            "spec": {}, "status": {}
        });
        match target.kind {
            Kind::Network => {
                object["spec"] = json!({"cidrs": ["10.0.0.0/16"]});
                object["status"] = json!({"vni": 9});
            }
            Kind::Node => {
                object["spec"] = json!({"subnet": "a"});
                object["status"] = json!({"host": "h1"});
            }
            _ => {}
        }
        object
    }
}

impl Verbs for Fake {
    fn authenticate<'a>(&'a self, secret: &'a str) -> BoxFuture<'a, Option<Actor>> {
        let actor = |role, project: Option<&str>| Actor {
            token: format!("token-of-{secret}"),
            role,
            project: project.map(str::to_owned),
        };
        ready(match secret {
            "admin" => Some(actor(Role::Admin, None)),
            "editor" => Some(actor(Role::Editor, Some("acme"))),
            _ => None,
        })
        .boxed()
    }

    fn read<'a>(&'a self, _: &'a Actor, target: &'a Target) -> http::Answer<'a, Value> {
        assert_ne!(target.name, "bug", "a test wants a panic");
        ready(Ok(Self::object(target))).boxed()
    }

    fn list(&self, listing: Listing) -> http::Answer<'_, List<Value>> {
        let host = |name: &str, prefix: &str| {
            json!({"metadata": {"name": name}, "spec": {"prefix": prefix},
                "status": {"state": "ready", "lag_ms": 3}})
        };
        let items = if listing.target.kind == Kind::Host {
            vec![
                host("h1", "2001:db8:0:1::/64"),
                host("h2", "2001:db8:0:2::/64"),
            ]
        } else {
            // More than the buffers of a connection hold.
            vec![json!({"text": "x".repeat(1 << 14)}); listing.limit]
        };
        let list = List {
            items,
            next_page_token: None,
        };
        ready(Ok(list)).boxed()
    }

    fn mutate(&self, mutation: Mutation) -> http::Answer<'_, Outcome> {
        async move {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.began.notify_one();
            assert_ne!(mutation.target.name, "bug", "a test wants a panic");
            self.gate.acquire().await.unwrap().forget();
            let body = Self::object(&mutation.target);
            let dry_run = mutation.dry_run;
            self.mutations.lock().unwrap().push(mutation);
            if dry_run {
                return Ok(Outcome::Planned(Plan::default()));
            }
            Ok(Outcome::Done {
                revision: 7,
                status: 201,
                body,
            })
        }
        .boxed()
    }

    fn audit(&self, _: AuditQuery) -> http::Answer<'_, List<AuditEntry>> {
        let list = List {
            items: vec![AuditEntry::default()],
            next_page_token: None,
        };
        ready(Ok::<_, Problem>(list)).boxed()
    }
}

/// Hosts that have applied everything, or of which `pending` has not.
#[derive(Debug, Default)]
pub(crate) struct FakeHosts {
    pub(crate) pending: Option<String>,
    pub(crate) asked: Mutex<Vec<(String, Question)>>,
}

impl Hosts for FakeHosts {
    fn subscribers(&self, _: u32) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn held(&self, _: u32) -> Revision {
        Revision::MAX
    }

    fn host(&self, _: &str) -> HostView {
        HostView {
            state: HostCondition::Ready,
            ..HostView::default()
        }
    }

    fn degraded(&self, _: &str, _: &str, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn wait_applied(
        &self,
        revision: Revision,
        _: &Target,
        deadline: Instant,
    ) -> BoxFuture<'_, Applied> {
        let pending = self.pending.iter().map(|host| HostPending {
            host: host.clone(),
            applied_revision: revision - 1,
            reason: "it is not connected".into(),
        });
        let applied = Applied {
            revision,
            complete: self.pending.is_none(),
            pending: pending.collect(),
        };
        async move {
            if !applied.complete {
                let never = std::future::pending::<()>();
                let _ = tokio::time::timeout_at(deadline.into(), never).await;
            }
            applied
        }
        .boxed()
    }

    /// `h1` sends to `h2`, which delivers; others are not connected.
    fn ask(&self, host: &str, question: Question) -> BoxFuture<'_, Result<Answer, AskError>> {
        let mut frame = vec![0; 60];
        frame[12..14].copy_from_slice(&[0x86, 0xdd]);
        frame[38..46].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 2]);
        let (verdict, frame) = match &question {
            Question::ExplainOutbound(_) => ("sent", frame),
            Question::ExplainInbound(_) => ("delivered", Vec::new()),
        };
        self.asked.lock().unwrap().push((host.to_owned(), question));
        let answer = Answer {
            id: 1,
            answer: Some(answer::Answer::Explanation(
                json!({"verdict": verdict}).to_string(),
            )),
            frame,
        };
        let is_gone = self.pending.as_deref() == Some(host);
        ready(if is_gone {
            Err(AskError::NotConnected(host.to_owned()))
        } else {
            Ok(answer)
        })
        .boxed()
    }
}
