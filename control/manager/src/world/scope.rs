//! What is counted of a scope: its revision, its digest, its log. The resources themselves are its owner's.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use inlay_api::wire::{
    Digest,
    agent::{Kind, ScopeState},
};

use super::{
    encode::Chunks,
    log::{Entry, Log},
};
use crate::store::Revision;

/// Differences that are kept encoded: agents in step ask for the same one, laggards for a few others.
const DELTAS_MAX: usize = 8;
/// Bytes of the differences of a scope that are kept; the last one is kept whatever its size.
const DELTAS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How far a state of a scope that somebody holds is from the present one.
#[derive(Debug)]
pub(super) enum Distance {
    /// It is the same.
    None,
    /// These changes, encoded.
    Changes(Arc<[Bytes]>),
    /// It is not known: all of it must be replaced.
    Unknown,
}

#[derive(Debug, Default)]
pub(super) struct Scope {
    revision: Revision,
    digest: Digest,
    resources: usize,
    log: Log,
    /// Encoded differences from earlier revisions to the present one.
    deltas: Mutex<Vec<(Revision, Arc<[Bytes]>)>>,
}

impl Scope {
    /// An empty one, whose first change is of a later revision than `revision`.
    pub(super) fn since(revision: Revision) -> Self {
        Self {
            log: Log::since(revision),
            ..Self::default()
        }
    }

    /// A resource had the digest `before` and has `after`; `None`: is not there. Says whether that is a change.
    pub(super) fn change(
        &mut self,
        revision: Revision,
        id: (Kind, &Arc<str>),
        before: Option<Digest>,
        after: Option<Digest>,
    ) -> bool {
        if before == after {
            return false;
        }
        let id = (id.0, Arc::clone(id.1));
        self.log.push(revision, id, self.digest, self.resources);
        if let Some(before) = before {
            self.digest -= before;
            self.resources = self.resources.saturating_sub(1);
        }
        if let Some(after) = after {
            self.digest += after;
            self.resources += 1;
        }
        self.revision = self.revision.max(revision);
        self.deltas
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        true
    }

    /// Forgets how it became what it is.
    pub(super) fn forget(&mut self) {
        self.log = Log::since(self.revision);
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn resources(&self) -> usize {
        self.resources
    }

    pub(super) fn state(&self, vni: u32) -> ScopeState {
        ScopeState {
            vni,
            revision: self.revision,
            digest: self.digest.0,
        }
    }

    /// Whether `held` can be brought up to date by changes.
    pub(super) fn reaches(&self, held: &ScopeState) -> bool {
        let digest = Digest(held.digest);
        digest == self.digest || self.log.after(held.revision, digest).is_some()
    }

    /// How far `held` is from the present state; `encode` adds the present value of a resource.
    pub(super) fn distance(
        &self,
        held: &ScopeState,
        encode: impl Fn(&mut Chunks, Kind, &str),
    ) -> Distance {
        let digest = Digest(held.digest);
        if digest == self.digest {
            return Distance::None;
        }
        let Some(entries) = self.log.after(held.revision, digest) else {
            return Distance::Unknown;
        };
        let mut deltas = self.deltas.lock().unwrap_or_else(PoisonError::into_inner);
        // Two revisions that differ lead to the same changes if no entry is between them; that is rare, and no harm.
        if let Some((_, delta)) = deltas.iter().find(|(from, _)| *from == held.revision) {
            return Distance::Changes(Arc::clone(delta));
        }
        let delta = encode_entries(entries, encode);
        deltas.push((held.revision, Arc::clone(&delta)));
        while deltas.len() > 1 && (deltas.len() > DELTAS_MAX || bytes(&deltas) > DELTAS_BYTES_MAX) {
            deltas.remove(0);
        }
        Distance::Changes(delta)
    }

    /// Whether the resource was changed by this very revision, as far as is known.
    pub(super) fn changed_by(&self, revision: Revision, kind: Kind, key: &str) -> bool {
        self.log.has(revision, kind, key)
    }
}

fn bytes(deltas: &[(Revision, Arc<[Bytes]>)]) -> usize {
    let chunks = deltas.iter().flat_map(|(_, delta)| delta.iter());
    chunks.map(Bytes::len).sum()
}

fn encode_entries<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    encode: impl Fn(&mut Chunks, Kind, &str),
) -> Arc<[Bytes]> {
    let mut ids: Vec<_> = entries.map(|entry| (entry.kind, &*entry.key)).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut chunks = Chunks::default();
    for (kind, key) in ids {
        encode(&mut chunks, kind, key);
    }
    chunks.finish().into()
}
