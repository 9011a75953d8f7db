//! What the tests of the service run on: a store in memory, hosts that are as a test says, a clock that it turns.

#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub(crate) mod memory_store;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use inlay_api::objects::{Applied, HostCondition, JoinToken, Kind, Labels, Plan, Problem, Role};
use inlay_api::wire::agent::{Answer, question::Question};
use inlay_manager::hosts::{AskError, HostView, Hosts};
use inlay_manager::service::{
    Action, Actor, JoinTokens, Listing, Mutation, Outcome, Service, ServiceSettings, Target,
};
use inlay_manager::store::{Revision, Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub(crate) use memory_store::MemoryStore;

/// Seconds of quarantine in tests.
pub(crate) const QUARANTINE_S: u32 = 600;

/// Hosts as a test says they are; those that it says nothing of are ready.
#[derive(Debug, Default)]
pub(crate) struct FakeHosts {
    pub(crate) views: Mutex<HashMap<String, HostView>>,
    pub(crate) held: Mutex<HashMap<u32, Revision>>,
    pub(crate) degraded: Mutex<HashMap<String, Vec<String>>>,
    pub(crate) subscribers: Mutex<HashMap<u32, BTreeSet<String>>>,
}

impl FakeHosts {
    pub(crate) fn set_state(&self, host: &str, state: HostCondition) {
        let view = HostView {
            state,
            applied_revision: Revision::MAX,
            ..HostView::default()
        };
        self.views.lock().unwrap().insert(host.into(), view);
    }
}

impl Hosts for FakeHosts {
    fn subscribers(&self, vni: u32) -> Vec<Arc<str>> {
        let subscribers = self.subscribers.lock().unwrap();
        let names = subscribers.get(&vni).into_iter().flatten();
        names.map(|name| Arc::from(name.as_str())).collect()
    }

    fn held(&self, vni: u32) -> Revision {
        let held = self.held.lock().unwrap();
        held.get(&vni).copied().unwrap_or(Revision::MAX)
    }

    fn host(&self, name: &str) -> HostView {
        let views = self.views.lock().unwrap();
        views.get(name).cloned().unwrap_or(HostView {
            state: HostCondition::Ready,
            applied_revision: Revision::MAX,
            ..HostView::default()
        })
    }

    fn degraded(&self, _host: &str, network: &str, node: &str) -> Vec<String> {
        let degraded = self.degraded.lock().unwrap();
        let key = format!("{network}/{node}");
        degraded.get(&key).cloned().unwrap_or_default()
    }

    fn wait_applied(&self, revision: Revision, _: &Target, _: Instant) -> BoxFuture<'_, Applied> {
        let applied = Applied {
            revision,
            complete: true,
            pending: Vec::new(),
        };
        async move { applied }.boxed()
    }

    fn ask(&self, host: &str, _: Question) -> BoxFuture<'_, Result<Answer, AskError>> {
        let error = AskError::NotConnected(host.to_owned());
        async move { Err(error) }.boxed()
    }
}

/// Join tokens, counted.
#[derive(Debug, Default)]
pub(crate) struct FakeJoinTokens(Mutex<u32>);

impl JoinTokens for FakeJoinTokens {
    fn issue<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<JoinToken, StoreError>> {
        let mut count = self.0.lock().unwrap();
        *count += 1;
        let token = JoinToken {
            token: format!("{host}-{count}"),
            expires_at: String::new(),
        };
        async move { Ok(token) }.boxed()
    }
}

/// A service with its surroundings.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hosts: Arc<FakeHosts>,
    pub(crate) service: Arc<Service>,
    clock: Arc<Mutex<Timestamp>>,
}

pub(crate) fn admin() -> Actor {
    Actor {
        token: "root".into(),
        role: Role::Admin,
        project: None,
    }
}

pub(crate) fn editor(project: &str) -> Actor {
    Actor {
        token: format!("{project}-editor"),
        role: Role::Editor,
        project: Some(project.into()),
    }
}

pub(crate) fn reader(project: &str) -> Actor {
    Actor {
        token: format!("{project}-reader"),
        role: Role::Reader,
        project: Some(project.into()),
    }
}

/// `acme/main/web` as the target of a kind; as many parts as the kind has, the name may be left out.
pub(crate) fn target(kind: Kind, path: &str) -> Target {
    use inlay_api::objects::Scope;
    let mut parts = path.split('/').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    let (project, network) = match kind.scope() {
        Scope::System => (String::new(), String::new()),
        Scope::Project => (next(), String::new()),
        Scope::Network => (next(), next()),
    };
    Target {
        kind,
        project,
        network,
        name: next(),
    }
}

pub(crate) fn mutation(kind: Kind, path: &str, action: Action) -> Mutation {
    Mutation {
        actor: admin(),
        target: target(kind, path),
        action,
        if_match: None,
        dry_run: false,
        idempotency_key: None,
    }
}

pub(crate) fn create(spec: &Value) -> Action {
    Action::Create {
        body: json!({ "spec": spec }),
        count: None,
    }
}

pub(crate) fn create_many(spec: &Value, count: u32) -> Action {
    Action::Create {
        body: json!({ "spec": spec }),
        count: Some(count),
    }
}

pub(crate) fn replace(spec: &Value) -> Action {
    Action::Replace {
        body: json!({ "spec": spec }),
    }
}

pub(crate) fn move_to(host: Option<&str>) -> Action {
    Action::Move {
        body: match host {
            Some(host) => json!({ "host": host }),
            None => json!({}),
        },
    }
}

impl World {
    /// On a store in memory.
    pub(crate) async fn new() -> Self {
        Self::on(Arc::new(MemoryStore::default())).await
    }

    pub(crate) async fn on(store: Arc<dyn Store>) -> Self {
        let hosts = Arc::new(FakeHosts::default());
        let clock = Arc::new(Mutex::new("2030-01-01T00:00:00Z".parse().unwrap()));
        let service = open(&store, &hosts, &clock).await;
        Self {
            store,
            hosts,
            service,
            clock,
        }
    }

    /// With project `acme`, hosts `a`, `b` and `c`, network `acme/main` and in it subnet `front`.
    pub(crate) async fn furnished() -> Self {
        let world = Self::new().await;
        world.furnish().await;
        world
    }

    pub(crate) async fn furnish(&self) {
        self.made(Kind::Project, "acme", &json!({})).await;
        for (place, host) in ["a", "b", "c"].into_iter().enumerate() {
            let prefix = format!("2001:db8:0:{}::/64", place + 1);
            self.made(Kind::Host, host, &json!({ "prefix": prefix }))
                .await;
        }
        let network = json!({ "cidrs": ["10.0.0.0/16"] });
        self.made(Kind::Network, "acme/main", &network).await;
        let subnet = json!({ "cidr": "10.0.1.0/24" });
        self.made(Kind::Subnet, "acme/main/front", &subnet).await;
    }

    /// Another manager on the same store.
    pub(crate) async fn beside(&self) -> Self {
        Self {
            store: self.store.clone(),
            hosts: self.hosts.clone(),
            service: open(&self.store, &self.hosts, &self.clock).await,
            clock: self.clock.clone(),
        }
    }

    pub(crate) fn pass_s(&self, seconds: i64) {
        let mut clock = self.clock.lock().unwrap();
        *clock += SignedDuration::from_secs(seconds);
    }

    pub(crate) async fn mutate(&self, mutation: Mutation) -> Result<Value, Problem> {
        match self.service.mutate(mutation).await? {
            Outcome::Done { body, .. } => Ok(body),
            Outcome::Planned(plan) => panic!("only planned: {plan:?}"),
        }
    }

    pub(crate) async fn plan(&self, mut mutation: Mutation) -> Result<Plan, Problem> {
        mutation.dry_run = true;
        match self.service.mutate(mutation).await? {
            Outcome::Planned(plan) => Ok(plan),
            Outcome::Done { body, .. } => panic!("done: {body}"),
        }
    }

    pub(crate) async fn act(
        &self,
        kind: Kind,
        path: &str,
        action: Action,
    ) -> Result<Value, Problem> {
        self.mutate(mutation(kind, path, action)).await
    }

    pub(crate) async fn made(&self, kind: Kind, path: &str, spec: &Value) -> Value {
        let made = self.act(kind, path, create(spec)).await;
        made.unwrap_or_else(|problem| panic!("{kind:?} {path}: {problem:?}"))
    }

    pub(crate) async fn deleted(&self, kind: Kind, path: &str) {
        let deleted = self.act(kind, path, Action::Delete).await;
        deleted.unwrap_or_else(|problem| panic!("{kind:?} {path}: {problem:?}"));
    }

    /// Type of the problem that a creation meets, and its first field.
    pub(crate) async fn refused(&self, kind: Kind, path: &str, action: Action) -> (String, String) {
        match self.act(kind, path, action).await {
            Ok(body) => panic!("{kind:?} {path} was done: {body}"),
            Err(problem) => (word(&problem), field(&problem)),
        }
    }

    pub(crate) async fn read(&self, kind: Kind, path: &str) -> Value {
        let read = self.service.read(&admin(), &target(kind, path)).await;
        read.unwrap_or_else(|problem| panic!("{kind:?} {path}: {problem:?}"))
    }

    pub(crate) async fn list(&self, kind: Kind, path: &str) -> Vec<Value> {
        let listing = listing(kind, path);
        self.service.list(listing).await.unwrap().items
    }
}

pub(crate) fn listing(kind: Kind, path: &str) -> Listing {
    Listing {
        actor: admin(),
        target: target(kind, path),
        labels: Labels::new(),
        limit: 1_000,
        page_token: None,
    }
}

pub(crate) fn names(list: &[Value]) -> Vec<&str> {
    let name = |item: &'_ Value| item["metadata"]["name"].as_str().map(str::len);
    assert!(list.iter().all(|item| name(item).is_some()));
    list.iter()
        .filter_map(|item| item["metadata"]["name"].as_str())
        .collect()
}

/// The last word of a problem's type.
pub(crate) fn word(problem: &Problem) -> String {
    let word = problem.problem_type.rsplit(':').next();
    word.unwrap_or_default().to_owned()
}

/// The first field of a problem.
pub(crate) fn field(problem: &Problem) -> String {
    let first = problem.errors.first();
    first.map(|error| error.field.clone()).unwrap_or_default()
}

async fn open(
    store: &Arc<dyn Store>,
    hosts: &Arc<FakeHosts>,
    clock: &Arc<Mutex<Timestamp>>,
) -> Arc<Service> {
    let clock = clock.clone();
    let settings = ServiceSettings {
        quarantine_s: QUARANTINE_S,
        clock: Arc::new(move || *clock.lock().unwrap()),
        ..ServiceSettings::new(Arc::new(FakeJoinTokens::default()))
    };
    Service::open(store.clone(), hosts.clone(), settings)
        .await
        .unwrap()
}
