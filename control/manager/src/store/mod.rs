//! Where the manager keeps everything: ordered keys and values under one revision, changed by compare-and-set
//! transactions, and watched. The trait is what etcd's API offers too (key-value, transactions, watch, compact),
//! so that an engine of it needs no other trait.

mod limits;
pub mod sqlite;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

/// Counts transactions that changed something, from 1. The whole store is at one revision.
pub type Revision = u64;

/// Bytes of the longest key.
pub const KEY_BYTES_MAX: usize = 1024;
/// Bytes of the longest value (1 MiB).
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Operations of the largest transaction.
pub const OPERATIONS_MAX: usize = 50_000;
/// Bytes of all keys and values of the largest transaction (64 MiB).
pub const TRANSACTION_BYTES_MAX: usize = 64 << 20;
/// Entries of the largest page of a range, whatever was asked for.
pub const PAGE_ENTRIES_MAX: usize = 10_000;
/// A page ends with the entry that brings its keys and values to so many bytes (16 MiB).
pub const PAGE_BYTES_MAX: usize = 16 << 20;
/// Commits that wait for a receiver; one more, and it is closed.
pub const WATCH_COMMITS_MAX: usize = 1024;
/// Watches at a time.
pub const WATCHES_MAX: usize = 1024;

/// A key and what is stored under it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Arc<str>,
    /// The value.
    pub value: Bytes,
    /// The revision that created it; another one after it was deleted and created again.
    pub created: Revision,
    /// The revision that changed it last.
    pub modified: Revision,
}

/// What must hold for a transaction to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// The key is not there.
    Absent(String),
    /// The key is there, and was changed last by this revision.
    Unchanged(String, Revision),
}

/// What a transaction does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Operation {
    /// Stores a value.
    Put(String, Bytes),
    /// Removes a key, if it is there.
    Delete(String),
}

/// Conditions, and operations that are done all or none. A key occurs once among the operations.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Transaction {
    /// What must hold.
    pub conditions: Vec<Condition>,
    /// What is done.
    pub operations: Vec<Operation>,
}

/// A key that changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The key.
    pub key: Arc<str>,
    /// What is stored since; `None` where it was removed.
    pub value: Option<Bytes>,
}

/// All that one transaction changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Commit {
    /// The revision that it made.
    pub revision: Revision,
    /// In the order of the transaction.
    pub changes: Arc<[Change]>,
}

/// A part of a range.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Page {
    /// In the order of their keys.
    pub entries: Vec<Entry>,
    /// Whether the range has more behind the last one.
    pub more: bool,
    /// The revision that the page shows.
    pub revision: Revision,
}

/// Why a store does not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A condition of a transaction does not hold; nothing was done.
    #[error("{key} was changed meanwhile; read it again")]
    Conflict {
        /// The key of the condition.
        key: String,
    },
    /// What was asked for was compacted away.
    #[error("revision {asked} is compacted, the oldest is {oldest}; begin with what is there")]
    Compacted {
        /// The revision that was asked for.
        asked: Revision,
        /// The oldest that can still be watched from.
        oldest: Revision,
    },
    /// A key, a value or a transaction is too large, or a key occurs twice.
    #[error("{what}")]
    Refused {
        /// What, and the limit.
        what: String,
    },
    /// The engine failed.
    #[error("the store failed: {what}")]
    Engine {
        /// How, and what to do.
        what: String,
    },
}

/// What a store answers, in time.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// A store, used as `Arc<dyn Store>`. Everything it answers is durable: it survives the machine's crash.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Which store this is: chosen at random when it is made or restored, so that what was learned of another one
    /// is not mistaken for its history.
    ///
    /// # Errors
    /// Where the engine fails.
    fn epoch(&self) -> Answer<'_, String>;

    /// The revision of the last transaction; 0: none yet.
    ///
    /// # Errors
    /// Where the engine fails.
    fn revision(&self) -> Answer<'_, Revision>;

    /// The entry of a key.
    ///
    /// # Errors
    /// Where the engine fails.
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Entry>>;

    /// Entries whose key begins with `prefix` and comes after `after` (empty: from the first), at most `limit`. A page
    /// has fewer where it would be too large (`PAGE_ENTRIES_MAX`, `PAGE_BYTES_MAX`): only `more` says that it is the last.
    ///
    /// # Errors
    /// Where the engine fails.
    fn range<'a>(&'a self, prefix: &'a str, after: &'a str, limit: usize) -> Answer<'a, Page>;

    /// Does a transaction. Returns its revision; one that its conditions allow and that changes nothing (no operations,
    /// or removals of what is not there) returns the present one. Storing the value that is there is a change.
    ///
    /// # Errors
    /// `Conflict` where a condition does not hold; `Refused` where a limit is exceeded.
    fn commit(&self, transaction: Transaction) -> Answer<'_, Revision>;

    /// Every commit after revision `after`, each once and in order, first those of the past, then those to come. A
    /// receiver that is too slow is closed; it begins again with the last revision that it saw.
    ///
    /// # Errors
    /// `Compacted` where that past is gone; `Refused` where there are too many watches.
    fn watch(&self, after: Revision) -> Answer<'_, mpsc::Receiver<Commit>>;

    /// Forgets the history up to and including `revision`. What is there stays.
    ///
    /// # Errors
    /// `Refused` where `revision` is yet to come.
    fn compact(&self, revision: Revision) -> Answer<'_, ()>;
}
