//! Whose the entries of the audit log are, in the order of time. An entry costs about 50 bytes.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use uuid::Uuid;

use crate::keys;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::service) struct AuditLog {
    /// Which project an entry tells of; empty for what is of none.
    entries: BTreeMap<Uuid, Arc<str>>,
    counts: HashMap<Arc<str>, u64>,
}

/// What counts of an entry.
#[derive(Default, Deserialize)]
struct Told<'a> {
    #[serde(borrow, default)]
    project: Cow<'a, str>,
}

impl AuditLog {
    pub(super) fn put(&mut self, key: &str, value: &[u8]) {
        let Some(uid) = parse(key).filter(|uid| !self.entries.contains_key(uid)) else {
            return;
        };
        // What cannot be read has room taken, too.
        let told: Told = serde_json::from_slice(value).unwrap_or_default();
        let known = self.counts.get_key_value(&*told.project);
        let project = known.map_or_else(|| Arc::from(&*told.project), |(known, _)| known.clone());
        *self.counts.entry(Arc::clone(&project)).or_default() += 1;
        self.entries.insert(uid, project);
    }

    pub(super) fn delete(&mut self, key: &str) {
        let Some(project) = parse(key).and_then(|uid| self.entries.remove(&uid)) else {
            return;
        };
        if let Some(count) = self.counts.get_mut(&project) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&project);
            }
        }
    }

    /// Keys of entries that are to go where only `max` are kept, at most `limit`: the oldest of those projects that
    /// have more than their share. Whoever has no more than that keeps everything.
    pub(in crate::service) fn crowding(&self, max: u64, limit: usize) -> Vec<String> {
        if self.entries.len() as u64 <= max {
            return Vec::new();
        }
        let share = share(self.counts.values().copied(), max);
        let over = self.counts.iter();
        let mut over: HashMap<&str, u64> = over
            .map(|(project, count)| (&**project, count.saturating_sub(share)))
            .collect();
        let due = self.entries.iter().filter(|(_, project)| {
            let left = over.get_mut(&***project).filter(|left| **left > 0);
            left.map(|left| *left -= 1).is_some()
        });
        due.take(limit).map(|(uid, _)| keys::audit(*uid)).collect()
    }
}

/// How much each may have, so that all have at most `max` together: what some leave of their part is the others'.
fn share(counts: impl Iterator<Item = u64>, max: u64) -> u64 {
    let mut counts: Vec<u64> = counts.collect();
    counts.sort_unstable();
    let mut left = max;
    for (sharers, count) in (1..=counts.len() as u64).rev().zip(counts) {
        let part = left / sharers;
        if count > part {
            return part;
        }
        left -= count;
    }
    u64::MAX
}

fn parse(key: &str) -> Option<Uuid> {
    key.strip_prefix(keys::AUDIT)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_some_leave_is_the_others() {
        for (counts, max, expected) in [
            (&[][..], 10, u64::MAX),
            (&[3, 7], 10, u64::MAX),
            (&[3, 8], 10, 7),
            (&[8, 3], 10, 7),
            (&[8, 8], 10, 5),
            (&[1, 8, 8], 10, 4),
            (&[1, 1], 0, 0),
        ] {
            assert_eq!(share(counts.iter().copied(), max), expected, "{counts:?}");
        }
    }

    #[test]
    fn the_oldest_of_the_largest_go() {
        let mut log = AuditLog::default();
        let key = |nth: u128| keys::audit(Uuid::from_u128(nth));
        let of = |project: &str| format!(r#"{{"project": "{project}", "name": "x"}}"#);
        for (nth, project) in ["quiet", "busy", "busy", "busy", "quiet"]
            .iter()
            .enumerate()
        {
            for _ in 0..2 {
                log.put(&key(nth as u128), of(project).as_bytes());
            }
        }
        assert!(log.crowding(5, 10).is_empty());
        assert_eq!(log.crowding(4, 10), [key(1)]);
        assert_eq!(log.crowding(2, 10), [key(0), key(1), key(2)]);
        assert_eq!(log.crowding(2, 1), [key(0)]);
        for _ in 0..2 {
            log.delete(&key(1));
        }
        assert!(log.crowding(4, 10).is_empty());
        assert_eq!(log.crowding(3, 10).len(), 2, "they have as much each");
    }
}
