//! A mutation from the request to the transaction.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use inlay_api::objects::{IssuedToken, List, Problem, Token};
use serde_json::Value;

use crate::keys;
use crate::store::{
    Condition, Entry, OPERATIONS_MAX, Operation, Revision, StoreError, Transaction,
};

use super::authorize::{self, Verb};
use super::draft::{Answer, Decision};
use super::request::{Action, Mutation, Outcome, Target};
use super::view::View;
use super::{Cursors, Service, audit, idempotency, load, problems};

/// How often a mutation is decided anew, because another manager decided at the same time.
const ATTEMPTS_MAX: usize = 8;
const OK: u16 = 200;
const CREATED: u16 = 201;

impl Service {
    /// Does what is asked, all of it or nothing.
    ///
    /// # Errors
    /// A problem that says what is wrong; nothing was done.
    pub async fn mutate(&self, mutation: Mutation) -> Result<Outcome, Problem> {
        let named = !matches!(mutation.action, Action::Create { .. });
        if !load::is_addressed(&mutation.target, named) {
            return Err(problems::target_not_found(&mutation.target));
        }
        authorize::authorize(
            &mutation.actor,
            Verb::from(&mutation.action),
            &mutation.target,
        )?;
        let key = idempotency::key(&mutation)?.filter(|_| !mutation.dry_run);
        let mut cursors = self.turn.lock().await;
        self.in_step().await?;
        if let Some(key) = &key
            && let Some(outcome) = self.recall(key, &mutation).await?
        {
            return Ok(outcome);
        }
        if key.is_some() {
            self.refuse_many_answers(&mutation.actor)?;
        }
        let mut last = None;
        for _ in 0..ATTEMPTS_MAX {
            let (guard, seen) = {
                let index = self.index.read();
                (index.guard, index.revision)
            };
            match self.decide(&mutation, &mut cursors).await {
                Ok(decision) if mutation.dry_run => {
                    return Ok(Outcome::Planned(decision.draft.into_plan()));
                }
                Ok(decision) => {
                    let concluded = self.conclude(&mutation, key.as_deref(), guard, decision);
                    if let Some(outcome) = concluded.await? {
                        return Ok(outcome);
                    }
                }
                // What was refused may be so because of what somebody else has changed since.
                Err(problem) if self.is_at(seen).await? => return Err(problem),
                Err(problem) => last = Some(problem),
            }
            self.catch_up().await?;
        }
        let contended = "other managers keep changing the same; try again";
        Err(last.unwrap_or_else(|| problems::unavailable(contended)))
    }

    /// Commits a decision; `None` where another manager was faster.
    async fn conclude(
        &self,
        mutation: &Mutation,
        key: Option<&str>,
        guard: Revision,
        mut decision: Decision,
    ) -> Result<Option<Outcome>, Problem> {
        let unchanged = match &decision.answer {
            Answer::Unchanged(entry) => Some(entry.modified),
            _ => None,
        };
        let status = match mutation.action {
            Action::Create { .. } | Action::IssueJoinToken => CREATED,
            _ => OK,
        };
        let entry = self.audit_entry(mutation, &decision);
        let draft = &mut decision.draft;
        if unchanged.is_none() {
            let logged = audit::log_operation(&entry).map_err(|error| {
                problems::unavailable(format!("the log cannot be written: {error}"))
            })?;
            draft.operate(logged);
        }
        if let Some(key) = key {
            let now = self.now();
            let remembered = idempotency::remember(key, mutation, &decision.answer, status, now)?;
            draft.operate(remembered);
        }
        let transaction = std::mem::take(&mut draft.transaction);
        let revision = match unchanged {
            Some(revision) if transaction.operations.is_empty() => revision,
            unchanged => {
                let Some(committed) = self.commit(transaction, guard).await? else {
                    return Ok(None);
                };
                unchanged.unwrap_or(committed)
            }
        };
        let body = self.body(decision.answer, revision)?;
        Ok(Some(Outcome::Done {
            revision,
            status,
            body,
        }))
    }

    /// Commits what was decided at `guard`; `None` where another manager was faster.
    async fn commit(
        &self,
        mut transaction: Transaction,
        guard: Revision,
    ) -> Result<Option<Revision>, Problem> {
        transaction.conditions.push(guarded(guard));
        let guard = Operation::Put(keys::SERVICE_GUARD.to_owned(), Bytes::new());
        transaction.operations.push(guard);
        if transaction.operations.len() > OPERATIONS_MAX {
            let detail = format!(
                "it changes more than {OPERATIONS_MAX} things at once; ask for less at a time"
            );
            return Err(problems::too_large(detail));
        }
        let revision = match self.store.commit(transaction).await {
            Ok(revision) => revision,
            Err(StoreError::Conflict { .. }) => return Ok(None),
            Err(error) => return Err(problems::of_store(error)),
        };
        self.committed.fetch_max(revision, Ordering::Relaxed);
        Ok(Some(revision))
    }

    /// The body of an answer, once it is at `revision`.
    fn body(&self, answer: Answer, revision: Revision) -> Result<Value, Problem> {
        let entry = |(key, value): (String, Bytes)| Entry {
            key: Arc::from(key),
            value,
            created: revision,
            modified: revision,
        };
        match answer {
            Answer::Object(key, value) => self.bodies(&[entry((key, value))], false),
            Answer::Objects(objects) => {
                let entries: Vec<Entry> = objects.into_iter().map(entry).collect();
                self.bodies(&entries, true)
            }
            Answer::Token(key, value, secret) => {
                let token = self.bodies(&[entry((key, value))], false)?;
                let token: Token = serde_json::from_value(token).map_err(unwritable)?;
                serde_json::to_value(IssuedToken { token, secret }).map_err(unwritable)
            }
            Answer::JoinToken(token) => serde_json::to_value(token).map_err(unwritable),
            Answer::Unchanged(entry) => self.bodies(&[entry], false),
        }
    }

    /// Objects as a client sees them: a list, or the only one.
    pub(super) fn bodies(&self, entries: &[Entry], list: bool) -> Result<Value, Problem> {
        let mut view = View::new(self, entries.len() == 1);
        let items: Result<Vec<Value>, Problem> =
            entries.iter().map(|entry| view.object(entry)).collect();
        let mut items = items?;
        if !list {
            return Ok(items.pop().unwrap_or(Value::Null));
        }
        let list = List {
            items,
            next_page_token: None,
        };
        serde_json::to_value(list).map_err(unwritable)
    }

    /// Waits until the index holds what this service committed.
    pub(super) async fn in_step(&self) -> Result<(), Problem> {
        self.reach(self.committed.load(Ordering::Relaxed)).await
    }

    /// Waits until the index holds what anybody committed.
    pub(super) async fn catch_up(&self) -> Result<(), Problem> {
        let revision = self.store.revision().await.map_err(problems::of_store)?;
        self.reach(revision).await
    }

    /// Whether nobody has committed anything after `revision`.
    async fn is_at(&self, revision: Revision) -> Result<bool, Problem> {
        let present = self.store.revision().await.map_err(problems::of_store)?;
        Ok(present <= revision)
    }

    async fn reach(&self, revision: Revision) -> Result<(), Problem> {
        if self.index.reached(revision).await {
            return Ok(());
        }
        let detail = "the manager is behind its store; try again, and see its log";
        Err(problems::unavailable(detail))
    }

    /// What a mutation comes to.
    async fn decide(
        &self,
        mutation: &Mutation,
        cursors: &mut Cursors,
    ) -> Result<Decision, Problem> {
        match &mutation.action {
            Action::Create { body, count } => self.create(mutation, body, *count, cursors).await,
            Action::Replace { body } => self.replace(mutation, body).await,
            Action::Delete => self.delete(mutation).await,
            Action::Move { body } => self.move_node(mutation, body).await,
            Action::Accept | Action::Reject => self.answer_peering(mutation).await,
            Action::IssueJoinToken => self.issue_join_token(mutation).await,
        }
    }
}

/// Nobody has decided anything since `guard`.
pub(super) fn guarded(guard: Revision) -> Condition {
    let key = keys::SERVICE_GUARD.to_owned();
    match guard {
        0 => Condition::Absent(key),
        revision => Condition::Unchanged(key, revision),
    }
}

/// JSON that cannot be made of types that always can.
#[allow(clippy::needless_pass_by_value, reason = "map_err gives it")]
pub(super) fn unwritable(error: serde_json::Error) -> Problem {
    problems::unavailable(format!("an answer cannot be written: {error}"))
}

/// A problem of an action that the target's kind has not.
pub(super) fn no_such_action(target: &Target) -> Problem {
    let what = problems::words(target.kind);
    problems::conflict(format!("this cannot be done to a {what}"))
}
