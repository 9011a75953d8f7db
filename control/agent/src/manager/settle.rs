//! What of a change can be in force, where all of it cannot: the faulty resources keep their last good value, or
//! are left out where they had none, and the rest is applied. Pure, but for what the test of a state asks.

use std::collections::BTreeMap;

use super::{
    held::{Previous, ResourceKey},
    state::Fault,
};

/// How often faulty resources are put back before the change is cut in halves. Each time at least one is; a
/// refusal names up to a thousand.
pub const ROUNDS_MAX: usize = 64;
/// How many faulty resources are looked for by halves, each by up to 18 tests; beyond, all that is left is put back.
pub const GUILTY_MAX: usize = 8;

/// Why a state is not taken.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Faults {
    /// The resources at fault, as far as they are known.
    pub guilty: Vec<Fault>,
    /// What is wrong, for those of whom that is not known.
    pub told: String,
}

/// What is in force of a change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settled<T> {
    /// What the test made of it.
    pub state: T,
    /// Values that hold instead of those that were sent; `None`: left out.
    pub instead: Previous,
    /// Why, for each of them.
    pub rejections: BTreeMap<ResourceKey, String>,
}

/// Settles a change. `good` has what it changed, with the last good value of each; `test` makes the state with
/// some of them put back, or says what is wrong with it.
///
/// # Errors
/// Where not even the state before passes: nothing can be in force then that was not.
pub fn settle<T>(
    good: &Previous,
    test: impl FnMut(&Previous) -> Result<T, Faults>,
) -> Result<Settled<T>, Faults> {
    let mut settling = Settling {
        good,
        test,
        instead: Previous::new(),
        rejections: BTreeMap::new(),
    };
    let mut faults = Faults::default();
    for _ in 0..ROUNDS_MAX {
        match settling.test_with(&[]) {
            Ok(state) => return Ok(settling.into_settled(state)),
            Err(found) => faults = found,
        }
        if !settling.put_back(&faults.guilty) {
            break;
        }
    }
    settling.halve(faults)
}

struct Settling<'a, F> {
    good: &'a Previous,
    test: F,
    instead: Previous,
    rejections: BTreeMap<ResourceKey, String>,
}

impl<T, F: FnMut(&Previous) -> Result<T, Faults>> Settling<'_, F> {
    /// Tests with `more` put back besides what is.
    fn test_with(&mut self, more: &[ResourceKey]) -> Result<T, Faults> {
        if more.is_empty() {
            return (self.test)(&self.instead);
        }
        let mut instead = self.instead.clone();
        let before = more
            .iter()
            .filter_map(|key| Some((key.clone(), self.good.get(key)?.clone())));
        instead.extend(before);
        (self.test)(&instead)
    }

    /// Puts back those of `guilty` that the change changed. Returns whether there were any.
    fn put_back(&mut self, guilty: &[Fault]) -> bool {
        let before = self.instead.len();
        for (key, reason) in guilty {
            if let Some(value) = self.good.get(key)
                && !self.instead.contains_key(key)
            {
                self.instead.insert(key.clone(), value.clone());
                self.rejections.insert(key.clone(), reason.clone());
            }
        }
        self.instead.len() > before
    }

    /// Finds the first resource with which the change fails, puts it back, and so on.
    fn halve(mut self, mut faults: Faults) -> Result<Settled<T>, Faults> {
        for _ in 0..GUILTY_MAX {
            let left = self.left();
            let taken = self.longest_good(&left)?;
            let Some(guilty) = left.get(taken) else { break };
            self.put_back(&[(guilty.clone(), faults.told.clone())]);
            match self.test_with(&[]) {
                Ok(state) => return Ok(self.into_settled(state)),
                Err(found) => faults = found,
            }
        }
        let left = self.left();
        let taken = self.longest_good(&left)?;
        let rest: Vec<Fault> = left[taken..]
            .iter()
            .map(|key| (key.clone(), faults.told.clone()))
            .collect();
        self.put_back(&rest);
        let state = self.test_with(&[])?;
        Ok(self.into_settled(state))
    }

    /// What is not put back, in the order of their keys: the host's settings first.
    fn left(&self) -> Vec<ResourceKey> {
        let left = self.good.keys();
        left.filter(|key| !self.instead.contains_key(*key))
            .cloned()
            .collect()
    }

    /// How many of `left`, from the first on, can be in force with the rest put back.
    fn longest_good(&mut self, left: &[ResourceKey]) -> Result<usize, Faults> {
        let (mut good, mut bad) = (0, left.len());
        if let Err(faults) = self.test_with(left) {
            // A host that had nothing before has no state without its settings.
            good = 1.min(bad);
            if good == bad || self.test_with(&left[good..]).is_err() {
                return Err(faults);
            }
        }
        while bad - good > 1 {
            let middle = good.midpoint(bad);
            match self.test_with(&left[middle..]) {
                Ok(_) => good = middle,
                Err(_) => bad = middle,
            }
        }
        Ok(good)
    }

    fn into_settled(self, state: T) -> Settled<T> {
        Settled {
            state,
            instead: self.instead,
            rejections: self.rejections,
        }
    }
}
