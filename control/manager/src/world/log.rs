//! Which resources of a scope changed lately, so that whoever holds an earlier state of it is sent the difference.

use std::{collections::VecDeque, sync::Arc};

use inlay_api::wire::{Digest, agent::Kind};

use crate::store::Revision;

/// Entries that every log may hold, 40 bytes each.
const ENTRIES_MIN: usize = 1_024;
/// Of a large scope, a log may hold this part: beyond it the scope as a whole is hardly longer.
const SHARE: usize = 4;

/// A change, without its value: the value that is sent is the one at that time.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) revision: Revision,
    /// Digest of the scope before all changes of the revision.
    before: Digest,
    pub(super) kind: Kind,
    pub(super) key: Arc<str>,
}

/// The changes after a certain revision, oldest first.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: VecDeque<Entry>,
    /// Changes up to and including this revision are not all here.
    floor: Revision,
}

impl Log {
    /// One that has seen nothing until `revision`.
    pub(super) fn since(revision: Revision) -> Self {
        Self {
            entries: VecDeque::new(),
            floor: revision,
        }
    }

    /// Adds a change to a scope of so many resources and this digest. What is not after the floor is not kept.
    pub(super) fn push(
        &mut self,
        revision: Revision,
        (kind, key): (Kind, Arc<str>),
        digest: Digest,
        resources: usize,
    ) {
        if revision <= self.floor {
            return;
        }
        let last = self.entries.back().filter(|last| last.revision == revision);
        let before = last.map_or(digest, |last| last.before);
        self.entries.push_back(Entry {
            revision,
            before,
            kind,
            key,
        });
        let limit = ENTRIES_MIN.max(resources / SHARE);
        while self.entries.len() > limit {
            self.floor = self
                .entries
                .pop_front()
                .map_or(self.floor, |gone| gone.revision);
        }
    }

    /// The changes after `revision`, at which the scope had this digest; `None` where that is not its history.
    pub(super) fn after(
        &self,
        revision: Revision,
        digest: Digest,
    ) -> Option<impl Iterator<Item = &Entry>> {
        let first = self.entries.partition_point(|e| e.revision <= revision);
        let known = self.entries.get(first).is_some_and(|e| e.before == digest);
        (revision >= self.floor && known).then(|| self.entries.range(first..))
    }

    /// Whether the resource was changed by this very revision, as far as is known.
    pub(super) fn has(&self, revision: Revision, kind: Kind, key: &str) -> bool {
        let first = self.entries.partition_point(|e| e.revision < revision);
        let of_it = self
            .entries
            .range(first..)
            .take_while(|e| e.revision == revision);
        of_it.into_iter().any(|e| e.kind == kind && *e.key == *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(log: &mut Log, revision: Revision, digest: u64) {
        let key = format!("n{digest}").into();
        log.push(revision, (Kind::Node, key), Digest(digest), 0);
    }

    fn keys(log: &Log, revision: Revision, digest: u64) -> Option<Vec<&str>> {
        let entries = log.after(revision, Digest(digest))?;
        Some(entries.map(|e| &*e.key).collect())
    }

    #[test]
    fn a_known_state_is_followed_and_another_is_not() {
        let mut log = Log::since(5);
        push(&mut log, 6, 10);
        push(&mut log, 6, 11);
        push(&mut log, 9, 12);
        assert_eq!(keys(&log, 5, 10), Some(vec!["n10", "n11", "n12"]));
        assert_eq!(keys(&log, 6, 12), Some(vec!["n12"]));
        assert_eq!(keys(&log, 8, 12), Some(vec!["n12"]));
        // Halfway through a revision, before the log, after it, and a state that never was.
        for (revision, digest) in [(6, 11), (4, 10), (9, 13), (5, 99)] {
            assert_eq!(keys(&log, revision, digest), None, "{revision} {digest}");
        }
        assert!(log.has(6, Kind::Node, "n11"));
        assert!(!log.has(9, Kind::Node, "n11") && !log.has(6, Kind::Host, "n11"));
    }

    #[test]
    fn a_full_log_forgets_the_oldest() {
        let mut log = Log::since(0);
        for revision in 1..=ENTRIES_MIN as u64 + 1 {
            push(&mut log, revision, revision);
        }
        assert_eq!(keys(&log, 0, 1), None);
        assert_eq!(keys(&log, 1, 2).unwrap().len(), ENTRIES_MIN);
    }
}
