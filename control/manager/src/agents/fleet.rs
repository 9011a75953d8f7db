//! The hosts as they are known at this moment: who is connected, and what each one's maps hold.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{
    entry::{Entry, Handle},
    metrics::Metrics,
    settings::Settings,
};
use crate::{store::Revision, world::World};

/// Shared by the agent server's sessions, and by those who ask about hosts: it is a [`Hosts`](crate::hosts::Hosts).
#[derive(Debug)]
pub struct Fleet {
    pub(super) world: Arc<World>,
    pub(super) settings: Settings,
    pub(super) metrics: Metrics,
    hosts: Mutex<BTreeMap<Arc<str>, Entry>>,
    /// Changes whenever something of a host does.
    changes: watch::Sender<u64>,
    sessions: Arc<Semaphore>,
    transfers: Arc<Semaphore>,
    last_session: AtomicU64,
    started: Instant,
}

impl Fleet {
    /// One that has seen no host.
    #[must_use]
    pub fn new(world: Arc<World>, settings: Settings) -> Self {
        Self {
            world,
            settings,
            metrics: Metrics::default(),
            hosts: Mutex::default(),
            changes: watch::Sender::new(0),
            sessions: Arc::new(Semaphore::new(settings.sessions_max)),
            transfers: Arc::new(Semaphore::new(settings.transfers_max)),
            last_session: AtomicU64::new(0),
            started: Instant::now(),
        }
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Tells that something of some host has changed: its stream, what it holds, what it rejects.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn hosts(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Entry>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place among the open streams, if there is one.
    pub(super) fn admit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.sessions).try_acquire_owned().ok()
    }

    /// A turn among the hosts that are sent whole scopes; `None`: it takes too long.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.transfers).acquire_owned();
        let turn = tokio::time::timeout(self.settings.turn_time, turn).await;
        turn.ok()?.ok()
    }

    /// Makes a stream the one of its host, and has an older one end.
    pub(super) fn begin(&self, host: &Arc<str>, handle: impl FnOnce(u64) -> Handle) -> u64 {
        let id = self.last_session.fetch_add(1, Ordering::Relaxed) + 1;
        let older = {
            let mut hosts = self.hosts();
            let entry = hosts.entry(Arc::clone(host)).or_default();
            entry.session.replace(handle(id))
        };
        if let Some(older) = older {
            older.superseded.notify_one();
        }
        self.metrics.sessions.inc();
        id
    }

    /// Notes that a stream is over.
    pub(super) fn end(&self, host: &str, id: u64) {
        self.metrics.sessions.dec();
        let mut hosts = self.hosts();
        if let Some(entry) = hosts.get_mut(host)
            && entry
                .session
                .as_ref()
                .is_some_and(|session| session.id == id)
        {
            entry.session = None;
            entry.behind_since.get_or_insert_with(Instant::now);
            entry.gone_since = Some(Instant::now());
        }
        if !self.world.has_host(host) {
            hosts.remove(host);
        }
        drop(hosts);
        self.changed();
    }

    /// Changes what is known of a host on behalf of its stream; does nothing if that is not its stream any more.
    pub(super) fn note(&self, host: &str, id: u64, change: impl FnOnce(&mut Entry)) {
        let mut hosts = self.hosts();
        let entry = hosts.get_mut(host);
        let entry = entry.filter(|entry| entry.session.as_ref().is_some_and(|s| s.id == id));
        if let Some(entry) = entry {
            change(entry);
        }
    }

    /// Wakes all who wait for something of a host.
    pub(super) fn changed(&self) {
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Whether every host that must know a network holds it up to `revision`, except those that have been gone for so
    /// long that they are not waited for: right after the manager's start, none has.
    pub(super) fn is_settled(&self, vni: u32, revision: Revision) -> bool {
        self.world.subscribers(vni).iter().all(|host| {
            let (held, is_connected) = self.held_by(host);
            held >= revision || !is_connected && self.gone_for(host) >= self.settings.patience
        })
    }

    fn gone_for(&self, host: &str) -> Duration {
        let hosts = self.hosts();
        let since = hosts.get(host).and_then(|entry| entry.gone_since);
        since.unwrap_or(self.started).elapsed()
    }

    /// Up to which revision a host's maps hold everything, and whether it is connected.
    pub(super) fn held_by(&self, host: &str) -> (Revision, bool) {
        let hosts = self.hosts();
        let Some(entry) = hosts.get(host) else {
            return (0, false);
        };
        let present = self.world.revision();
        let desired = self.world.desired(host);
        let held = if entry.applied >= desired {
            present.max(entry.applied)
        } else {
            entry.applied
        };
        (held, entry.session.is_some())
    }
}
