//! A set of IPv4 addresses as bits: 256 addresses take 36 bytes, so that a dense subnet costs about an eighth of a
//! byte an address, and a subnet with one node in every /24 about 60.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

/// Addresses of one block, a /24.
const BLOCK_BITS: u32 = 8;
const WORDS: usize = 4;

/// A set of addresses.
#[derive(Debug, Default)]
pub(super) struct AddressSet {
    blocks: BTreeMap<u32, [u64; WORDS]>,
}

/// Block, word and bit of an address.
fn place(address: u32) -> (u32, usize, u32) {
    let within = address & 0xff;
    (address >> BLOCK_BITS, (within / 64) as usize, within % 64)
}

impl AddressSet {
    pub(super) fn insert(&mut self, address: Ipv4Addr) {
        let (block, word, bit) = place(address.to_bits());
        self.blocks.entry(block).or_default()[word] |= 1 << bit;
    }

    pub(super) fn remove(&mut self, address: Ipv4Addr) {
        let (block, word, bit) = place(address.to_bits());
        let Some(words) = self.blocks.get_mut(&block) else {
            return;
        };
        words[word] &= !(1 << bit);
        if *words == [0; WORDS] {
            self.blocks.remove(&block);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// How many addresses of a range are in the set; the range is of whole blocks, or within one.
    pub(super) fn count(&self, range: &RangeInclusive<u32>) -> u64 {
        let (first, last) = (*range.start(), *range.end());
        let blocks = self.blocks.range(first >> BLOCK_BITS..=last >> BLOCK_BITS);
        let counts = blocks.flat_map(|(block, words)| {
            words.iter().enumerate().map(move |(nth, word)| {
                let base = (block << BLOCK_BITS) | (u32::try_from(nth).unwrap_or(0) * 64);
                (word & mask(base, first, last)).count_ones()
            })
        });
        counts.map(u64::from).sum()
    }

    /// The first address from `from` to `to` that is not in the set. Reads 64 addresses at a time.
    pub(super) fn first_absent(&self, from: u32, to: u32) -> Option<u32> {
        let mut at = from;
        loop {
            let (block, word, bit) = place(at);
            let Some(words) = self.blocks.get(&block) else {
                return (at <= to).then_some(at);
            };
            let free = !words[word] >> bit;
            let next = at.checked_add(free.trailing_zeros().min(64 - bit))?;
            if free != 0 {
                return (next <= to).then_some(next);
            }
            if next > to {
                return None;
            }
            at = next;
        }
    }
}

/// The bits of the word that begins at `base` that lie within `first..=last`.
fn mask(base: u32, first: u32, last: u32) -> u64 {
    let mut mask = u64::MAX;
    if first > base {
        mask = mask.checked_shl(first - base).unwrap_or(0);
    }
    let end = base | 63;
    if last < base {
        return 0;
    }
    if last < end {
        mask &= u64::MAX >> (end - last);
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_a_set(
            steps in proptest::collection::vec((any::<bool>(), 0_u32..1_200), 0..400),
            from in 0_u32..1_200,
            len in 0_u32..1_200,
        ) {
            let (mut set, mut model) = (AddressSet::default(), BTreeSet::new());
            for (insert, address) in steps {
                if insert {
                    set.insert(Ipv4Addr::from_bits(address));
                    model.insert(address);
                } else {
                    set.remove(Ipv4Addr::from_bits(address));
                    model.remove(&address);
                }
            }
            let to = from + len;
            prop_assert_eq!(set.count(&(from..=to)), model.range(from..=to).count() as u64);
            let first = (from..=to).find(|it| !model.contains(it));
            prop_assert_eq!(set.first_absent(from, to), first);
            prop_assert_eq!(set.is_empty(), model.is_empty());
        }
    }

    #[test]
    fn the_last_address_of_all_is_found() {
        let mut set = AddressSet::default();
        assert_eq!(set.first_absent(u32::MAX, u32::MAX), Some(u32::MAX));
        set.insert(Ipv4Addr::BROADCAST);
        assert_eq!(set.first_absent(u32::MAX, u32::MAX), None);
        assert_eq!(set.count(&(0..=u32::MAX)), 1);
    }
}
