//! Rules as bit vectors: the form that `inlay_core::policy::evaluate` reads.
//!
//! Each rule is a box in two dimensions: the peer (by address or by set of groups) and the service. On each
//! line the rules' ends cut intervals, and an interval's row has the bits of the rules that cover it.

use std::ops::RangeInclusive;

use inlay_core::tables::records::Row;

use super::steps::Steps;

/// The other end of a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Peer {
    /// Addresses as numbers.
    Addresses(RangeInclusive<u32>),
    /// Numbers of sets of groups, each once.
    GroupSets(Vec<u32>),
}

/// A rule; of those that match, the first of a list decides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Rule {
    pub(super) peer: Peer,
    /// Points of `inlay_core::policy::service_point`.
    pub(super) services: RangeInclusive<u32>,
    pub(super) allow: bool,
}

/// A policy's rows by each dimension.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Classifier {
    pub(super) addresses: Steps<Row>,
    pub(super) groups: Steps<Row>,
    pub(super) services: Steps<Row>,
    pub(super) allow: Row,
    pub(super) rules: usize,
}

impl Classifier {
    /// The classifier of `rules`, of which there are at most `RULES_MAX`.
    pub(super) fn of(rules: &[Rule]) -> Self {
        let numbered = || rules.iter().enumerate();
        let addresses = numbered().filter_map(|(number, rule)| match &rule.peer {
            Peer::Addresses(range) => Some((number, range.clone())),
            Peer::GroupSets(_) => None,
        });
        let groups = numbered().flat_map(|(number, rule)| {
            let sets = match &rule.peer {
                Peer::Addresses(_) => &[],
                Peer::GroupSets(sets) => sets.as_slice(),
            };
            sets.iter().map(move |&set| (number, set..=set))
        });
        let mut allow = Row::default();
        numbered()
            .filter(|(_, rule)| rule.allow)
            .for_each(|(number, _)| flip(&mut allow, number));
        Self {
            addresses: rows(addresses),
            groups: rows(groups),
            services: rows(numbered().map(|(number, rule)| (number, rule.services.clone()))),
            allow,
            rules: rules.len(),
        }
    }
}

/// The rows along a line on which each rule covers ranges that do not overlap.
fn rows(covers: impl Iterator<Item = (usize, RangeInclusive<u32>)>) -> Steps<Row> {
    let mut edges = Vec::new();
    for (rule, range) in covers {
        edges.push((*range.start(), rule));
        // Where the range goes to the end of the line, nothing comes after it.
        edges.extend(range.end().checked_add(1).map(|after| (after, rule)));
    }
    edges.sort_unstable();
    let mut row = Row::default();
    let mut steps = Steps::all(row);
    for (point, rule) in edges {
        flip(&mut row, rule);
        steps.set_from(point, row);
    }
    steps
}

/// An edge ends what covers it from before, or begins what does not; two at one point cancel out.
fn flip(row: &mut Row, rule: usize) {
    row.0[rule / 64] ^= 1 << (rule % 64);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(rules: &[usize]) -> Row {
        let mut row = Row::default();
        for &rule in rules {
            flip(&mut row, rule);
        }
        row
    }

    #[test]
    fn overlapping_rules_cut_each_other() {
        let rule = |addresses, services| Rule {
            peer: Peer::Addresses(addresses),
            services,
            allow: true,
        };
        let classifier = Classifier::of(&[
            rule(10..=19, 0..=u32::MAX),
            rule(15..=u32::MAX, 5..=5),
            rule(0..=9, 6..=6),
        ]);
        let expected = [
            (0, row(&[2])),
            (10, row(&[0])),
            (15, row(&[0, 1])),
            (20, row(&[1])),
        ];
        assert_eq!(classifier.addresses.intervals(), expected);
        let expected = [
            (0, row(&[0])),
            (5, row(&[0, 1])),
            (6, row(&[0, 2])),
            (7, row(&[0])),
        ];
        assert_eq!(classifier.services.intervals(), expected);
        assert_eq!(classifier.groups.intervals(), [(0, row(&[]))]);
        assert_eq!(classifier.allow, row(&[0, 1, 2]));
    }

    #[test]
    fn neighbouring_sets_of_one_rule_are_one_interval() {
        let rule = Rule {
            peer: Peer::GroupSets(vec![7, 6, 9]),
            services: 0..=0,
            allow: false,
        };
        let classifier = Classifier::of(&[rule]);
        let (in_it, out) = (row(&[0]), row(&[]));
        let expected = [(0, out), (6, in_it), (8, out), (9, in_it), (10, out)];
        assert_eq!(classifier.groups.intervals(), expected);
        assert_eq!(classifier.allow, out);
    }
}
