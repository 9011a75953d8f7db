//! The embedded engine: one SQLite database in WAL mode, written by one thread and read by a few connections.
//!
//! ```text
//! commit ──▶ writer: many transactions, one fsync ──▶ hub ──▶ watches that are up to date
//!                          │ database                             ▲
//! get, range ◀── readers ◀─┴─▶ log ──▶ watches that catch up ─────┘
//! ```
//!
//! A commit is answered after its WAL frames are on the disk (`synchronous=FULL`), and readers see it no earlier.

mod backup;
mod database;
mod error;
mod hub;
mod lock;
mod readers;
mod schema;
mod writer;

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::sync::{mpsc, oneshot, watch};
use tracing::warn;

use self::{
    hub::{Hub, Permit},
    lock::Lock,
    readers::Readers,
    writer::{Job, Pending, Writer},
};
use super::{
    Answer, Commit, Entry, Page, Revision, Store, StoreError, Transaction, WATCH_COMMITS_MAX,
};

pub use self::backup::{Existing, Progress, Restored, Saved, backup, restore};

/// Revisions that `compact_history` keeps.
pub const HISTORY_REVISIONS_MAX: u64 = 100_000;
/// Changes that `compact_history` keeps: revisions of many changes are kept for a shorter time.
pub const HISTORY_CHANGES_MAX: u64 = 500_000;
/// Transactions that wait for the writer; whoever brings another waits with it.
const JOBS_MAX: usize = 256;

/// A store in a file. Dropped, it is closed.
pub struct SqliteStore {
    epoch: String,
    readers: Arc<Readers>,
    hub: Arc<Hub>,
    /// Its sender is the writer's: gone with it.
    running: watch::Receiver<()>,
    /// `None` once it is closed, so that the writer ends.
    writer: Mutex<Option<WriterHandle>>,
}

/// The writer's thread, and its queue.
struct WriterHandle {
    jobs: mpsc::Sender<Job>,
    thread: thread::JoinHandle<()>,
}

impl SqliteStore {
    /// Makes an empty store, readable by its owner alone.
    ///
    /// # Errors
    /// Where there is a file already, or none can be made.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        let lock = Lock::take(path)?;
        drop(database::create(path)?);
        Self::start(path, lock)
    }

    /// Opens a store that is there.
    ///
    /// # Errors
    /// Where there is none, it is not a store, its schema is of another version, or another manager has it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = Lock::take(path)?;
        Self::start(path, lock)
    }

    fn start(path: &Path, lock: Lock) -> Result<Self, StoreError> {
        let connection = database::open_writer(path)?;
        let meta = schema::meta(&connection)?;
        let hub = Arc::new(Hub::new(meta.revision));
        let (jobs, received) = mpsc::channel(JOBS_MAX);
        let (ends, running) = watch::channel(());
        let writer = Writer::new(connection, received, Arc::clone(&hub));
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                writer.run();
                drop((lock, ends));
            })
            .map_err(|error| error::failed(format!("cannot start its writer: {error}")))?;
        Ok(Self {
            epoch: meta.epoch,
            readers: Arc::new(Readers::new(path)),
            hub,
            running,
            writer: Mutex::new(Some(WriterHandle { jobs, thread })),
        })
    }

    /// Compacts what is more than `HISTORY_REVISIONS_MAX` and `HISTORY_CHANGES_MAX`. To be called from time to time.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn compact_history(&self) -> Result<(), StoreError> {
        self.compact_but(HISTORY_REVISIONS_MAX, HISTORY_CHANGES_MAX)
            .await
    }

    /// Compacts all but the last `revisions`, and more where those have more than `changes` changes.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn compact_but(&self, revisions: u64, changes: u64) -> Result<(), StoreError> {
        let read = move |database: &rusqlite::Transaction<'_>| {
            let oldest = schema::revision_before_last(database, changes)?;
            let last = schema::meta(database)?.revision;
            Ok(oldest.max(last.saturating_sub(revisions)))
        };
        let revision = self.readers.read(read).await?;
        self.compact(revision).await
    }

    /// Waits until it takes no more changes: it is closed, or its disk failed, and whoever serves it has to end then, and
    /// start again.
    pub async fn stopped(&self) {
        let mut running = self.running.clone();
        // Nothing is ever sent.
        while running.changed().await.is_ok() {}
    }

    /// Does what was asked until now, and closes the file: it may be opened again then, even where somebody else still
    /// has this. Changes that are asked for later are refused. It blocks for as long as one transaction takes.
    pub fn close(&self) {
        // The writer is the last to close the file, where no watch reads it: what is in the WAL is moved into it then.
        self.readers.close();
        let handle = self.writer().take();
        if let Some(WriterHandle { jobs, thread }) = handle {
            drop(jobs);
            // It has panicked, or not: there is nothing left to save.
            let _ = thread.join();
        }
    }

    fn jobs(&self) -> Result<mpsc::Sender<Job>, StoreError> {
        let handle = self.writer();
        let jobs = handle.as_ref().map(|handle| handle.jobs.clone());
        jobs.ok_or_else(error::stopped)
    }

    fn writer(&self) -> MutexGuard<'_, Option<WriterHandle>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.jobs()?.send(job(reply)).await;
        sent.map_err(|_| error::stopped())?;
        answer.await.map_err(|_| error::stopped())?
    }

    async fn forget_through(&self, revision: Revision) -> Result<(), StoreError> {
        self.ask(|reply| Job::Compact { revision, reply }).await?;
        // Each step is a transaction of its own, so that commits are done in between.
        while self.ask(|reply| Job::Forget { reply }).await? {}
        Ok(())
    }

    async fn begin_watch(&self, after: Revision) -> Result<mpsc::Receiver<Commit>, StoreError> {
        let permit = self.hub.admit()?;
        let meta = self.readers.read(|database| schema::meta(database)).await?;
        if after < meta.compacted {
            return Err(StoreError::Compacted {
                asked: after,
                oldest: meta.compacted,
            });
        }
        let (sender, receiver) = mpsc::channel(WATCH_COMMITS_MAX);
        let (hub, readers) = (Arc::clone(&self.hub), Arc::clone(&self.readers));
        tokio::spawn(follow(after, sender, permit, hub, readers));
        Ok(receiver)
    }
}

/// To whoever waits for a job.
type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// Sends what the log has, until the hub takes over. Between the two nothing is missed: the hub takes a watch only if
/// that has seen all that the hub has given out; nor doubled: the hub gives it only what is later than it has seen.
async fn follow(
    mut after: Revision,
    mut sender: mpsc::Sender<Commit>,
    mut permit: Permit,
    hub: Arc<Hub>,
    readers: Arc<Readers>,
) {
    while let Some((back, unused)) = hub.join(after, sender, permit) {
        (sender, permit) = (back, unused);
        let commits = match readers.read(move |log| schema::history(log, after)).await {
            Ok(Some(commits)) => commits,
            Ok(None) => return,
            Err(error) => return warn!(%error, "a watch ends"),
        };
        for commit in commits {
            after = commit.revision;
            if sender.send(commit).await.is_err() {
                return;
            }
        }
    }
}

impl Store for SqliteStore {
    fn epoch(&self) -> Answer<'_, String> {
        Box::pin(async { Ok(self.epoch.clone()) })
    }

    fn revision(&self) -> Answer<'_, Revision> {
        Box::pin(async {
            let meta = self.readers.read(|database| schema::meta(database)).await?;
            Ok(meta.revision)
        })
    }

    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Entry>> {
        let key = key.to_owned();
        Box::pin(
            self.readers
                .read(move |database| schema::get(database, &key)),
        )
    }

    fn range<'a>(&'a self, prefix: &'a str, after: &'a str, limit: usize) -> Answer<'a, Page> {
        let (prefix, after) = (prefix.to_owned(), after.to_owned());
        let read = move |database: &rusqlite::Transaction<'_>| {
            schema::range(database, &prefix, &after, limit)
        };
        Box::pin(self.readers.read(read))
    }

    fn commit(&self, transaction: Transaction) -> Answer<'_, Revision> {
        Box::pin(async move {
            transaction.check()?;
            self.ask(|reply| Job::Commit(Pending { transaction, reply }))
                .await
        })
    }

    fn watch(&self, after: Revision) -> Answer<'_, mpsc::Receiver<Commit>> {
        Box::pin(self.begin_watch(after))
    }

    fn compact(&self, revision: Revision) -> Answer<'_, ()> {
        Box::pin(self.forget_through(revision))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SqliteStore")
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}
