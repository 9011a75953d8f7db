//! The agent server: the gRPC services that hosts join by and follow, and what is known of hosts because of that.
//!
//! ```text
//! agent --TLS--> trust::incoming --> service --Hello--> session <--plan-- world
//!                                                          \--> fleet: what each host holds (trait Hosts) <-- mover
//! ```
//!
//! docs/control-protocol.md is the protocol. Nothing here decides what a host must hold: the world does.

mod answers;
mod caller;
mod compare;
mod connection;
mod entry;
mod fleet;
mod memory;
mod metrics;
mod mover;
mod outgoing;
mod refusal;
mod service;
mod session;
mod settings;

use std::{future::Future, sync::Arc, time::Duration};

use inlay_api::wire::agent::{agents_server::AgentsServer, enrollment_server::EnrollmentServer};
use rustls::ServerConfig;
use service::Services;
use settings::MESSAGE_BYTES_MAX;
use tokio::{net::TcpListener, sync::watch, time::timeout};
use tonic::transport::Server;

pub use fleet::Fleet;
pub use metrics::Metrics;
pub use mover::move_nodes;
pub use refusal::RETRY_AFTER;
pub use settings::Settings;

use crate::{
    store::Store,
    trust::{Trust, incoming},
    world::World,
};

/// Between pings on a connection that says nothing, and how long one may go unanswered.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// Calls of one connection at a time: a stream, the one that replaces it, a renewal.
const CALLS_MAX: u32 = 8;
/// How often snapshots that nobody needs are dropped.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How long connections may take to end when the server does.
const CLOSING_TIME: Duration = Duration::from_secs(3);

/// Serves agents. Made of what the manager has: its store, the world that follows it, and its CA.
///
/// ```text
/// let world = Arc::new(World::load(&*store).await?);
/// let agents = AgentServer::new(store.clone(), world.clone(), trust.clone(), Settings::default());
/// let hosts: Arc<dyn Hosts> = agents.fleet();                      for the service and the API
/// agents.fleet().metrics().register(&mut registry);
/// let tls = Arc::new(agents_server_config(trust.authority().certificate_der(), resolver)?);
/// select! {
///     error = world.follow(&*store) => …                           the store failed: the manager ends
///     served = agents.serve(listener, tls, shutdown) => …
/// }
/// ```
///
/// The world must be followed while agents are served: a stream waits until the world shows what the store has.
#[derive(Debug)]
pub struct AgentServer {
    store: Arc<dyn Store>,
    trust: Arc<Trust>,
    fleet: Arc<Fleet>,
}

impl AgentServer {
    /// One that listens to nothing yet.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        world: Arc<World>,
        trust: Arc<Trust>,
        settings: Settings,
    ) -> Self {
        Self {
            store,
            trust,
            fleet: Arc::new(Fleet::new(world, settings)),
        }
    }

    /// What is known of the hosts: for the service and the API.
    #[must_use]
    pub fn fleet(&self) -> Arc<Fleet> {
        Arc::clone(&self.fleet)
    }

    /// Serves agents on `listener` until `shutdown`, and moves nodes. `tls` is of
    /// [`agents_server_config`](crate::trust::agents_server_config).
    ///
    /// # Errors
    /// Where the transport fails as a whole; single connections that fail are logged.
    pub async fn serve(
        &self,
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), tonic::transport::Error> {
        let (close, closing) = watch::channel(false);
        let services = Services {
            store: Arc::clone(&self.store),
            fleet: Arc::clone(&self.fleet),
            trust: Arc::clone(&self.trust),
            closing: closing.clone(),
        };
        let agents =
            AgentsServer::new(services.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let enrollment =
            EnrollmentServer::new(services).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let server = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE))
            .max_concurrent_streams(CALLS_MAX)
            .add_service(agents)
            .add_service(enrollment);
        let sessions_max = self.fleet.settings.sessions_max;
        let connections = connection::admitted(incoming(listener, tls), sessions_max);
        let mut stop = closing.clone();
        let stopped = async move { session::closed(&mut stop).await };
        let serving = server.serve_with_incoming_shutdown(connections, stopped);
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            served = &mut serving => return served,
            () = move_nodes(&self.store, &self.fleet) => {}
            () = self.sweep() => {}
            () = shutdown => {}
        }
        close.send_replace(true);
        // Those who do not hang up in time are cut off.
        timeout(CLOSING_TIME, serving).await.unwrap_or(Ok(()))
    }

    async fn sweep(&self) {
        let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
        loop {
            ticks.tick().await;
            if self.fleet.world.drop_idle_snapshots() {
                memory::give_back();
            }
        }
    }
}
