//! Short names for what tests of a store say often.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use inlay_manager::store::{
    Change, Commit, Condition, Operation, Revision, Store, StoreError, Transaction,
    sqlite::SqliteStore,
};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};

/// For whatever must come; reached only where a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) fn put(key: &str, value: &str) -> Operation {
    Operation::Put(key.to_owned(), Bytes::copy_from_slice(value.as_bytes()))
}

pub(crate) fn delete(key: &str) -> Operation {
    Operation::Delete(key.to_owned())
}

pub(crate) fn absent(key: &str) -> Condition {
    Condition::Absent(key.to_owned())
}

pub(crate) fn unchanged(key: &str, revision: Revision) -> Condition {
    Condition::Unchanged(key.to_owned(), revision)
}

pub(crate) fn change(key: &str, value: Option<&str>) -> Change {
    Change {
        key: key.into(),
        value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())),
    }
}

pub(crate) fn transaction(conditions: &[Condition], operations: &[Operation]) -> Transaction {
    Transaction {
        conditions: conditions.to_vec(),
        operations: operations.to_vec(),
    }
}

pub(crate) async fn commit(
    store: &dyn Store,
    conditions: &[Condition],
    operations: &[Operation],
) -> Result<Revision, StoreError> {
    store.commit(transaction(conditions, operations)).await
}

/// Stores one value, whatever was there.
pub(crate) async fn set(store: &dyn Store, key: &str, value: &str) -> Revision {
    commit(store, &[], &[put(key, value)]).await.unwrap()
}

/// What is stored under a key.
pub(crate) async fn value(store: &dyn Store, key: &str) -> Option<String> {
    let entry = store.get(key).await.unwrap()?;
    Some(String::from_utf8(entry.value.to_vec()).unwrap())
}

/// All keys under a prefix, read in pages of `limit`.
pub(crate) async fn keys(store: &dyn Store, prefix: &str, limit: usize) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    loop {
        let after = keys.last().cloned().unwrap_or_default();
        let page = store.range(prefix, &after, limit).await.unwrap();
        assert!(page.entries.len() <= limit);
        assert!(!page.more || !page.entries.is_empty(), "more of nothing");
        keys.extend(page.entries.iter().map(|entry| entry.key.to_string()));
        if !page.more {
            return keys;
        }
    }
}

pub(crate) async fn next(watch: &mut mpsc::Receiver<Commit>) -> Option<Commit> {
    timeout(DEADLINE, watch.recv())
        .await
        .expect("a watch says nothing")
}

/// A store in a directory that goes with it.
pub(crate) struct Scratch {
    // Dropped first: it must not outlive its directory.
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) directory: TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = SqliteStore::create(&directory.path().join("store.db")).unwrap();
        Self {
            store: Arc::new(store),
            directory,
        }
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("store.db")
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(self) -> Self {
        let Self { store, directory } = self;
        drop(Arc::into_inner(store).expect("nobody else has the store"));
        let store = SqliteStore::open(&directory.path().join("store.db")).unwrap();
        Self {
            store: Arc::new(store),
            directory,
        }
    }
}
