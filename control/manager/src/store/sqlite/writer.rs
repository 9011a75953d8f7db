//! The one thread that writes. Transactions that wait while one is being written are written together: each keeps its
//! revision and its answer, and they share one fsync.

use std::{ops::ControlFlow, sync::Arc};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::mpsc;
use tracing::error;

use super::{Reply, error::describe, hub::Hub, schema};
use crate::store::{Change, Commit, Condition, Operation, Revision, StoreError, Transaction};

/// Transactions that are written together at most.
const BATCH_TRANSACTIONS_MAX: usize = 64;
/// Changes that are forgotten in one step, a few milliseconds.
const FORGET_CHANGES: usize = 1_000;

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    Commit(Pending),
    /// Declares the history up to `revision` gone.
    Compact {
        revision: Revision,
        reply: Reply<()>,
    },
    /// Removes some of what is gone; answers whether there is more.
    Forget {
        reply: Reply<bool>,
    },
}

/// A transaction, and who waits for it.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) transaction: Transaction,
    pub(super) reply: Reply<Revision>,
}

#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    jobs: mpsc::Receiver<Job>,
    hub: Arc<Hub>,
}

/// What came of a transaction.
enum Outcome {
    Committed(Commit),
    /// It changed nothing.
    Unchanged(Revision),
    Conflict {
        key: String,
    },
}

impl Writer {
    pub(super) fn new(connection: Connection, jobs: mpsc::Receiver<Job>, hub: Arc<Hub>) -> Self {
        Self {
            connection,
            jobs,
            hub,
        }
    }

    /// Works until nobody can ask any more, or the disk fails: what a failed fsync has written is not known, so nothing
    /// may be built on it.
    pub(super) fn run(mut self) {
        while let Some(job) = self.jobs.blocking_recv() {
            if self.serve(job).is_break() {
                error!("the store has stopped: a write to its disk failed");
                return;
            }
        }
    }

    fn serve(&mut self, job: Job) -> ControlFlow<()> {
        let mut next = Some(job);
        while let Some(job) = next.take() {
            match job {
                Job::Commit(first) => {
                    let batch;
                    (batch, next) = self.collect(first);
                    self.commit(batch)?;
                }
                Job::Compact { revision, reply } => {
                    let done = self.compact(revision);
                    // Nobody waits any more, here and below: it is done all the same.
                    let _ = reply.send(done);
                }
                Job::Forget { reply } => {
                    let done = schema::forget(&self.connection, FORGET_CHANGES);
                    let _ = reply.send(done.map_err(StoreError::from));
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// All that wait to be committed, and what came after them.
    fn collect(&mut self, first: Pending) -> (Vec<Pending>, Option<Job>) {
        let mut batch = vec![first];
        while batch.len() < BATCH_TRANSACTIONS_MAX {
            match self.jobs.try_recv() {
                Ok(Job::Commit(pending)) => batch.push(pending),
                Ok(other) => return (batch, Some(other)),
                Err(_) => break,
            }
        }
        (batch, None)
    }

    fn commit(&mut self, batch: Vec<Pending>) -> ControlFlow<()> {
        match self.write(&batch) {
            Ok(outcomes) => self.answer(batch, outcomes),
            Err(error) if is_disk_failure(&error) => {
                fail(batch, &error);
                return ControlFlow::Break(());
            }
            // One of them is at fault; the others need not suffer.
            Err(_) if batch.len() > 1 => {
                for pending in batch {
                    self.commit(vec![pending])?;
                }
            }
            Err(error) => fail(batch, &error),
        }
        ControlFlow::Continue(())
    }

    /// Writes them as one transaction of SQLite's. A conflict, too, is told only once what it conflicts with is on the disk.
    fn write(&mut self, batch: &[Pending]) -> rusqlite::Result<Vec<Outcome>> {
        let behavior = TransactionBehavior::Immediate;
        let database = self.connection.transaction_with_behavior(behavior)?;
        let mut revision = schema::meta(&database)?.revision;
        let mut outcomes = Vec::with_capacity(batch.len());
        for pending in batch {
            let outcome = apply(&database, &pending.transaction, revision)?;
            if let Outcome::Committed(commit) = &outcome {
                revision = commit.revision;
            }
            outcomes.push(outcome);
        }
        database.commit()?;
        Ok(outcomes)
    }

    fn answer(&self, batch: Vec<Pending>, outcomes: Vec<Outcome>) {
        for (pending, outcome) in batch.into_iter().zip(outcomes) {
            let answer = match outcome {
                Outcome::Committed(commit) => {
                    self.hub.publish(&commit);
                    Ok(commit.revision)
                }
                Outcome::Unchanged(revision) => Ok(revision),
                Outcome::Conflict { key } => Err(StoreError::Conflict { key }),
            };
            let _ = pending.reply.send(answer);
        }
    }

    fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        let present = schema::meta(&self.connection)?.revision;
        if revision > present {
            return Err(StoreError::Refused {
                what: format!("revision {revision} cannot be compacted: the last one is {present}"),
            });
        }
        schema::set_compacted(&self.connection, revision).map_err(StoreError::from)
    }
}

fn fail(batch: Vec<Pending>, error: &rusqlite::Error) {
    for pending in batch {
        let what = describe(error);
        let _ = pending.reply.send(Err(StoreError::Engine { what }));
    }
}

fn is_disk_failure(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

/// Does one transaction after revision `present`. Conditions are asked first, so that a conflict has changed nothing.
fn apply(
    database: &Connection,
    transaction: &Transaction,
    present: Revision,
) -> rusqlite::Result<Outcome> {
    for condition in &transaction.conditions {
        if !holds(database, condition)? {
            let key = condition.key().to_owned();
            return Ok(Outcome::Conflict { key });
        }
    }
    let revision = present + 1;
    let mut changes = Vec::with_capacity(transaction.operations.len());
    for operation in &transaction.operations {
        changes.extend(change(database, operation, revision)?);
    }
    if changes.is_empty() {
        return Ok(Outcome::Unchanged(present));
    }
    let changes = changes.into();
    let commit = Commit { revision, changes };
    schema::record(database, &commit)?;
    Ok(Outcome::Committed(commit))
}

fn holds(database: &Connection, condition: &Condition) -> rusqlite::Result<bool> {
    let modified = schema::modified(database, condition.key())?;
    Ok(match condition {
        Condition::Absent(_) => modified.is_none(),
        Condition::Unchanged(_, revision) => modified == Some(*revision),
    })
}

/// `None` where there was nothing to remove.
fn change(
    database: &Connection,
    operation: &Operation,
    revision: Revision,
) -> rusqlite::Result<Option<Change>> {
    let value = match operation {
        Operation::Put(key, value) => {
            schema::put(database, key, value, revision)?;
            Some(value.clone())
        }
        Operation::Delete(key) if schema::delete(database, key)? => None,
        Operation::Delete(_) => return Ok(None),
    };
    let key = operation.key().into();
    Ok(Some(Change { key, value }))
}
