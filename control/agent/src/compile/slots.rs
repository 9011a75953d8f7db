//! Slots of ports, networks, subnets and hosts: what stays keeps its own, and what comes takes one that no
//! earlier image uses, while there is one.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// A slot for each of `wanted`. `None` where `range` has too few.
pub(super) fn assign<K: Ord + Copy>(
    wanted: &BTreeSet<K>,
    kept: &BTreeMap<K, u32>,
    used: &BTreeSet<u32>,
    range: &Range<u32>,
) -> Option<BTreeMap<K, u32>> {
    let mut taken = BTreeSet::new();
    let mut slots: BTreeMap<K, u32> = wanted
        .iter()
        .filter_map(|key| Some((*key, *kept.get(key)?)))
        .filter(|(_, slot)| range.contains(slot) && taken.insert(*slot))
        .collect();
    let unused = range.clone().filter(|slot| !used.contains(slot));
    let reused = range.clone().filter(|slot| used.contains(slot));
    let mut free = unused.chain(reused).filter(|slot| !taken.contains(slot));
    for key in wanted {
        if !slots.contains_key(key) {
            slots.insert(*key, free.next()?);
        }
    }
    Some(slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_kept_and_free_ones_preferred() {
        type Pairs<'a> = &'a [(char, u32)];
        type Case<'a> = (&'a str, &'a [char], Pairs<'a>, &'a [u32], Option<Pairs<'a>>);
        let rows: &[Case<'_>] = &[
            (
                "from the first on",
                &['b', 'a'],
                &[],
                &[],
                Some(&[('a', 1), ('b', 2)]),
            ),
            (
                "kept",
                &['a', 'b'],
                &[('b', 1)],
                &[1],
                Some(&[('a', 2), ('b', 1)]),
            ),
            (
                "a slot just left is taken last",
                &['c'],
                &[('a', 1)],
                &[1],
                Some(&[('c', 2)]),
            ),
            (
                "but is taken",
                &['c', 'd', 'e'],
                &[],
                &[1, 2, 3],
                Some(&[('c', 1), ('d', 2), ('e', 3)]),
            ),
            (
                "out of range is not kept",
                &['a'],
                &[('a', 9)],
                &[9],
                Some(&[('a', 1)]),
            ),
            (
                "none is kept twice",
                &['a', 'b'],
                &[('a', 3), ('b', 3)],
                &[3],
                Some(&[('a', 3), ('b', 1)]),
            ),
            ("too few", &['a', 'b', 'c', 'd'], &[], &[], None),
        ];
        for (name, wanted, kept, used, expected) in rows {
            let slots = assign(
                &wanted.iter().copied().collect(),
                &kept.iter().copied().collect(),
                &used.iter().copied().collect(),
                &(1..4),
            );
            let expected = expected.map(|pairs| pairs.iter().copied().collect());
            assert_eq!(slots, expected, "{name}");
        }
    }
}
