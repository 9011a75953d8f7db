//! Random transactions, done by a store and by a map: both must say the same, at every step.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use inlay_manager::store::{
    Change, Commit, Condition, Operation, Revision, Store, StoreError, Transaction,
};
use proptest::prelude::*;
use tokio::{runtime::Runtime, sync::mpsc};

use crate::support::{Scratch, next};

/// Few enough to meet often; prefixes of each other.
const KEYS: [&str; 8] = ["a", "a/", "a/1", "a/2", "ab", "b", "b/\u{10ffff}", "é"];

/// What a store should be.
#[derive(Debug, Default)]
struct Model {
    revision: Revision,
    compacted: Revision,
    entries: BTreeMap<String, (Bytes, Revision, Revision)>,
    commits: Vec<Commit>,
}

impl Model {
    fn holds(&self, condition: &Condition) -> bool {
        let modified = self.entries.get(condition.key()).map(|entry| entry.2);
        match condition {
            Condition::Absent(_) => modified.is_none(),
            Condition::Unchanged(_, revision) => modified == Some(*revision),
        }
    }

    /// The revision, or the key that conflicts.
    fn commit(&mut self, transaction: &Transaction) -> Result<Revision, String> {
        if let Some(broken) = transaction
            .conditions
            .iter()
            .find(|condition| !self.holds(condition))
        {
            return Err(broken.key().to_owned());
        }
        let revision = self.revision + 1;
        let changes: Vec<_> = transaction
            .operations
            .iter()
            .filter_map(|operation| self.change(operation, revision))
            .collect();
        if !changes.is_empty() {
            self.revision = revision;
            let changes = changes.into();
            self.commits.push(Commit { revision, changes });
        }
        Ok(self.revision)
    }

    fn change(&mut self, operation: &Operation, revision: Revision) -> Option<Change> {
        let key = operation.key();
        let value = match operation {
            Operation::Put(_, value) => {
                let created = self.entries.get(key).map_or(revision, |entry| entry.1);
                let entry = (value.clone(), created, revision);
                self.entries.insert(key.to_owned(), entry);
                Some(value.clone())
            }
            Operation::Delete(_) => {
                self.entries.remove(key)?;
                None
            }
        };
        Some(Change {
            key: key.into(),
            value,
        })
    }

    fn range(&self, prefix: &str, after: &str) -> Vec<(String, Bytes, Revision, Revision)> {
        self.entries
            .iter()
            .filter(|(key, _)| {
                key.starts_with(prefix) && (after.is_empty() || key.as_str() > after)
            })
            .map(|(key, (value, created, modified))| {
                (key.clone(), value.clone(), *created, *modified)
            })
            .collect()
    }
}

/// A condition by its place among what the model has, so that it often holds.
#[derive(Clone, Debug)]
enum Guess {
    Absent,
    Right,
    Wrong(Revision),
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(usize, Guess)>, Vec<(usize, Option<Vec<u8>>)>),
    Range(String, String, usize),
    Watch(Revision),
    Compact(Revision),
    Reopen,
}

fn key() -> impl Strategy<Value = usize> {
    0..KEYS.len()
}

fn guess() -> impl Strategy<Value = Guess> {
    prop_oneof![
        2 => Just(Guess::Absent),
        6 => Just(Guess::Right),
        1 => (0..20_u64).prop_map(Guess::Wrong),
    ]
}

/// Each key once.
fn operations() -> impl Strategy<Value = Vec<(usize, Option<Vec<u8>>)>> {
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..20));
    prop::collection::btree_map(key(), value, 0..5)
        .prop_map(|operations| operations.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
}

fn prefix() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        key().prop_map(|key| KEYS[key].to_owned()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let conditions = prop::collection::vec((key(), guess()), 0..3);
    prop_oneof![
        20 => (conditions, operations()).prop_map(|(conditions, operations)| Step::Commit(conditions, operations)),
        6 => (prefix(), prefix(), 0..5_usize).prop_map(|(prefix, after, limit)| Step::Range(prefix, after, limit)),
        2 => (0..30_u64).prop_map(Step::Watch),
        1 => (0..30_u64).prop_map(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

/// A store and a model that have seen the same.
struct Pair {
    scratch: Option<Scratch>,
    model: Model,
    /// Each with the place in the model's history of what it gives next.
    watches: Vec<(mpsc::Receiver<Commit>, usize)>,
}

impl Pair {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.scratch.as_ref().unwrap().store) as Arc<dyn Store>
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Commit(conditions, operations) => self.commit(&conditions, operations).await,
            Step::Range(prefix, after, limit) => self.range(&prefix, &after, limit).await,
            Step::Watch(after) => self.watch(after).await,
            Step::Compact(revision) => self.compact(revision).await,
            Step::Reopen => {
                self.drain().await;
                self.watches.clear();
                self.scratch = self.scratch.take().map(Scratch::reopen);
            }
        }
    }

    async fn commit(
        &mut self,
        conditions: &[(usize, Guess)],
        operations: Vec<(usize, Option<Vec<u8>>)>,
    ) {
        let right = |key: &str| self.model.entries.get(key).map_or(0, |entry| entry.2);
        let conditions = conditions.iter().map(|(key, guess)| {
            let key = KEYS[*key].to_owned();
            match guess {
                Guess::Absent => Condition::Absent(key),
                Guess::Right => Condition::Unchanged(key.clone(), right(&key)),
                Guess::Wrong(revision) => Condition::Unchanged(key, *revision),
            }
        });
        let conditions = conditions.collect();
        let operations = operations.into_iter().map(|(key, value)| match value {
            Some(value) => Operation::Put(KEYS[key].to_owned(), value.into()),
            None => Operation::Delete(KEYS[key].to_owned()),
        });
        let operations = operations.collect();
        let transaction = Transaction {
            conditions,
            operations,
        };
        let expected = self.model.commit(&transaction);
        let observed = match self.store().commit(transaction).await {
            Ok(revision) => Ok(revision),
            Err(StoreError::Conflict { key }) => Err(key),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(observed, expected);
        assert_eq!(self.store().revision().await.unwrap(), self.model.revision);
    }

    async fn range(&self, prefix: &str, after: &str, limit: usize) {
        let mut expected = self.model.range(prefix, after);
        let more = expected.len() > limit;
        expected.truncate(limit);
        let page = self.store().range(prefix, after, limit).await.unwrap();
        let observed: Vec<_> = page
            .entries
            .into_iter()
            .map(|entry| {
                (
                    entry.key.to_string(),
                    entry.value,
                    entry.created,
                    entry.modified,
                )
            })
            .collect();
        assert_eq!(
            (observed, page.more, page.revision),
            (expected, more, self.model.revision)
        );
    }

    async fn watch(&mut self, after: Revision) {
        let after = after.min(self.model.revision);
        match self.store().watch(after).await {
            Ok(watch) => {
                assert!(after >= self.model.compacted);
                let seen = self
                    .model
                    .commits
                    .partition_point(|commit| commit.revision <= after);
                self.watches.push((watch, seen));
            }
            Err(StoreError::Compacted { asked, oldest }) => {
                assert_eq!((asked, oldest), (after, self.model.compacted));
                assert!(after < self.model.compacted);
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn compact(&mut self, revision: Revision) {
        // A watch that has not caught up may lose its history.
        self.drain().await;
        match self.store().compact(revision).await {
            Ok(()) => {
                assert!(revision <= self.model.revision);
                self.model.compacted = self.model.compacted.max(revision);
            }
            Err(StoreError::Refused { .. }) => assert!(revision > self.model.revision),
            Err(error) => panic!("{error}"),
        }
    }

    /// Every watch gives what the model says it must, and no more.
    async fn drain(&mut self) {
        for (watch, seen) in &mut self.watches {
            for expected in &self.model.commits[*seen..] {
                assert_eq!(next(watch).await.as_ref(), Some(expected));
            }
            *seen = self.model.commits.len();
            assert!(watch.try_recv().is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_store_is_a_map_with_a_history(steps in prop::collection::vec(step(), 1..60)) {
        Runtime::new().unwrap().block_on(async {
            let mut pair = Pair { scratch: Some(Scratch::new()), model: Model::default(), watches: Vec::new() };
            for step in steps {
                pair.take(step).await;
            }
            pair.drain().await;
            pair.range("", "", 1_000).await;
        });
    }
}
