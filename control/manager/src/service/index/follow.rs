//! Keeps the index in step with the store.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::keys;
use crate::store::{Revision, Store, StoreError};

use super::Index;

/// Entries that are read at a time.
const PAGE: usize = 1_000;
/// How long to wait after the store failed.
const RETRY: Duration = Duration::from_millis(500);
/// How long whoever waits for the index waits at most.
const PROGRESS_WAIT: Duration = Duration::from_secs(10);

/// The index, and the task that keeps it in step for as long as this lives.
#[derive(Debug)]
pub(in crate::service) struct Follower {
    index: Arc<RwLock<Index>>,
    progress: watch::Receiver<Revision>,
    task: AbortHandle,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follower {
    /// Reads what is stored, and follows from there.
    ///
    /// # Errors
    /// Where the store fails.
    pub(in crate::service) async fn start(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let built = build(store.as_ref()).await?;
        let (told, progress) = watch::channel(built.revision);
        let index = Arc::new(RwLock::new(built));
        let task = tokio::spawn(follow(store, index.clone(), told)).abort_handle();
        Ok(Self {
            index,
            progress,
            task,
        })
    }

    pub(in crate::service) fn read(&self) -> RwLockReadGuard<'_, Index> {
        // A panic while it was written to is a bug that has been told; the counts are rebuilt at the next start.
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::service) fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the index holds `revision`; `false` where that takes too long.
    pub(in crate::service) async fn reached(&self, revision: Revision) -> bool {
        let mut progress = self.progress.clone();
        let reached = progress.wait_for(|&now| now >= revision);
        matches!(
            tokio::time::timeout(PROGRESS_WAIT, reached).await,
            Ok(Ok(_))
        )
    }
}

/// The index of what is stored. Entries may be younger than its revision: what is followed from there brings the
/// same again.
async fn build(store: &dyn Store) -> Result<Index, StoreError> {
    let mut index = Index {
        revision: store.revision().await?,
        ..Index::default()
    };
    for prefix in [
        "objects/",
        keys::ADDRESS_CLAIMS,
        keys::VNI_CLAIMS,
        keys::AUDIT,
        keys::IDEMPOTENCY,
        keys::SERVICE_GUARD,
    ] {
        load(store, prefix, &mut index).await?;
    }
    index.settle();
    Ok(index)
}

async fn load(store: &dyn Store, prefix: &str, index: &mut Index) -> Result<(), StoreError> {
    let mut after = Arc::from("");
    loop {
        let page = store.range(prefix, &after, PAGE).await?;
        for entry in &page.entries {
            index.load(entry);
        }
        match page.entries.last() {
            Some(last) if page.more => after = last.key.clone(),
            _ => return Ok(()),
        }
    }
}

async fn follow(store: Arc<dyn Store>, index: Arc<RwLock<Index>>, told: watch::Sender<Revision>) {
    let write = || index.write().unwrap_or_else(PoisonError::into_inner);
    loop {
        let after = *told.borrow();
        let failed = match store.watch(after).await {
            Ok(mut commits) => {
                while let Some(commit) = commits.recv().await {
                    write().apply(&commit);
                    told.send_replace(commit.revision);
                }
                continue;
            }
            Err(StoreError::Compacted { .. }) => match build(store.as_ref()).await {
                Ok(built) => {
                    let revision = built.revision;
                    *write() = built;
                    told.send_replace(revision);
                    continue;
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        tracing::error!(error = %failed, "the store cannot be watched; trying again");
        tokio::time::sleep(RETRY).await;
    }
}
