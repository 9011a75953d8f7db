//! A manager's agent server over a store in memory, on loopback.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use inlay_api::{objects::Kind, wire::Follower};
use inlay_manager::{
    agents::{AgentServer, Fleet, Settings},
    hosts::Hosts as _,
    service::Target,
    store::{Operation, Revision, Store, Transaction},
    trust::{Lifetimes, Trust, agents_server_config, system_clock},
    world::World,
};
use rustls::{
    ClientConfig,
    crypto::ring,
    pki_types::CertificateDer,
    sign::{CertifiedKey, SingleCertAndKey},
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{
    agent::{Agent, SERVER, Shown, client_config, join, signing_request},
    memory::MemoryStore,
    objects::{host, write},
};

pub(crate) const REPORT_INTERVAL: Duration = Duration::from_millis(250);
/// For whatever a test waits for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) fn settings() -> Settings {
    Settings {
        report_interval: REPORT_INTERVAL,
        patience: Duration::from_millis(500),
        ..Settings::default()
    }
}

/// A manager that runs; dropping it kills it.
pub(crate) struct Manager {
    pub(crate) world: Arc<World>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Manager {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Manager {
    pub(crate) async fn start(
        store: &Arc<dyn Store>,
        trust: &Arc<Trust>,
        settings: Settings,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let world = Arc::new(World::load(&**store).await.unwrap());
        let server = AgentServer::new(
            Arc::clone(store),
            Arc::clone(&world),
            Arc::clone(trust),
            settings,
        );
        let fleet = server.fleet();
        let now_s = system_clock()();
        let certificate = trust
            .authority()
            .issue_server(&[SERVER.into()], now_s)
            .unwrap();
        let key = CertifiedKey::from_der(
            certificate.chain,
            certificate.key,
            &ring::default_provider(),
        );
        let resolver = Arc::new(SingleCertAndKey::from(key.unwrap()));
        let tls = agents_server_config(trust.authority().certificate_der(), resolver).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            server
                .serve(listener, Arc::new(tls), stopped)
                .await
                .unwrap();
        });
        let (followed, store) = (Arc::clone(&world), Arc::clone(store));
        let following = tokio::spawn(async move {
            let error = followed.follow(&*store).await;
            panic!("{error}");
        });
        Self {
            world,
            fleet,
            address,
            stop: Some(stop),
            tasks: vec![serving, following],
        }
    }

    /// Ends it in an orderly way.
    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        let serving = &mut self.tasks[0];
        tokio::time::timeout(DEADLINE, serving)
            .await
            .expect("it should end")
            .unwrap();
    }
}

pub(crate) struct Scene {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) trust: Arc<Trust>,
    pub(crate) manager: Manager,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(settings()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new("epoch"));
        let trust = Trust::open(Arc::clone(&store), Lifetimes::default(), system_clock()).await;
        let trust = Arc::new(trust.unwrap());
        let manager = Manager::start(&store, &trust, settings).await;
        Self {
            store,
            trust,
            manager,
        }
    }

    pub(crate) fn authority(&self) -> CertificateDer<'static> {
        self.trust.authority().certificate_der().clone()
    }

    pub(crate) async fn commit(&self, operations: Vec<Operation>) -> Revision {
        let transaction = Transaction {
            operations,
            ..Transaction::default()
        };
        self.store.commit(transaction).await.unwrap()
    }

    pub(crate) async fn put(&self, objects: impl IntoIterator<Item = (String, Value)>) -> Revision {
        self.commit(objects.into_iter().map(write).collect()).await
    }

    /// Makes the host `hNUMBER`.
    pub(crate) async fn add_host(&self, number: u32) -> Revision {
        let (key, mut object) = host(number);
        object["metadata"]["uid"] = format!("uid-{number}").into();
        self.put([(key, object)]).await
    }

    pub(crate) async fn secret(&self, number: u32) -> String {
        let token = self
            .trust
            .issue_join_token(&format!("h{number}"))
            .await
            .unwrap();
        inlay_api::join_token::JoinToken::parse(&token.token)
            .unwrap()
            .secret
    }

    /// Makes the host `hNUMBER`, has it join over the wire, and returns what it shows from then on.
    pub(crate) async fn joined(&self, number: u32) -> Arc<ClientConfig> {
        let shown = self.shown(number).await;
        client_config(&self.authority(), Some(&shown))
    }

    pub(crate) async fn shown(&self, number: u32) -> Shown {
        self.add_host(number).await;
        let secret = self.secret(number).await;
        join(self.manager.address, &self.authority(), &secret)
            .await
            .unwrap()
    }

    /// As `joined`, without the wire: for many.
    pub(crate) async fn joined_quickly(&self, number: u32) -> Arc<ClientConfig> {
        let secret = self.secret(number).await;
        let (request, key) = signing_request();
        let joined = self.trust.join(&secret, &request).await.unwrap();
        let shown = Shown {
            certificate: joined.issued.certificate_der,
            key,
        };
        client_config(&self.authority(), Some(&shown))
    }

    /// An agent of a host that joins for it.
    pub(crate) async fn agent(&self, number: u32) -> Agent {
        let config = self.joined(number).await;
        Agent::start(self.manager.address, config, Follower::default())
    }
}

/// What commits are said to be about.
pub(crate) fn about() -> Target {
    Target {
        kind: Kind::Node,
        project: "acme".into(),
        network: "main".into(),
        name: "n1".into(),
    }
}

impl Manager {
    /// Waits until a revision is applied by all whom it concerns.
    pub(crate) async fn applied(&self, revision: Revision) {
        let applied = self
            .fleet
            .wait_applied(revision, &about(), Instant::now() + DEADLINE)
            .await;
        assert!(applied.complete, "{applied:?}");
    }

    /// Waits until what is known of a host is as it should be.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Fleet) -> bool) {
        let mut changes = self.fleet.changes();
        let waited = tokio::time::timeout(DEADLINE, async {
            while !is_so(&self.fleet) {
                changes.changed().await.unwrap();
            }
        });
        waited
            .await
            .unwrap_or_else(|_| panic!("it should come to this: {what}"));
    }

    /// Whether an agent holds what the world says, digests computed from what it holds.
    pub(crate) fn agrees(&self, host: &str, agent: &Agent) -> bool {
        let mut expected = self.world.scopes(host);
        expected.sort_unstable_by_key(|state| state.vni);
        agent.follower().states() == expected
    }

    pub(crate) async fn converges(&self, host: &str, agent: &Agent) {
        let mut updates = agent.updates.clone();
        let waited = tokio::time::timeout(DEADLINE, async {
            while !self.agrees(host, agent) {
                // Also after a while without any: the world may have changed back.
                let _ = tokio::time::timeout(REPORT_INTERVAL, updates.changed()).await;
            }
        });
        let told = || {
            format!(
                "{host}: {:?}\n{:?}",
                self.world.scopes(host),
                agent.follower().states()
            )
        };
        waited.await.unwrap_or_else(|_| panic!("{}", told()));
    }
}
