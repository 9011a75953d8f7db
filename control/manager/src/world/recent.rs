//! Which scopes the last commits touched, so that it is known whom a commit concerns.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use crate::store::Revision;

/// Commits that are remembered; of an older one, nobody knows whom it concerned.
const COMMITS_MAX: usize = 4_096;

/// What a commit touched.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Touched {
    pub(super) revision: Revision,
    /// What scopes that it makes have seen nothing until.
    pub(super) floor: Revision,
    /// Names of hosts whose own scope changed, or that are gone.
    pub(super) hosts: BTreeSet<Arc<str>>,
    /// Paths of networks whose scope changed.
    pub(super) networks: BTreeSet<Arc<str>>,
    /// Names of hosts whose certificates changed: nothing that they must hold.
    pub(super) identities: BTreeSet<Arc<str>>,
}

impl Touched {
    pub(super) fn at(revision: Revision) -> Self {
        Self {
            revision,
            floor: revision.saturating_sub(1),
            ..Self::default()
        }
    }

    /// While everything is loaded as it is at `floor`: logs begin after that.
    pub(super) fn loading(revision: Revision, floor: Revision) -> Self {
        Self {
            revision,
            floor,
            ..Self::default()
        }
    }
}

/// The last commits, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    commits: VecDeque<Arc<Touched>>,
    /// Commits up to and including this one are not known.
    floor: Revision,
}

impl Recent {
    pub(super) fn since(revision: Revision) -> Self {
        Self {
            commits: VecDeque::new(),
            floor: revision,
        }
    }

    pub(super) fn push(&mut self, touched: Arc<Touched>) {
        self.commits.push_back(touched);
        if self.commits.len() > COMMITS_MAX {
            self.floor = self
                .commits
                .pop_front()
                .map_or(self.floor, |gone| gone.revision);
        }
    }

    /// What a commit touched: nothing, if there is no such commit. `None`: it is forgotten.
    pub(super) fn get(&self, revision: Revision) -> Option<Arc<Touched>> {
        if revision <= self.floor {
            return None;
        }
        let found = self
            .commits
            .binary_search_by_key(&revision, |touched| touched.revision);
        let nothing = || Arc::new(Touched::at(revision));
        Some(found.map_or_else(|_| nothing(), |at| Arc::clone(&self.commits[at])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let mut recent = Recent::since(1);
        for revision in 2..COMMITS_MAX as u64 + 3 {
            recent.push(Arc::new(Touched::at(revision)));
        }
        assert_eq!(recent.get(1), None);
        assert_eq!(recent.get(2), None);
        assert_eq!(recent.get(3).unwrap().revision, 3);
        assert!(recent.get(COMMITS_MAX as u64 + 2).is_some());
    }
}
