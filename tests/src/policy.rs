//! Rules to bit vectors, the naive way: every boundary that any rule has makes an interval.

use std::collections::BTreeSet;

use inlay_core::tables::{
    Direction,
    records::{Interval, PolicyRecord, Row, Span},
};
use inlay_dataplane::image::Image;

/// Whom a rule is about.
#[derive(Clone, Debug)]
pub enum Peer {
    /// Everybody.
    Any,
    /// A prefix: its first address and its length.
    Cidr([u8; 4], u32),
    /// The nodes whose set of groups has one of these numbers.
    Groups(&'static [u32]),
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Of packets in which direction.
    pub direction: Direction,
    /// From or to whom.
    pub peer: Peer,
    /// Protocol; `None` is any.
    pub protocol: Option<u8>,
    /// Destination ports, or ICMP's type and code as one number.
    pub services: (u16, u16),
    /// Whether it allows.
    pub allow: bool,
}

/// Everything of `direction` with anybody, allowed.
#[must_use]
pub fn allow(direction: Direction) -> Rule {
    Rule {
        direction,
        peer: Peer::Any,
        protocol: None,
        services: (0, u16::MAX),
        allow: true,
    }
}

impl Rule {
    /// Only this protocol.
    #[must_use]
    pub fn protocol(mut self, protocol: u8) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// Only these ports of TCP or UDP.
    #[must_use]
    pub fn services(mut self, first: u16, last: u16) -> Self {
        self.services = (first, last);
        self
    }

    /// Only these peers.
    #[must_use]
    pub fn peer(mut self, peer: Peer) -> Self {
        self.peer = peer;
        self
    }

    /// Denied instead.
    #[must_use]
    pub fn deny(mut self) -> Self {
        self.allow = false;
        self
    }

    fn service_points(&self) -> (u32, u32) {
        let direction = (self.direction as u32) << 24;
        match self.protocol {
            None => (direction, direction | 0x00ff_ffff),
            Some(protocol) => {
                let base = direction | u32::from(protocol) << 16;
                (
                    base | u32::from(self.services.0),
                    base | u32::from(self.services.1),
                )
            }
        }
    }

    fn addresses(&self) -> Option<(u32, u32)> {
        match self.peer {
            Peer::Any => Some((0, u32::MAX)),
            Peer::Cidr(ip, len) => {
                let first = u32::from_be_bytes(ip);
                Some((first, first | u32::MAX.checked_shr(len).unwrap_or(0)))
            }
            Peer::Groups(_) => None,
        }
    }

    fn has_group(&self, set: u32) -> bool {
        matches!(self.peer, Peer::Groups(sets) if sets.contains(&set))
    }
}

/// Sets of groups that tests number.
const GROUP_SETS: u32 = 16;

/// Writes `rules` into `image` at `slot`, behind what its tables hold already.
pub fn write(image: &mut Image, slot: u32, rules: &[Rule]) {
    let ranges = |range: &dyn Fn(&Rule) -> Option<(u32, u32)>| {
        rules.iter().map(range).collect::<Vec<Option<(u32, u32)>>>()
    };
    let addresses = write_ranges(image, &ranges(&|rule| rule.addresses()));
    let services = write_ranges(image, &ranges(&|rule| Some(rule.service_points())));
    let groups: Vec<(u32, Row)> = (0..=GROUP_SETS)
        .map(|set| (set, row(rules, |rule| rule.has_group(set))))
        .collect();
    let groups = write_table(image, &groups);
    let allow = push_row(image, row(rules, |rule| rule.allow));
    let rules = u32::try_from(rules.len()).unwrap();
    image.policies.insert(
        slot,
        PolicyRecord {
            addresses,
            groups,
            services,
            allow,
            rules,
        },
    );
}

fn row(rules: &[Rule], is_set: impl Fn(&Rule) -> bool) -> Row {
    let mut row = Row::default();
    for (number, rule) in rules.iter().enumerate() {
        row.0[number / 64] |= u64::from(is_set(rule)) << (number % 64);
    }
    row
}

fn write_ranges(image: &mut Image, ranges: &[Option<(u32, u32)>]) -> Span {
    let mut starts = BTreeSet::from([0]);
    for (first, last) in ranges.iter().flatten() {
        starts.insert(*first);
        starts.extend(last.checked_add(1));
    }
    let table: Vec<(u32, Row)> = starts
        .into_iter()
        .map(|start| {
            let mut row = Row::default();
            for (number, range) in ranges.iter().enumerate() {
                let holds = range.is_some_and(|(first, last)| first <= start && start <= last);
                row.0[number / 64] |= u64::from(holds) << (number % 64);
            }
            (start, row)
        })
        .collect();
    write_table(image, &table)
}

fn write_table(image: &mut Image, table: &[(u32, Row)]) -> Span {
    let intervals: Vec<Interval> = table
        .iter()
        .map(|(start, row)| Interval {
            start: *start,
            value: push_row(image, *row),
        })
        .collect();
    write_intervals(image, &intervals)
}

fn push_row(image: &mut Image, row: Row) -> u32 {
    // Row 0 stays all zeros, so that a search that finds nothing would show.
    let index = image.rows.keys().last().map_or(1, |last| last + 1);
    image.rows.insert(index, row);
    index
}

/// Writes intervals behind those that `image` has.
pub fn write_intervals(image: &mut Image, intervals: &[Interval]) -> Span {
    let base = image.intervals.keys().last().map_or(0, |last| last + 1);
    image
        .intervals
        .extend((base..).zip(intervals.iter().copied()));
    Span {
        base,
        count: u32::try_from(intervals.len()).unwrap(),
    }
}
