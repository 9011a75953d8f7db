//! A store in memory: what the engines do, without a file.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use inlay_manager::store::{
    Answer, Change, Commit, Condition, Entry, Operation, Page, Revision, Store, StoreError,
    Transaction,
};
use tokio::sync::mpsc;

/// Commits that a watcher may be behind.
const BEHIND_MAX: usize = 65_536;

#[derive(Debug, Default)]
struct Kept {
    entries: BTreeMap<Arc<str>, Entry>,
    history: Vec<Commit>,
    watchers: Vec<mpsc::Sender<Commit>>,
}

#[derive(Debug)]
pub(crate) struct MemoryStore {
    epoch: String,
    kept: Mutex<Kept>,
}

impl MemoryStore {
    pub(crate) fn new(epoch: &str) -> Self {
        Self {
            epoch: epoch.into(),
            kept: Mutex::default(),
        }
    }
}

impl Kept {
    fn revision(&self) -> Revision {
        self.history.last().map_or(0, |commit| commit.revision)
    }

    fn check(&self, condition: &Condition) -> Result<(), StoreError> {
        let (key, holds) = match condition {
            Condition::Absent(key) => (key, !self.entries.contains_key(&**key)),
            Condition::Unchanged(key, revision) => {
                let entry = self.entries.get(&**key);
                (key, entry.is_some_and(|entry| entry.modified == *revision))
            }
        };
        let key = key.clone();
        holds.then_some(()).ok_or(StoreError::Conflict { key })
    }

    fn apply(&mut self, revision: Revision, operation: Operation) -> Change {
        match operation {
            Operation::Put(key, value) => {
                let key: Arc<str> = key.into();
                let created = self.entries.get(&key).map_or(revision, |e| e.created);
                let entry = Entry {
                    key: Arc::clone(&key),
                    value: value.clone(),
                    created,
                    modified: revision,
                };
                self.entries.insert(Arc::clone(&key), entry);
                Change {
                    key,
                    value: Some(value),
                }
            }
            Operation::Delete(key) => {
                self.entries.remove(&*key);
                Change {
                    key: key.into(),
                    value: None,
                }
            }
        }
    }

    fn commit(&mut self, transaction: Transaction) -> Result<Revision, StoreError> {
        for condition in &transaction.conditions {
            self.check(condition)?;
        }
        if transaction.operations.is_empty() {
            return Ok(self.revision());
        }
        let revision = self.revision() + 1;
        let operations = transaction.operations.into_iter();
        let changes = operations.map(|operation| self.apply(revision, operation));
        let changes = changes.collect();
        let commit = Commit { revision, changes };
        self.watchers
            .retain(|watcher| watcher.try_send(commit.clone()).is_ok());
        self.history.push(commit);
        Ok(revision)
    }
}

impl Store for MemoryStore {
    fn epoch(&self) -> Answer<'_, String> {
        Box::pin(async { Ok(self.epoch.clone()) })
    }

    fn revision(&self) -> Answer<'_, Revision> {
        Box::pin(async { Ok(self.kept.lock().unwrap().revision()) })
    }

    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Entry>> {
        Box::pin(async { Ok(self.kept.lock().unwrap().entries.get(key).cloned()) })
    }

    fn range<'a>(&'a self, prefix: &'a str, after: &'a str, limit: usize) -> Answer<'a, Page> {
        Box::pin(async move {
            let kept = self.kept.lock().unwrap();
            let first = if after < prefix {
                Bound::Included(prefix)
            } else {
                Bound::Excluded(after)
            };
            let behind = kept.entries.range::<str, _>((first, Bound::Unbounded));
            let found = behind.map(|(_, entry)| entry);
            let found = found.take_while(|entry| entry.key.starts_with(prefix));
            let mut entries: Vec<_> = found.take(limit + 1).cloned().collect();
            let more = entries.len() > limit;
            entries.truncate(limit);
            let revision = kept.revision();
            Ok(Page {
                entries,
                more,
                revision,
            })
        })
    }

    fn commit(&self, transaction: Transaction) -> Answer<'_, Revision> {
        Box::pin(async { self.kept.lock().unwrap().commit(transaction) })
    }

    fn watch(&self, after: Revision) -> Answer<'_, mpsc::Receiver<Commit>> {
        Box::pin(async move {
            let (sender, receiver) = mpsc::channel(BEHIND_MAX);
            let mut kept = self.kept.lock().unwrap();
            for commit in kept.history.iter().filter(|c| c.revision > after) {
                sender.try_send(commit.clone()).unwrap();
            }
            kept.watchers.push(sender);
            Ok(receiver)
        })
    }

    fn compact(&self, revision: Revision) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut kept = self.kept.lock().unwrap();
            kept.history.retain(|commit| commit.revision > revision);
            Ok(())
        })
    }
}

/// Values as the service writes them.
pub(crate) fn put(key: &str, value: &serde_json::Value) -> Operation {
    Operation::Put(key.into(), Bytes::from(value.to_string()))
}
