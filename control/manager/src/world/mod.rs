//! The compiler: the store's objects to what each host must hold, by scope, and kept in step commit by commit.
//!
//! ```text
//! store --watch--> State (networks, hosts: resources, digests, logs) --plan--> sessions of agents
//! ```
//!
//! It holds resources as they are sent, and no objects. Nothing here knows of connections.

mod compile;
mod encode;
mod follow;
mod host;
mod log;
mod network;
mod plan;
mod recent;
mod record;
mod scope;
mod snapshots;
mod state;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard},
};

use inlay_api::wire::{
    HOST_SCOPE,
    agent::{Kind, ScopeState},
};
use recent::Touched;
use state::State;
use tokio::sync::{Notify, watch};

pub use encode::split_chunk;
pub use follow::WorldError;
pub use plan::{Held, Plan, Planned};
pub use snapshots::Snapshot;
pub use state::Moving;

use crate::store::{Commit, Revision};

/// What every host must hold. Shared by all who serve them.
#[derive(Debug)]
pub struct World {
    epoch: String,
    state: RwLock<State>,
    revision: watch::Sender<Revision>,
    /// Who wants to know when something of a host changes.
    listeners: Mutex<HashMap<Arc<str>, Arc<Notify>>>,
    snapshots: snapshots::Snapshots,
}

impl World {
    /// An empty one, for a store of this epoch.
    #[must_use]
    pub fn new(epoch: String) -> Self {
        Self {
            epoch,
            state: RwLock::default(),
            revision: watch::Sender::new(0),
            listeners: Mutex::default(),
            snapshots: snapshots::Snapshots::default(),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which store it follows.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The revision that it shows.
    #[must_use]
    pub fn revision(&self) -> Revision {
        *self.revision.borrow()
    }

    /// Tells of every revision that it comes to show.
    #[must_use]
    pub fn revisions(&self) -> watch::Receiver<Revision> {
        self.revision.subscribe()
    }

    /// Does what a commit did to the store, and wakes those whom it concerns.
    pub fn commit(&self, commit: &Commit) {
        let touched = {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            state.commit(commit)
        };
        self.wake(&touched);
        self.revision.send_replace(commit.revision);
    }

    fn wake(&self, touched: &Touched) {
        let state = self.read();
        let listeners = self.listeners();
        let networks = touched
            .networks
            .iter()
            .filter_map(|path| state.networks.get(path));
        let subscribers = networks.flat_map(network::Network::subscribers);
        for host in touched
            .hosts
            .iter()
            .chain(&touched.identities)
            .chain(subscribers)
        {
            if let Some(listener) = listeners.get(host) {
                listener.notify_one();
            }
        }
    }

    fn listeners(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Arc<Notify>>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Is notified when something of a host changes: what it must hold, its certificates, that it is gone. There is
    /// one for each host.
    #[must_use]
    pub fn listen(&self, host: &str) -> Arc<Notify> {
        let mut listeners = self.listeners();
        let listener = listeners.entry(host.into()).or_default();
        Arc::clone(listener)
    }

    /// Forgets the notification of a host, unless somebody else has it too.
    pub fn unlisten(&self, host: &str, listener: Arc<Notify>) {
        let mut listeners = self.listeners();
        drop(listener);
        if listeners
            .get(host)
            .is_some_and(|known| Arc::strong_count(known) == 1)
        {
            listeners.remove(host);
        }
    }

    /// Whether there is a host of this name.
    #[must_use]
    pub fn has_host(&self, host: &str) -> bool {
        self.read().host(host).is_some()
    }

    /// When the certificates of a host changed last, as far as was seen; 0: not since the world was loaded.
    #[must_use]
    pub fn identity_revision(&self, host: &str) -> Revision {
        self.read().hosts.get(host).map_or(0, |host| host.identity)
    }

    /// The last revision that changed what a host must hold.
    #[must_use]
    pub fn desired(&self, host: &str) -> Revision {
        let state = self.read();
        state.host(host).map_or(0, |host| state.desired(host))
    }

    /// The state of every scope that a host must hold, its own first. Empty: there is no such host.
    #[must_use]
    pub fn scopes(&self, host: &str) -> Vec<ScopeState> {
        let state = self.read();
        state
            .host(host)
            .map(|host| state.scopes(host))
            .unwrap_or_default()
    }

    /// How many resources a scope of a host has: its own as 0, or that of a network.
    #[must_use]
    pub fn resources(&self, host: &str, vni: u32) -> usize {
        let state = self.read();
        match vni {
            HOST_SCOPE => state.host(host).map_or(0, |host| host.scope.resources()),
            _ => state
                .numbered(vni)
                .map_or(0, |network| network.scope.resources()),
        }
    }

    /// What a host that holds `held` must be sent, with the snapshots that an earlier plan lacked.
    #[must_use]
    pub fn plan(
        &self,
        host: &str,
        held: &Held,
        snapshots: &BTreeMap<u32, Arc<Snapshot>>,
    ) -> Planned {
        plan::plan(&self.read(), host, held, snapshots)
    }

    /// Names of the hosts that must know the network of `vni`.
    #[must_use]
    pub fn subscribers(&self, vni: u32) -> Vec<Arc<str>> {
        let state = self.read();
        let network = state.numbered(vni);
        network
            .map(|network| network.subscribers().cloned().collect())
            .unwrap_or_default()
    }

    /// Names of the hosts that the commit of `revision` concerns; `None`, where it is too long ago to know.
    #[must_use]
    pub fn concerned(&self, revision: Revision) -> Option<Vec<Arc<str>>> {
        let state = self.read();
        let touched = state.recent.get(revision)?;
        let networks = touched
            .networks
            .iter()
            .filter_map(|path| state.networks.get(path));
        let mut hosts: Vec<_> = networks
            .flat_map(network::Network::subscribers)
            .chain(&touched.hosts)
            .collect();
        hosts.retain(|host| state.host(host).is_some());
        hosts.sort_unstable();
        hosts.dedup();
        Some(hosts.into_iter().cloned().collect())
    }

    /// Whether the commit of `revision` changed this resource of a host, as far as is known.
    #[must_use]
    pub fn changed_by(
        &self,
        revision: Revision,
        host: &str,
        (vni, kind, key): (u32, Kind, &str),
    ) -> bool {
        let state = self.read();
        let scope = match vni {
            HOST_SCOPE => state.host(host).map(|host| &host.scope),
            _ => state.numbered(vni).map(|network| &network.scope),
        };
        scope.is_some_and(|scope| scope.changed_by(revision, kind, key))
    }

    /// Nodes with a next or a former host.
    #[must_use]
    pub fn moving(&self) -> Vec<Moving> {
        self.read().moving.values().cloned().collect()
    }

    /// Number of a network by its path, `project/network`.
    #[must_use]
    pub fn vni(&self, path: &str) -> Option<u32> {
        self.read().networks.get(path)?.vni()
    }
}
