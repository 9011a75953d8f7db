//! Numbers of sets of security groups: what a mapping says of its node's groups, in one word.

use std::collections::{BTreeMap, BTreeSet};

use inlay_api::{Network, Node};

/// Names of groups, in order.
pub(super) type GroupSet<'a> = BTreeSet<&'a str>;

/// The number of the set of no groups.
const EMPTY: u32 = 0;

/// The sets of groups that a network's nodes are in, by number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct GroupSets<'a>(BTreeMap<GroupSet<'a>, u32>);

impl<'a> GroupSets<'a> {
    /// Numbers that depend on the network's own number and the names only, so that another agent on
    /// another day finds the same.
    pub(super) fn of(network: &'a Network) -> Self {
        let sets: BTreeSet<GroupSet<'a>> = network
            .nodes
            .iter()
            .map(|node| set_of(network, node))
            .collect();
        Self(number(network.vni.get(), sets, hash))
    }

    /// The number of the set that `node` of the same network is in.
    pub(super) fn number_of(&self, network: &Network, node: &Node) -> u32 {
        self.0.get(&set_of(network, node)).copied().unwrap_or(EMPTY)
    }

    /// Numbers of the sets with `group`, rising.
    pub(super) fn with(&self, group: &str) -> Vec<u32> {
        let sets = self.0.iter().filter(|(set, _)| set.contains(group));
        let numbers: BTreeSet<u32> = sets.map(|(_, number)| *number).collect();
        numbers.into_iter().collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&GroupSet<'a>, u32)> {
        self.0.iter().map(|(set, number)| (set, *number))
    }
}

fn set_of<'a>(network: &'a Network, node: &'a Node) -> GroupSet<'a> {
    network
        .groups_of(node)
        .map(|group| group.name.as_str())
        .collect()
}

/// Each set's hash; where another set has it, or the empty set, the next number that is free.
fn number<'a>(
    vni: u32,
    sets: BTreeSet<GroupSet<'a>>,
    hash: impl Fn(u32, &GroupSet<'a>) -> u32,
) -> BTreeMap<GroupSet<'a>, u32> {
    let mut taken = BTreeSet::from([EMPTY]);
    let mut numbers = BTreeMap::new();
    for set in sets {
        let mut number = if set.is_empty() {
            EMPTY
        } else {
            hash(vni, &set)
        };
        while !set.is_empty() && !taken.insert(number) {
            number = number.wrapping_add(1);
        }
        numbers.insert(set, number);
    }
    numbers
}

/// FNV-1a, 32 bits, over the network's number and the names, each ended by a byte that no name has.
fn hash(vni: u32, set: &GroupSet<'_>) -> u32 {
    let names = set.iter().flat_map(|name| name.bytes().chain([0]));
    let bytes = vni.to_be_bytes().into_iter().chain(names);
    bytes.fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // FNV-1a of four zero bytes, then of the same and "a" and a zero byte.
        let by_hand = |bytes: &[u8]| {
            bytes.iter().fold(2_166_136_261_u32, |hash, byte| {
                (hash ^ u32::from(*byte)).wrapping_mul(16_777_619)
            })
        };
        assert_eq!(hash(0, &GroupSet::new()), by_hand(&[0; 4]));
        assert_eq!(
            hash(1, &GroupSet::from(["a"])),
            by_hand(&[0, 0, 0, 1, b'a', 0])
        );
        assert_ne!(
            hash(1, &GroupSet::from(["a"])),
            hash(2, &GroupSet::from(["a"]))
        );
        assert_ne!(
            hash(1, &GroupSet::from(["a", "b"])),
            hash(1, &GroupSet::from(["ab"]))
        );
    }

    #[test]
    fn collisions_take_the_next_number_in_the_order_of_names() {
        let sets =
            [&["b"][..], &["a"], &[], &["a", "b"]].map(|names| names.iter().copied().collect());
        let numbers = number(1, sets.into(), |_, _| u32::MAX);
        let names: Vec<_> = numbers
            .iter()
            .map(|(set, number)| (set.iter().copied().collect(), *number))
            .collect();
        let expected: [(Vec<_>, u32); 4] = [
            (vec![], 0),
            (vec!["a"], u32::MAX),
            (vec!["a", "b"], 1),
            (vec!["b"], 2),
        ];
        assert_eq!(names, expected);
    }
}
