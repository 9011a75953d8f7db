//! How many answers are remembered for each project, and how long they are. One costs about 60 bytes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use serde::Deserialize;

/// See the module. Answers are known by a hash of their keys, as nodes are in the index.
#[derive(Debug, Default)]
pub(in crate::service) struct Answers {
    hash: RandomState,
    /// For which project, and how many bytes.
    known: HashMap<u64, (Arc<str>, u64)>,
    totals: HashMap<Arc<str>, Remembering>,
}

/// What is remembered for a project.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::service) struct Remembering {
    pub(in crate::service) answers: u64,
    pub(in crate::service) len_bytes: u64,
}

/// What counts of an answer.
#[derive(Default, Deserialize)]
struct Given<'a> {
    #[serde(borrow, default)]
    project: Cow<'a, str>,
}

impl Answers {
    pub(super) fn put(&mut self, key: &str, value: &[u8]) {
        self.delete(key);
        let given: Given = serde_json::from_slice(value).unwrap_or_default();
        let known = self.totals.get_key_value(&*given.project);
        let project = known.map_or_else(|| Arc::from(&*given.project), |(known, _)| known.clone());
        let len_bytes = value.len() as u64;
        let total = self.totals.entry(Arc::clone(&project)).or_default();
        total.answers += 1;
        total.len_bytes += len_bytes;
        let hash = self.hash.hash_one(key);
        self.known.insert(hash, (project, len_bytes));
    }

    pub(super) fn delete(&mut self, key: &str) {
        let Some((project, len_bytes)) = self.known.remove(&self.hash.hash_one(key)) else {
            return;
        };
        if let Some(total) = self.totals.get_mut(&project) {
            total.answers -= 1;
            total.len_bytes -= len_bytes;
            if total.answers == 0 {
                self.totals.remove(&project);
            }
        }
    }

    pub(in crate::service) fn of(&self, project: &str) -> Remembering {
        self.totals.get(project).copied().unwrap_or_default()
    }
}
