//! Content that is addressed by what it is. What a map already holds stays where it is and is shared by
//! all who need it; what comes in goes to places that nothing refers to. So content in use is never
//! overwritten, and what did not change keeps its address.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
};

use super::error::CompileError;

/// Content of one map.
#[derive(Debug)]
pub(super) struct Pool<C> {
    what: &'static str,
    max: u32,
    places: HashMap<C, u32>,
    used: BTreeSet<u32>,
    /// Nothing below it is free.
    free_from: u32,
    placed: BTreeMap<u32, C>,
}

impl<C: Copy + Eq + Hash> Pool<C> {
    /// A map of `max` places. `held` is there now, and may be shared; `used` must not be written to.
    pub(super) fn new(
        what: &'static str,
        max: u32,
        held: impl IntoIterator<Item = (u32, C)>,
        used: BTreeSet<u32>,
    ) -> Self {
        let mut places = HashMap::new();
        for (place, content) in held {
            if place < max {
                places.entry(content).or_insert(place);
            }
        }
        Self {
            what,
            max,
            places,
            used,
            free_from: 0,
            placed: BTreeMap::new(),
        }
    }

    /// Where `content` is, or is to be written. `object` is who needs it.
    pub(super) fn place(&mut self, object: &str, content: C) -> Result<u32, CompileError> {
        let place = match self.places.get(&content) {
            Some(&place) => place,
            None => self.take(object)?,
        };
        self.places.insert(content, place);
        self.placed.insert(place, content);
        Ok(place)
    }

    fn take(&mut self, object: &str) -> Result<u32, CompileError> {
        let mut rest = self.free_from..self.max;
        let place = rest.find(|place| !self.used.contains(place));
        let place = place.ok_or_else(|| CompileError::NoRoom {
            object: object.to_owned(),
            what: self.what,
            max: self.max,
        })?;
        self.free_from = place + 1;
        Ok(place)
    }

    /// All that was placed.
    pub(super) fn into_placed(self) -> BTreeMap<u32, C> {
        self.placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_content_stays_and_used_places_are_left_alone() {
        let mut pool = Pool::new("letters", 4, [(1, 'a'), (3, 'a')], BTreeSet::from([0, 1]));
        assert_eq!(pool.place("", 'b'), Ok(2));
        assert_eq!(pool.place("", 'a'), Ok(1));
        assert_eq!(pool.place("", 'b'), Ok(2));
        assert_eq!(pool.place("", 'c'), Ok(3));
        let refusal = pool.place("policy p", 'd').unwrap_err().to_string();
        assert!(refusal.starts_with("policy p does not fit: this host holds at most 4 letters"));
        assert_eq!(
            pool.into_placed(),
            BTreeMap::from([(1, 'a'), (2, 'b'), (3, 'c')])
        );
    }
}
