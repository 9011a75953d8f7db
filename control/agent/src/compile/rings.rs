//! The ports' places in the rings of flows.

use std::{cmp::Reverse, collections::BTreeMap};

use inlay_core::tables::{limits::FLOWS_MAX, records::PortRecord};

use super::free_ranges::FreeRanges;

/// Where the ring of each port begins. `sizes` and what is returned are by slot. A ring of the same size
/// stays where it is, as long as all others find room beside it. `None` where they are too many.
pub(super) fn assign(
    sizes: &BTreeMap<u32, u32>,
    actual: &BTreeMap<u32, PortRecord>,
) -> Option<BTreeMap<u32, u32>> {
    let kept = |slot: &u32, size: u32| {
        let record = actual
            .get(slot)
            .filter(|record| record.ring_mask == size - 1)?;
        Some(record.ring_base)
    };
    // A ring that moves loses its flows to whoever gets its places, and nothing else happens.
    place(sizes, kept).or_else(|| place(sizes, |_, _| None))
}

fn place(
    sizes: &BTreeMap<u32, u32>,
    kept: impl Fn(&u32, u32) -> Option<u32>,
) -> Option<BTreeMap<u32, u32>> {
    let mut free = FreeRanges::all(FLOWS_MAX);
    let mut bases = BTreeMap::new();
    for (slot, size) in sizes {
        if let Some(base) = kept(slot, *size).filter(|base| free.take_at(*base, *size)) {
            bases.insert(*slot, base);
        }
    }
    let mut rest: Vec<_> = sizes
        .iter()
        .filter(|(slot, _)| !bases.contains_key(slot))
        .collect();
    // The largest first: so those of the same size lie side by side, and gaps serve the next.
    rest.sort_by_key(|(slot, size)| (Reverse(**size), **slot));
    for (slot, size) in rest {
        bases.insert(*slot, free.take(*size)?);
    }
    Some(bases)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(ring_base: u32, size: u32) -> PortRecord {
        PortRecord {
            ring_base,
            ring_mask: size - 1,
            ..PortRecord::default()
        }
    }

    #[test]
    fn rings_stay_and_do_not_overlap() {
        let quarter = FLOWS_MAX / 4;
        let sizes = BTreeMap::from([(0, 64), (1, quarter), (2, 64)]);
        let first = assign(&sizes, &BTreeMap::new()).unwrap();
        assert_eq!(
            first,
            BTreeMap::from([(1, 0), (0, quarter), (2, quarter + 64)])
        );
        let actual = BTreeMap::from([(0, port(quarter, 64)), (2, port(quarter + 64, 64))]);
        let kept = assign(&BTreeMap::from([(2, 64), (5, 128)]), &actual).unwrap();
        assert_eq!(kept, BTreeMap::from([(2, quarter + 64), (5, 0)]));
        let resized = assign(&BTreeMap::from([(0, 128)]), &actual).unwrap();
        assert_eq!(resized, BTreeMap::from([(0, 0)]));
    }

    #[test]
    fn rings_move_where_they_stand_in_the_way() {
        let half = FLOWS_MAX / 2;
        let actual = BTreeMap::from([(0, port(half - 32, 64))]);
        let sizes = BTreeMap::from([(0, 64), (1, half)]);
        let bases = assign(&sizes, &actual).unwrap();
        assert_eq!(bases, BTreeMap::from([(0, half), (1, 0)]));
        assert_eq!(
            assign(&BTreeMap::from([(0, half), (1, half), (2, 64)]), &actual),
            None
        );
    }
}
