//! Numbers for values that many things share, with how many do: a number is free again when nobody has it.

use std::collections::HashMap;
use std::hash::Hash;

/// Values that are in use, each with a number and a count.
#[derive(Debug)]
pub(super) struct Interner<T> {
    numbers: HashMap<T, u32>,
    slots: Vec<(Option<T>, u32)>,
    free: Vec<u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    /// The number of a value, of which there is one more user.
    pub(super) fn acquire(&mut self, value: &T) -> u32 {
        if let Some(&number) = self.numbers.get(value) {
            self.slots[number as usize].1 += 1;
            return number;
        }
        let slot = (Some(value.clone()), 1);
        let number = if let Some(number) = self.free.pop() {
            self.slots[number as usize] = slot;
            number
        } else {
            self.slots.push(slot);
            // Nodes are counted in 32 bits, and no value is without a user.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        };
        self.numbers.insert(value.clone(), number);
        number
    }

    /// One user less.
    pub(super) fn release(&mut self, number: u32) {
        let Some((value, users)) = self.slots.get_mut(number as usize) else {
            return;
        };
        *users = users.saturating_sub(1);
        if *users == 0
            && let Some(value) = value.take()
        {
            self.numbers.remove(&value);
            self.free.push(number);
        }
    }

    /// How many use a value.
    pub(super) fn users<Q>(&self, value: &Q) -> u32
    where
        T: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let number = self.numbers.get(value);
        number.map_or(0, |&number| self.slots[number as usize].1)
    }

    /// The value of a number that is in use.
    pub(super) fn value(&self, number: u32) -> Option<&T> {
        self.slots.get(number as usize)?.0.as_ref()
    }

    /// Values in use, each with its users.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&T, u32)> {
        let slots = self.slots.iter();
        slots.filter_map(|(value, users)| Some((value.as_ref()?, *users)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_reused_once_nobody_has_it() {
        let mut names = Interner::default();
        let a = names.acquire(&"a");
        assert_eq!(names.acquire(&"a"), a);
        let b = names.acquire(&"b");
        assert_ne!(a, b);
        assert_eq!(names.users("a"), 2);
        names.release(a);
        assert_eq!(names.value(a), Some(&"a"));
        names.release(a);
        assert_eq!((names.users("a"), names.value(a)), (0, None));
        assert_eq!(names.acquire(&"c"), a);
        assert_eq!(names.iter().map(|(_, users)| users).sum::<u32>(), 2);
    }
}
