//! Which places of a line are free: for runs of intervals and for the ports' rings.

use std::collections::BTreeMap;

/// Free ranges of `0..length`, as start and length; no two touch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct FreeRanges(BTreeMap<u32, u32>);

impl FreeRanges {
    /// All of `0..length` is free.
    pub(super) fn all(length: u32) -> Self {
        Self(BTreeMap::from([(0, length)]))
    }

    /// Takes `base..base + count`. False, and nothing is taken, where part of it is not free.
    pub(super) fn take_at(&mut self, base: u32, count: u32) -> bool {
        let Some((&start, &length)) = self.0.range(..=base).next_back() else {
            return false;
        };
        let before = base - start;
        let Some(after) = length
            .checked_sub(before)
            .and_then(|rest| rest.checked_sub(count))
        else {
            return false;
        };
        self.0.remove(&start);
        if before > 0 {
            self.0.insert(start, before);
        }
        if after > 0 {
            self.0.insert(base + count, after);
        }
        true
    }

    /// Takes the part of `base..base + count` that is free.
    pub(super) fn take_rest(&mut self, base: u32, count: u32) {
        let end = base.saturating_add(count);
        let overlapping: Vec<(u32, u32)> = self
            .0
            .range(..end)
            .rev()
            .map(|(&start, &length)| (start.max(base), (start + length).min(end)))
            .take_while(|(first, end)| first < end)
            .collect();
        for (first, end) in overlapping {
            self.take_at(first, end - first);
        }
    }

    /// The base of the first range of `count`, which is then taken.
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        let (&base, _) = self.0.iter().find(|(_, length)| **length >= count)?;
        self.take_at(base, count).then_some(base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_taken_once() {
        let mut free = FreeRanges::all(16);
        assert!(free.take_at(4, 4));
        assert!(!free.take_at(7, 2));
        assert!(!free.take_at(14, 3));
        assert_eq!(free.take(5), Some(8));
        assert_eq!(free.take(4), Some(0));
        assert_eq!(free.take(4), None);
        assert_eq!(free.take(3), Some(13));
        assert_eq!(free.take(1), None);
    }

    #[test]
    fn what_is_taken_in_part_is_taken_whole() {
        let mut free = FreeRanges::all(16);
        assert!(free.take_at(4, 2));
        assert!(free.take_at(8, 2));
        free.take_rest(3, 8);
        free.take_rest(15, u32::MAX);
        assert_eq!(free, FreeRanges(BTreeMap::from([(0, 3), (11, 4)])));
    }
}
