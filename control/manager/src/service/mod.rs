//! What clients may do, without HTTP: authorize, validate, decide (place, allocate), commit.
//!
//! ```text
//! Mutation --authorize--> body --(spec + what is stored + index)--> Decision --one transaction--> store
//!                                                                                  |
//!            index <------------------------------- watch -------------------------+
//! ```
//!
//! One mutation is decided at a time. Each transaction also writes a guard key, on the condition that nobody has
//! since the index last saw it: so of two managers that decide at once one does, and the other looks again.

mod audit;
mod authorize;
mod body;
mod draft;
mod idempotency;
mod index;
mod janitor;
mod kinds;
mod load;
mod mutate;
mod place;
mod problems;
mod read;
mod request;
mod secret;
mod settings;
mod trace;
mod view;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use inlay_api::objects::Role;
use jiff::Timestamp;

use crate::hosts::Hosts;
use crate::keys;
use crate::store::{Store, StoreError};

use draft::Stored;
use index::Follower;

pub use crate::trust::{hash as secret_hash, new_secret};
pub use audit::log_operation;
pub use janitor::Swept;
pub use request::{Action, Actor, Listing, Mutation, Outcome, Target};
pub use settings::{Clock, JoinTokens, ServiceSettings};
pub use trace::NodePlace;

/// What clients may do. It follows the store for as long as it lives.
#[derive(Debug)]
pub struct Service {
    store: Arc<dyn Store>,
    hosts: Arc<dyn Hosts>,
    settings: ServiceSettings,
    index: Follower,
    /// Held by the mutation that is decided.
    turn: tokio::sync::Mutex<Cursors>,
    /// The last revision that this service made: the index has to be there before the next decision.
    committed: AtomicU64,
}

/// Where the search for something free begins: behind what was given out last, so that it is short, and so that
/// what was given up rests for as long as there is other.
#[derive(Debug, Default)]
struct Cursors {
    vni: u32,
    /// By network's number and first address of the subnet.
    addresses: HashMap<(u32, u32), u32>,
    /// Where the last sweep of answered requests ended.
    idempotency: String,
}

impl Service {
    /// Reads what is stored, and follows it.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn open(
        store: Arc<dyn Store>,
        hosts: Arc<dyn Hosts>,
        settings: ServiceSettings,
    ) -> Result<Arc<Self>, StoreError> {
        let index = Follower::start(store.clone()).await?;
        Ok(Arc::new(Self {
            store,
            hosts,
            settings,
            index,
            turn: tokio::sync::Mutex::default(),
            committed: AtomicU64::new(0),
        }))
    }

    /// Whose bearer token this is; `None` for one that is not known or has ended. A store that fails is told in the
    /// log, and nobody is let in.
    pub async fn authenticate(&self, secret: &str) -> Option<Actor> {
        if secret.len() > secret::LEN_BYTES_MAX {
            return None;
        }
        let key = keys::token(&secret_hash(secret));
        let found = self.store.get(&key).await;
        let entry = found
            .map_err(|error| tracing::error!(%error, "tokens cannot be read"))
            .ok()??;
        let name = str::from_utf8(&entry.value).ok()?;
        let stored: Stored<inlay_api::objects::TokenSpec> =
            load::find(self.store.as_ref(), "", "", name).await.ok()??;
        let spec = stored.object.spec;
        if let Some(ends) = &spec.expires_at {
            let ends: Timestamp = ends.parse().ok()?;
            if ends <= self.now() {
                return None;
            }
        }
        let project = spec.project.filter(|_| spec.role != Role::Admin);
        Some(Actor {
            token: name.to_owned(),
            role: spec.role,
            project,
        })
    }

    fn now(&self) -> Timestamp {
        (self.settings.clock)()
    }
}
