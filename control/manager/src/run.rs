//! The daemon: opens what there is, starts what serves, and ends in order.
//!
//! ```text
//! store ──▶ world ──▶ agents' server ──fleet──▶ service ──▶ API
//!   └──▶ trust ──▶ certificates ──▶ both servers
//! ```

use std::{future::Future, path::Path, sync::Arc};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use futures_util::future::BoxFuture;
use inlay_api::objects::JoinToken;
use tokio::sync::watch;
use tracing::info;

use crate::{
    agents::{self, AgentServer},
    certificates::Certificates,
    config::ManagerConfig,
    housekeeping,
    http::{self, Api, ConnectionLimits, RequestLimits},
    init::write_authority,
    listeners::{Announcement, Listeners},
    metrics::{self, HttpMetrics},
    service::{JoinTokens, Service, ServiceSettings},
    store::{Store, StoreError, sqlite::SqliteStore},
    trust::{Lifetimes, Trust, TrustError, agents_server_config, system_clock},
    world::World,
};

pub use crate::listeners::Listening;

/// Runs a manager that was initialised, until `shutdown` is ready and what was asked until then is answered.
///
/// # Errors
/// Where there is no database, another manager has it, or an address cannot be listened on; later, where the database
/// fails for good.
pub async fn run(config: &ManagerConfig, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
    let store = Arc::new(open(&config.database())?);
    let ended = Box::pin(serve(config, Arc::clone(&store), shutdown)).await;
    // Connections that were cut off may still have it, and so may what follows it.
    tokio::task::spawn_blocking(move || store.close()).await?;
    ended
}

async fn serve(
    config: &ManagerConfig,
    store: Arc<SqliteStore>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<()> {
    Announcement::clear(config);
    let listeners = Listeners::bind(config).await?;
    let listening = listeners.addresses()?;
    let (stop, stopping) = watch::channel(false);
    let manager = Manager::open(config, store).await?;
    let servers = manager.servers(listeners, stopping)?;
    let (mut servers, mut background) = (Box::pin(servers), Box::pin(manager.background()));
    let announcement = Announcement::make(config, &listening)?;
    info!(api = %listening.api, agents = %listening.agents, metrics = %listening.metrics, "listening");
    tokio::select! {
        ended = &mut servers => return ended.and_then(|()| bail!("a server has ended")),
        error = &mut background => return Err(error),
        () = shutdown => {}
    }
    info!("stopping: what was asked is answered first");
    drop(announcement);
    stop.send_replace(true);
    // Answers may wait for what is done in the background.
    tokio::select! {
        ended = &mut servers => ended?,
        error = &mut background => return Err(error),
    }
    info!("stopped");
    Ok(())
}

fn open(database: &Path) -> Result<SqliteStore> {
    let shown = database.display();
    ensure!(
        database.exists(),
        "there is no {shown}; type inlay manager init first"
    );
    SqliteStore::open(database).with_context(|| format!("cannot open {shown}"))
}

/// The parts of a manager.
struct Manager {
    store: Arc<SqliteStore>,
    trust: Arc<Trust>,
    world: Arc<World>,
    agents: AgentServer,
    service: Arc<Service>,
    certificates: Certificates,
}

impl Manager {
    async fn open(config: &ManagerConfig, store: Arc<SqliteStore>) -> Result<Self> {
        let shared: Arc<dyn Store> = Arc::clone(&store) as _;
        let lifetimes = Lifetimes {
            host_certificate_s: config.host_certificate_s,
            ..Lifetimes::default()
        };
        let trust = Trust::open(Arc::clone(&shared), lifetimes, system_clock()).await?;
        let trust = Arc::new(trust);
        let authority = Arc::clone(trust.authority());
        write_authority(config, authority.certificate_pem())?;
        let certificates = Certificates::new(authority, system_clock(), &config.names)?;
        let world = Arc::new(World::load(&*shared).await?);
        let agents = AgentServer::new(
            Arc::clone(&shared),
            Arc::clone(&world),
            Arc::clone(&trust),
            agents::Settings::default(),
        );
        let settings = ServiceSettings {
            quarantine_s: config.quarantine_s,
            ..ServiceSettings::new(Arc::clone(&trust) as _)
        };
        let service = Service::open(shared, agents.fleet(), settings).await?;
        Ok(Self {
            store,
            trust,
            world,
            agents,
            service,
            certificates,
        })
    }

    /// All servers, until one fails, or until `stopping` says so and they have answered what they were asked.
    fn servers(
        &self,
        listeners: Listeners,
        stopping: watch::Receiver<bool>,
    ) -> Result<impl Future<Output = Result<()>>> {
        let shown = self.certificates.served();
        let authority = self.trust.authority().certificate_der();
        let agents_tls = agents_server_config(authority, Arc::clone(&shown) as _)?;
        let api_tls = http::server_config(shown)?;
        let mut registry = metrics::registry();
        self.certificates.register(&mut registry);
        self.agents.fleet().metrics().register(&mut registry);
        let (ready, is_ready) = watch::channel(true);
        let api = http::router(Api::new(
            Arc::clone(&self.service) as _,
            self.agents.fleet(),
            RequestLimits::default(),
            HttpMetrics::register(&mut registry),
            is_ready,
        ));
        let limits = ConnectionLimits::default();
        let stopped = move || stopped(stopping.clone());
        Ok(async move {
            let api_stopped = async {
                stopped().await;
                ready.send_replace(false);
            };
            let api = http::serve(listeners.api, Arc::new(api_tls), api, limits, api_stopped);
            let agents = self
                .agents
                .serve(listeners.agents, Arc::new(agents_tls), stopped());
            let metrics = metrics::serve(listeners.metrics, Arc::new(registry), stopped());
            let (agents, (), ()) = tokio::join!(agents, api, metrics);
            agents.context("the agents' server failed")
        })
    }

    /// What goes on beside the servers, until it fails.
    async fn background(&self) -> anyhow::Error {
        let (store, trust) = (Arc::clone(&self.store), Arc::clone(&self.trust));
        tokio::select! {
            error = self.world.follow(&*self.store) => error.into(),
            () = self.store.stopped() => anyhow!("the database takes no more changes; the log says why"),
            () = housekeeping::keep(store, trust, Arc::clone(&self.service)) => anyhow!("housekeeping has ended"),
            () = self.certificates.keep() => anyhow!("certificates are kept no more"),
        }
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // Where nobody can say it any more, it is time, too.
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}

impl JoinTokens for Trust {
    fn issue<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<JoinToken, StoreError>> {
        Box::pin(async move {
            self.issue_join_token(host)
                .await
                .map_err(|error| match error {
                    TrustError::Store(error) => error,
                    // It was there when the service looked.
                    TrustError::NoHost(key) => StoreError::Conflict { key },
                    other => StoreError::Engine {
                        what: other.to_string(),
                    },
                })
        })
    }
}
