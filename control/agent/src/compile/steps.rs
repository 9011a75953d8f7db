//! A line of numbers cut into intervals, each with a value: what `inlay_core::policy::search` searches.

/// Intervals by rising start; the first starts at 0, and no two neighbours have one value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Steps<V>(Vec<(u32, V)>);

impl<V: Copy + PartialEq> Steps<V> {
    /// Everything has `value`.
    pub(super) fn all(value: V) -> Self {
        Self(vec![(0, value)])
    }

    /// From `start` on, everything has `value`. No earlier call had a greater start.
    pub(super) fn set_from(&mut self, start: u32, value: V) {
        self.0.pop_if(|last| last.0 == start);
        if self.0.last().is_none_or(|last| last.1 != value) {
            self.0.push((start, value));
        }
    }

    pub(super) fn intervals(&self) -> &[(u32, V)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_with_one_value_merge() {
        type Intervals<'a> = &'a [(u32, u8)];
        let rows: &[(&str, Intervals<'_>, Intervals<'_>)] = &[
            ("nothing set", &[], &[(0, 0)]),
            ("the same value", &[(5, 0)], &[(0, 0)]),
            ("a step", &[(5, 1)], &[(0, 0), (5, 1)]),
            ("from the start", &[(0, 1)], &[(0, 1)]),
            (
                "the last of one point counts",
                &[(5, 1), (5, 2)],
                &[(0, 0), (5, 2)],
            ),
            (
                "back to the value before",
                &[(5, 1), (5, 0), (7, 1)],
                &[(0, 0), (7, 1)],
            ),
        ];
        for (name, sets, expected) in rows {
            let mut steps = Steps::all(0);
            sets.iter()
                .for_each(|&(start, value)| steps.set_from(start, value));
            assert_eq!(steps.intervals(), *expected, "{name}");
        }
    }
}
