//! Policies, decoded from the rows and intervals that the programs read: what is in force, whatever the file
//! says.

use std::{net::Ipv4Addr, ops::Range};

use inlay_core::tables::{
    Direction,
    records::{Interval, NONE, PolicyRecord, PortRecord, Row, Span},
};
use serde::Serialize;

use super::{Inspection, keys::protocol_name};
use crate::Error;

/// The rules of some ports, or of an access list.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PolicyView {
    /// Its slot.
    pub slot: u32,
    /// Whose rules they are, where that is known.
    pub name: Option<String>,
    /// Names, or slots, of the ports that it is the security groups of.
    pub ports: Vec<String>,
    /// Names, or slots, of the subnets that it is the access list of.
    pub subnets: Vec<String>,
    /// Its rules: the first that matches decides.
    pub rules: Vec<RuleView>,
}

/// A rule.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RuleView {
    /// Its number.
    pub number: u32,
    /// `allow` or `deny`.
    pub action: &'static str,
    /// Directions, protocols and ports, like `inbound tcp 80-89`.
    pub services: Vec<String>,
    /// Remote addresses, as prefixes or ranges.
    pub addresses: Vec<String>,
    /// Sets of security groups, beside the addresses.
    pub group_sets: Vec<String>,
    /// It as it was written, where that is known.
    pub text: Option<String>,
}

/// The numbers of the rules in a row.
pub(crate) fn rules_of(row: &Row) -> Vec<u32> {
    (0..)
        .zip(row.0)
        .flat_map(|(word, bits)| {
            (0..64u32)
                .filter(move |bit| bits >> bit & 1 != 0)
                .map(move |bit| word * 64 + bit)
        })
        .collect()
}

fn has(row: &Row, rule: u32) -> bool {
    row.0
        .get(rule as usize / 64)
        .is_some_and(|bits| bits >> (rule % 64) & 1 != 0)
}

/// A table's intervals with their rows.
struct Table(Vec<(u32, Row)>);

impl Table {
    /// Where `rule` holds. The end of the last range is 2^32.
    fn ranges(&self, rule: u32) -> Vec<Range<u64>> {
        let ends = self
            .0
            .iter()
            .skip(1)
            .map(|(start, _)| u64::from(*start))
            .chain([1 << 32]);
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for ((start, row), end) in self.0.iter().zip(ends) {
            if !has(row, rule) {
                continue;
            }
            let start = u64::from(*start);
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        ranges
    }
}

impl Inspection {
    /// All policies, by slot, decoded.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn policies(&self) -> Result<Vec<PolicyView>, Error> {
        let ports = self.maps.ports.used(|port| port.interface_index != 0)?;
        let subnets = self.maps.subnets.used(|subnet| subnet.tag.0 != 0)?;
        let used = self.maps.policies.used(|policy| policy.rules != 0)?;
        let view = |(slot, policy): (u32, PolicyRecord)| {
            let port_name = |(port, _): (&u32, &PortRecord)| {
                self.labels.port(*port).unwrap_or_else(|| port.to_string())
            };
            let subnet_name = |slot: &u32| {
                self.labels
                    .subnet(*slot)
                    .unwrap_or_else(|| slot.to_string())
            };
            Ok(PolicyView {
                slot,
                name: self
                    .labels
                    .policies
                    .get(&slot)
                    .map(|label| label.name.clone()),
                ports: ports
                    .iter()
                    .filter(|(_, port)| port.policy == slot)
                    .map(port_name)
                    .collect(),
                subnets: subnets
                    .iter()
                    .filter(|(_, subnet)| subnet.acl == slot)
                    .map(|(slot, _)| subnet_name(slot))
                    .collect(),
                rules: self.rules(slot, &policy)?,
            })
        };
        used.into_iter().map(view).collect()
    }

    /// The slots of the policies that decide about a port: its security groups', and its subnet's access list.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn policies_of_port(&self, slot: u32) -> Result<Vec<u32>, Error> {
        let port = self.maps.ports.get(slot)?;
        let subnet = self.maps.subnets.get(port.subnet)?;
        Ok([port.policy, subnet.acl]
            .into_iter()
            .filter(|policy| *policy != NONE)
            .collect())
    }

    fn rules(&self, slot: u32, policy: &PolicyRecord) -> Result<Vec<RuleView>, Error> {
        let addresses = self.rows(policy.addresses)?;
        let groups = self.rows(policy.groups)?;
        let services = self.rows(policy.services)?;
        let allow = self.maps.rows.get(policy.allow)?;
        let rule = |number| RuleView {
            number,
            action: if has(&allow, number) { "allow" } else { "deny" },
            services: services
                .ranges(number)
                .into_iter()
                .flat_map(services_text)
                .collect(),
            addresses: addresses
                .ranges(number)
                .iter()
                .flat_map(addresses_text)
                .collect(),
            group_sets: groups
                .ranges(number)
                .iter()
                .map(|range| self.groups_text(range))
                .collect(),
            text: self.labels.rule(slot, number),
        };
        Ok((0..policy.rules).map(rule).collect())
    }

    /// A range of numbers of sets: the groups of the one set, where it is one.
    fn groups_text(&self, range: &Range<u64>) -> String {
        let number = |at: u64| u32::try_from(at).unwrap_or(u32::MAX);
        let (first, last) = (number(range.start), number(range.end - 1));
        if first == last {
            self.report.groups(None, first)
        } else if last == u32::MAX {
            format!("{first} and above")
        } else {
            format!("{first}-{last}")
        }
    }

    fn rows(&self, span: Span) -> Result<Table, Error> {
        let intervals = self
            .maps
            .intervals
            .range(span.base..span.base.saturating_add(span.count))?;
        let used: std::collections::BTreeSet<u32> =
            intervals.iter().map(|interval| interval.value).collect();
        let rows = self.maps.rows.at(used)?;
        let row = |interval: &Interval| {
            (
                interval.start,
                rows.get(&interval.value).copied().unwrap_or_default(),
            )
        };
        Ok(Table(intervals.iter().map(row).collect()))
    }
}

const DIRECTION: u64 = 1 << 24;
const PROTOCOL: u64 = 1 << 16;
/// Points above belong to no direction.
const SERVICES_END: u64 = 2 * DIRECTION;

/// A range of service points, cut at directions and protocols.
fn services_text(range: Range<u64>) -> Vec<String> {
    let mut texts = Vec::new();
    let end = range.end.min(SERVICES_END);
    let mut at = range.start;
    while at < end {
        let direction = if at < DIRECTION {
            Direction::Outbound
        } else {
            Direction::Inbound
        }
        .name();
        let (width, what) = if at.is_multiple_of(DIRECTION) && end - at >= DIRECTION {
            (DIRECTION, "everything".to_owned())
        } else {
            let protocol = at / PROTOCOL % 256;
            let name = protocol_name(u8::try_from(protocol).unwrap_or_default());
            let rest = PROTOCOL - at % PROTOCOL;
            let width = rest.min(end - at);
            let ports = at % PROTOCOL..at % PROTOCOL + width;
            let is_all = width == PROTOCOL;
            (
                width,
                if is_all {
                    name
                } else {
                    format!("{name} {}", ports_text(&name, ports))
                },
            )
        };
        texts.push(format!("{direction} {what}"));
        at += width;
    }
    texts
}

fn ports_text(protocol: &str, ports: Range<u64>) -> String {
    let (first, last) = (ports.start, ports.end - 1);
    if protocol == "icmp" {
        let is_type = first % 256 == 0 && last == first + 255;
        let point = |point: u64| format!("type {} code {}", point / 256, point % 256);
        return if is_type {
            format!("type {}", first / 256)
        } else if first == last {
            point(first)
        } else {
            format!("{} to {}", point(first), point(last))
        };
    }
    if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    }
}

/// A range of addresses: as one prefix where it is one.
fn addresses_text(range: &Range<u64>) -> Vec<String> {
    let width = range.end - range.start;
    let address = |at: u64| Ipv4Addr::from(u32::try_from(at).unwrap_or(u32::MAX));
    let is_prefix = width.is_power_of_two() && range.start.is_multiple_of(width);
    let text = if is_prefix {
        format!("{}/{}", address(range.start), 32 - width.trailing_zeros())
    } else {
        format!("{}-{}", address(range.start), address(range.end - 1))
    };
    vec![text]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_read_as_rules_are_written() {
        let tcp = DIRECTION + 6 * PROTOCOL;
        let rows: &[(&str, Range<u64>, &[&str])] = &[
            ("one port", tcp + 80..tcp + 81, &["inbound tcp 80"]),
            (
                "ports",
                tcp + 9000..tcp + 10_000,
                &["inbound tcp 9000-9999"],
            ),
            ("a protocol", tcp..tcp + PROTOCOL, &["inbound tcp"]),
            ("a direction", 0..DIRECTION, &["outbound everything"]),
            (
                "both",
                0..1 << 32,
                &["outbound everything", "inbound everything"],
            ),
            (
                "echo",
                PROTOCOL + 0x0800..PROTOCOL + 0x0900,
                &["outbound icmp type 8"],
            ),
            (
                "across",
                6 * PROTOCOL + 65_535..7 * PROTOCOL + 1,
                &["outbound tcp 65535", "outbound 7 0"],
            ),
        ];
        for (name, range, expected) in rows {
            assert_eq!(services_text(range.clone()), *expected, "{name}");
        }
    }

    #[test]
    fn addresses_are_prefixes_where_they_can_be() {
        assert_eq!(addresses_text(&(0..1 << 32)), ["0.0.0.0/0"]);
        assert_eq!(addresses_text(&(0x0a00_0100..0x0a00_0200)), ["10.0.1.0/24"]);
        assert_eq!(
            addresses_text(&(0x0a00_0101..0x0a00_0104)),
            ["10.0.1.1-10.0.1.3"]
        );
    }

    #[test]
    fn neighbouring_intervals_of_a_rule_are_one_range() {
        let row = |bits| {
            let mut row = Row::default();
            row.0[0] = bits;
            row
        };
        let table = Table(vec![(0, row(1)), (10, row(3)), (20, row(2)), (30, row(1))]);
        assert_eq!(table.ranges(0), [0..20, 30..1 << 32]);
        assert_eq!(table.ranges(1), vec![10..30; 1]);
        assert_eq!(rules_of(&row(0b101)), [0, 2]);
    }
}
