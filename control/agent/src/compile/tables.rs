//! Runs of intervals in the map that all searches share. As `pool`, for runs instead of single places.

use std::collections::{BTreeMap, HashMap};

use inlay_core::tables::{
    limits::{INTERVALS_MAX, TABLE_INTERVALS_MAX},
    records::{Interval, Span},
};
use inlay_dataplane::image::Image;

use super::{
    error::CompileError,
    free_ranges::FreeRanges,
    references::{self, References},
};

/// The intervals' map.
#[derive(Debug)]
pub(super) struct Tables {
    places: HashMap<Vec<(u32, u32)>, Span>,
    free: FreeRanges,
    placed: BTreeMap<u32, Interval>,
}

impl Tables {
    /// `actual` is there now, and its tables may be shared; what `references` names must not be
    /// written to.
    pub(super) fn new(actual: &Image, references: &[References]) -> Self {
        let mut free = FreeRanges::all(INTERVALS_MAX);
        let spans = references.iter().flat_map(|references| &references.spans);
        spans.for_each(|span| free.take_rest(span.base, span.count));
        let mut places = HashMap::new();
        for span in references
            .first()
            .into_iter()
            .flat_map(|references| &references.spans)
        {
            if (1..=TABLE_INTERVALS_MAX).contains(&span.count) {
                let intervals = references::intervals(actual, *span);
                let content = intervals
                    .map(|interval| (interval.start, interval.value))
                    .collect();
                places.entry(content).or_insert(*span);
            }
        }
        Self {
            places,
            free,
            placed: BTreeMap::new(),
        }
    }

    /// Where the table of `intervals` is, or is to be written. `object` is who needs it, `dimension`
    /// what it searches.
    pub(super) fn place(
        &mut self,
        object: &str,
        dimension: &'static str,
        intervals: Vec<(u32, u32)>,
    ) -> Result<Span, CompileError> {
        let count = checked_count(object, dimension, intervals.len())?;
        let span = match self.places.get(&intervals) {
            Some(&span) => span,
            None => Span {
                base: self.take(object, count)?,
                count,
            },
        };
        if !self.placed.contains_key(&span.base) {
            let records = intervals
                .iter()
                .map(|&(start, value)| Interval { start, value });
            self.placed.extend((span.base..).zip(records));
        }
        self.places.insert(intervals, span);
        Ok(span)
    }

    fn take(&mut self, object: &str, count: u32) -> Result<u32, CompileError> {
        self.free.take(count).ok_or_else(|| CompileError::NoRoom {
            object: object.to_owned(),
            what: "intervals",
            max: INTERVALS_MAX,
        })
    }

    /// All that was placed.
    pub(super) fn into_placed(self) -> BTreeMap<u32, Interval> {
        self.placed
    }
}

fn checked_count(object: &str, dimension: &'static str, found: usize) -> Result<u32, CompileError> {
    let max = TABLE_INTERVALS_MAX;
    let count = u32::try_from(found).ok().filter(|count| *count <= max);
    count.ok_or_else(|| CompileError::TooManyIntervals {
        object: object.to_owned(),
        dimension,
        found,
        max,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_written_once_and_has_a_limit() {
        let mut tables = Tables::new(&Image::default(), &[]);
        let table = vec![(0, 7), (9, 8)];
        let span = tables.place("", "", table.clone()).unwrap();
        assert_eq!(
            tables.place("", "", vec![(0, 1)]),
            Ok(Span { base: 2, count: 1 })
        );
        assert_eq!(tables.place("", "", table), Ok(span));
        let table = (0..4097).map(|start| (start, 0)).collect();
        let refusal = tables
            .place("ACL a of network red", "addresses", table)
            .unwrap_err();
        let expected = "ACL a of network red splits addresses into 4097 intervals, more than 4096; \
                        use fewer or adjoining ones";
        assert_eq!(refusal.to_string(), expected);
    }
}
