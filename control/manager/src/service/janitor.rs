//! Takes away what has had its time: claims after their quarantine, answers that nobody asks for again, old entries
//! of the audit log. The daemon calls it every few seconds; each call does a bounded part of the work.

use std::sync::Arc;

use inlay_api::objects::Problem;
use jiff::Timestamp;

use crate::keys::{self, Claim};
use crate::store::{Condition, Operation, StoreError, Transaction};

use super::idempotency::Remembered;
use super::mutate::guarded;
use super::{Service, problems};

/// Things of each sort that one call looks at.
const BATCH: usize = 5_000;

/// What one call took away.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Swept {
    /// Addresses and networks' numbers whose quarantine is over.
    pub claims: usize,
    /// Answers that nobody can ask for again.
    pub answers: usize,
    /// Entries of the audit log.
    pub audit_entries: usize,
}

impl Service {
    /// Takes a part of what has had its time away.
    ///
    /// # Errors
    /// Where the store fails; what is left is taken next time.
    pub async fn janitor(&self) -> Result<Swept, Problem> {
        let mut cursors = self.turn.lock().await;
        self.catch_up().await?;
        let claims = self.sweep_claims().await?;
        let answers = self.sweep_answers(&mut cursors.idempotency).await?;
        let audit_entries = self.sweep_audit().await?;
        Ok(Swept {
            claims,
            answers,
            audit_entries,
        })
    }

    async fn sweep_claims(&self) -> Result<usize, Problem> {
        let until = self.now().as_second() - i64::from(self.settings.quarantine_s);
        let (due, guard) = {
            let index = self.index.read();
            (index.released_until(until, BATCH), index.guard)
        };
        if due.is_empty() {
            return Ok(0);
        }
        let mut transaction = Transaction {
            conditions: vec![guarded(guard)],
            operations: vec![Operation::Put(
                keys::SERVICE_GUARD.to_owned(),
                bytes::Bytes::new(),
            )],
        };
        let mut swept = 0;
        for (since, vni, address) in &due {
            let key = match address {
                Some(address) => keys::address_claim(*vni, *address),
                None => keys::vni_claim(*vni),
            };
            let Some(entry) = self.store.get(&key).await.map_err(problems::of_store)? else {
                continue;
            };
            let claim: Claim = serde_json::from_slice(&entry.value).unwrap_or_default();
            // Somebody else may have it by now, or have given it up again.
            if claim.released_s == Some(*since) {
                let unchanged = Condition::Unchanged(key.clone(), entry.modified);
                transaction.conditions.push(unchanged);
                transaction.operations.push(Operation::Delete(key));
                swept += 1;
            }
        }
        if swept > 0 && !self.swept(transaction).await? {
            return Ok(0);
        }
        let mut index = self.index.write();
        for claim in &due {
            index.forget_released(claim);
        }
        Ok(swept)
    }

    async fn sweep_answers(&self, cursor: &mut String) -> Result<usize, Problem> {
        let page = self.store.range(keys::IDEMPOTENCY, cursor, BATCH).await;
        let page = page.map_err(problems::of_store)?;
        let until = self.now().as_second() - i64::from(self.settings.idempotency_s);
        let over = |value: &[u8]| {
            let found = serde_json::from_slice::<Remembered>(value);
            found.map_or(true, |remembered| remembered.at_s < until)
        };
        *cursor = match page.entries.last() {
            Some(last) if page.more => last.key.to_string(),
            _ => String::new(),
        };
        let due = page.entries.iter().filter(|entry| over(&entry.value));
        let due: Vec<String> = due.map(|entry| entry.key.to_string()).collect();
        self.sweep(due).await
    }

    async fn sweep_audit(&self) -> Result<usize, Problem> {
        let page = self.store.range(keys::AUDIT, "", BATCH).await;
        let page = page.map_err(problems::of_store)?;
        let until = self.now().as_second() - i64::from(self.settings.audit_s);
        let old = page.entries.iter();
        let old = old.take_while(|entry| written_s(&entry.key) < until);
        let mut due: Vec<String> = old.map(|entry| entry.key.to_string()).collect();
        // Who has too many is looked at once the old ones are gone.
        if due.is_empty() {
            let max = self.settings.audit_entries_max;
            due = self.index.read().audit_log.crowding(max, BATCH);
        }
        self.sweep(due).await
    }

    /// Deletes keys that nobody writes twice.
    async fn sweep(&self, keys: Vec<String>) -> Result<usize, Problem> {
        let count = keys.len();
        if count == 0 {
            return Ok(0);
        }
        let transaction = Transaction {
            conditions: Vec::new(),
            operations: keys.into_iter().map(Operation::Delete).collect(),
        };
        Ok(if self.swept(transaction).await? {
            count
        } else {
            0
        })
    }

    /// Whether the transaction was done; another manager may have been faster.
    async fn swept(&self, transaction: Transaction) -> Result<bool, Problem> {
        match self.store.commit(transaction).await {
            Ok(revision) => {
                let committed = &self.committed;
                committed.fetch_max(revision, std::sync::atomic::Ordering::Relaxed);
                Ok(true)
            }
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(problems::of_store(error)),
        }
    }
}

/// When an entry of the audit log was written, Unix time in seconds, by its UID; now where that tells nothing.
fn written_s(key: &Arc<str>) -> i64 {
    let uid = key.strip_prefix(keys::AUDIT).unwrap_or_default();
    let uid = uid.parse::<uuid::Uuid>().ok();
    let at = uid.and_then(|uid| uid.get_timestamp());
    at.map_or_else(
        || Timestamp::now().as_second(),
        |at| i64::try_from(at.to_unix().0).unwrap_or(i64::MAX),
    )
}
