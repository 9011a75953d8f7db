//! Updates, collected until one is complete: then all of them are one change.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use inlay_api::wire::agent::{Change, ScopeState, Update};
use prost::Message as _;

use super::held::ResourceKey;

/// Bytes of changes that are collected for one batch: six times a host of 65,536 mappings.
pub const BATCH_BYTES_MAX: usize = 64 << 20;
/// Changes of one batch: every resource that a host may hold, gone and come.
pub const BATCH_CHANGES_MAX: usize = 200_000;

/// Updates up to a complete one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Batch {
    /// Which store it comes from. Where that is another than what is held came from, all of that is void.
    pub epoch: String,
    /// The revision that the host holds all of afterwards.
    pub revision: u64,
    /// Scopes that begin anew.
    pub replaced: BTreeSet<u32>,
    /// Scopes that the host does not need any more.
    pub dropped: BTreeSet<u32>,
    /// Revision and digest that the scopes have afterwards, as far as they were touched.
    pub scopes: BTreeMap<u32, ScopeState>,
    /// Values that resources have; `None`: gone.
    pub changes: BTreeMap<ResourceKey, Option<Bytes>>,
    /// Kinds that this agent does not know, with their number, as the manager names them.
    pub unknown: Vec<(u32, i32, String)>,
}

/// Why the stream cannot go on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// A change is no message.
    #[error("a change in the update of revision {revision} cannot be read: {reason}")]
    Unreadable {
        /// The update.
        revision: u64,
        /// What the decoder says.
        reason: String,
    },
    /// The manager sends without end.
    #[error(
        "updates are not complete after {BATCH_CHANGES_MAX} changes or {BATCH_BYTES_MAX} bytes, more than a host \
         holds; look at how many networks have nodes here"
    )]
    TooMuch,
}

/// Updates that are not yet complete.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    epoch: String,
    batch: Batch,
    bytes: usize,
}

impl Collector {
    /// Of a stream from the store `epoch`.
    #[must_use]
    pub fn new(epoch: &str) -> Self {
        Self {
            epoch: epoch.to_owned(),
            ..Self::default()
        }
    }

    /// Adds an update. Returns the batch that it completes.
    ///
    /// # Errors
    /// Where a change cannot be read, or there are too many. The stream has to begin again then.
    pub fn add(&mut self, update: Update) -> Result<Option<Batch>, CollectError> {
        let batch = &mut self.batch;
        batch.replaced.extend(update.replaced);
        batch.dropped.extend(update.dropped);
        let scopes = update.scopes.into_iter().map(|state| (state.vni, state));
        batch.scopes.extend(scopes);
        for encoded in update.changes {
            let change = Change::decode(encoded).map_err(|error| CollectError::Unreadable {
                revision: update.revision,
                reason: error.to_string(),
            })?;
            self.bytes += batch.add(change);
            let count = batch.changes.len() + batch.unknown.len();
            if count > BATCH_CHANGES_MAX || self.bytes > BATCH_BYTES_MAX {
                return Err(CollectError::TooMuch);
            }
        }
        if !update.complete {
            return Ok(None);
        }
        self.bytes = 0;
        let mut batch = std::mem::take(batch);
        (batch.epoch, batch.revision) = (self.epoch.clone(), update.revision);
        Ok(Some(batch))
    }
}

impl Batch {
    /// Adds a change. Returns how many bytes it takes.
    fn add(&mut self, change: Change) -> usize {
        let len_bytes = change.key.len() + change.value.as_ref().map_or(0, Bytes::len);
        let Some(key) = ResourceKey::of(&change) else {
            self.unknown.push((change.vni, change.kind, change.key));
            return len_bytes;
        };
        // A value of its own: a slice would keep all of the message that it came in.
        let value = change.value.map(|value| Bytes::copy_from_slice(&value));
        self.changes.insert(key, value);
        len_bytes
    }
}
