//! Gives each commit to the watches that are up to date.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::store::{Commit, Revision, StoreError, WATCHES_MAX};

/// The right to be one of `WATCHES_MAX`.
pub(super) type Permit = OwnedSemaphorePermit;

#[derive(Debug)]
pub(super) struct Hub {
    permits: Arc<Semaphore>,
    live: Mutex<Live>,
}

#[derive(Debug)]
struct Live {
    /// The last revision that was given out.
    revision: Revision,
    watches: Vec<Watch>,
}

#[derive(Debug)]
struct Watch {
    /// The last revision that it has seen.
    after: Revision,
    sender: mpsc::Sender<Commit>,
    _permit: Permit,
}

impl Hub {
    pub(super) fn new(revision: Revision) -> Self {
        let watches = Vec::new();
        Self {
            permits: Arc::new(Semaphore::new(WATCHES_MAX)),
            live: Mutex::new(Live { revision, watches }),
        }
    }

    /// Lets one more watch in.
    pub(super) fn admit(&self) -> Result<Permit, StoreError> {
        // Those whose receivers are gone are noticed at commits, which may be rare.
        self.live()
            .watches
            .retain(|watch| !watch.sender.is_closed());
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        permit.map_err(|_| StoreError::Refused {
            what: format!("there are {WATCHES_MAX} watches already, which is the most"),
        })
    }

    /// Takes a watch that has seen everything up to `after`; gives it back where that is too little.
    pub(super) fn join(
        &self,
        after: Revision,
        sender: mpsc::Sender<Commit>,
        permit: Permit,
    ) -> Option<(mpsc::Sender<Commit>, Permit)> {
        let mut live = self.live();
        if after < live.revision {
            return Some((sender, permit));
        }
        live.watches.push(Watch {
            after,
            sender,
            _permit: permit,
        });
        None
    }

    /// Gives out a commit; they come in order. Watches that have no room for it are closed.
    pub(super) fn publish(&self, commit: &Commit) {
        let mut live = self.live();
        live.revision = commit.revision;
        live.watches.retain(|watch| {
            commit.revision <= watch.after || watch.sender.try_send(commit.clone()).is_ok()
        });
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
