//! The store's trait in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use inlay_manager::store::{
    Answer, Change, Commit, Condition, Entry, OPERATIONS_MAX, Operation, Page, Revision, Store,
    StoreError, Transaction,
};
use tokio::sync::mpsc;

/// Commits that a receiver may be behind.
const LAG_MAX: usize = 64;

#[derive(Default)]
pub(crate) struct MemoryStore(Mutex<State>, Interlude, AtomicUsize);

/// What happens once before the next transaction is looked at.
type Interlude = Mutex<Option<BoxFuture<'static, ()>>>;

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}

impl MemoryStore {
    /// How many keys were read one by one.
    pub(crate) fn gets(&self) -> usize {
        self.2.load(Ordering::Relaxed)
    }

    /// Lets something happen between the next decision and its transaction.
    pub(crate) fn interpose(&self, interlude: impl Future<Output = ()> + Send + 'static) {
        *self.1.lock().unwrap() = Some(interlude.boxed());
    }
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<Arc<str>, Entry>,
    history: Vec<Commit>,
    watchers: Vec<mpsc::Sender<Commit>>,
}

impl State {
    fn revision(&self) -> Revision {
        self.history.len() as Revision
    }

    fn holds(&self, condition: &Condition) -> Result<(), StoreError> {
        let (key, holds) = match condition {
            Condition::Absent(key) => (key, !self.entries.contains_key(key.as_str())),
            Condition::Unchanged(key, revision) => {
                let entry = self.entries.get(key.as_str());
                (key, entry.is_some_and(|it| it.modified == *revision))
            }
        };
        if holds {
            return Ok(());
        }
        Err(StoreError::Conflict { key: key.clone() })
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Revision, StoreError> {
        for condition in &transaction.conditions {
            self.holds(condition)?;
        }
        if transaction.operations.len() > OPERATIONS_MAX {
            return Err(StoreError::Refused {
                what: "too many operations".into(),
            });
        }
        let mut keys = std::collections::BTreeSet::new();
        for operation in &transaction.operations {
            let (Operation::Put(key, _) | Operation::Delete(key)) = operation;
            if !keys.insert(key) {
                return Err(StoreError::Refused {
                    what: format!("{key} occurs twice"),
                });
            }
        }
        let revision = self.revision() + 1;
        let mut changes = Vec::new();
        for operation in &transaction.operations {
            changes.extend(self.operate(operation, revision));
        }
        if changes.is_empty() {
            return Ok(self.revision());
        }
        let commit = Commit {
            revision,
            changes: changes.into(),
        };
        self.history.push(commit.clone());
        self.watchers
            .retain(|watcher| watcher.try_send(commit.clone()).is_ok());
        Ok(revision)
    }

    fn operate(&mut self, operation: &Operation, revision: Revision) -> Option<Change> {
        match operation {
            Operation::Put(key, value) => {
                let key: Arc<str> = Arc::from(key.as_str());
                let created = self.entries.get(&key).map_or(revision, |it| it.created);
                let entry = Entry {
                    key: key.clone(),
                    value: value.clone(),
                    created,
                    modified: revision,
                };
                self.entries.insert(key.clone(), entry);
                Some(Change {
                    key,
                    value: Some(value.clone()),
                })
            }
            Operation::Delete(key) => {
                let (key, _) = self.entries.remove_entry(key.as_str())?;
                Some(Change { key, value: None })
            }
        }
    }

    fn range(&self, prefix: &str, after: &str, limit: usize) -> Page {
        let from = if after < prefix {
            Bound::Included(prefix)
        } else {
            Bound::Excluded(after)
        };
        let within = self.entries.range::<str, _>((from, Bound::Unbounded));
        let mut within = within.take_while(|(key, _)| key.starts_with(prefix));
        let entries = within.by_ref().take(limit);
        Page {
            entries: entries.map(|(_, entry)| entry.clone()).collect(),
            more: within.next().is_some(),
            revision: self.revision(),
        }
    }
}

impl Store for MemoryStore {
    fn epoch(&self) -> Answer<'_, String> {
        async { Ok("memory".to_owned()) }.boxed()
    }

    fn revision(&self) -> Answer<'_, Revision> {
        let revision = self.0.lock().unwrap().revision();
        async move { Ok(revision) }.boxed()
    }

    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Entry>> {
        self.2.fetch_add(1, Ordering::Relaxed);
        let entry = self.0.lock().unwrap().entries.get(key).cloned();
        async move { Ok(entry) }.boxed()
    }

    fn range<'a>(&'a self, prefix: &'a str, after: &'a str, limit: usize) -> Answer<'a, Page> {
        let page = self.0.lock().unwrap().range(prefix, after, limit);
        async move { Ok(page) }.boxed()
    }

    fn commit(&self, transaction: Transaction) -> Answer<'_, Revision> {
        let interlude = self.1.lock().unwrap().take();
        async move {
            if let Some(interlude) = interlude {
                interlude.await;
            }
            self.0.lock().unwrap().commit(&transaction)
        }
        .boxed()
    }

    fn watch(&self, after: Revision) -> Answer<'_, mpsc::Receiver<Commit>> {
        let mut state = self.0.lock().unwrap();
        let past = &state.history[usize::try_from(after).unwrap()..];
        let (sender, receiver) = mpsc::channel(past.len() + LAG_MAX);
        for commit in past {
            sender.try_send(commit.clone()).unwrap();
        }
        state.watchers.push(sender);
        async move { Ok(receiver) }.boxed()
    }

    fn compact(&self, _: Revision) -> Answer<'_, ()> {
        async { Ok(()) }.boxed()
    }
}
