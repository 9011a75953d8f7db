//! Rules as they are written, made into rules of one policy, in an order that depends on what they say
//! and not on where they stand.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::RangeInclusive,
};

use inlay_api::{Acl, AclAction, AclEntry, IcmpMatch, Network, SecurityGroup, Traffic};
use inlay_core::{
    policy::service_point,
    tables::Direction,
    wire::l4::{ICMP, TCP, UDP},
};
use ipnet::Ipv4Net;

use super::{
    classifier::{Peer, Rule},
    groups::GroupSets,
    ids,
};

/// What a rule is called, and where it is written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct RuleLabel {
    text: String,
    sources: BTreeSet<String>,
}

impl fmt::Display for RuleLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        let sources: Vec<&str> = self.sources.iter().map(String::as_str).collect();
        if sources.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", sources.join(", "))
        }
    }
}

/// The rules of a policy, and what each is called.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
    pub(super) labels: Vec<RuleLabel>,
}

/// All that a rule of a group says; its order is the rules'.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Statement<'a> {
    direction: Direction,
    services: (u32, u32),
    peer: PeerName<'a>,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum PeerName<'a> {
    Cidr(Ipv4Net),
    Group(&'a str),
}

impl Rules {
    /// The rules of all of `groups` together, each once.
    pub(super) fn of_groups<'a>(
        network: &'a Network,
        sets: &GroupSets<'_>,
        groups: impl Iterator<Item = &'a SecurityGroup>,
    ) -> Self {
        let mut statements: BTreeMap<Statement<'a>, RuleLabel> = BTreeMap::new();
        for group in groups {
            let source = format!("security group {}", group.name);
            for (statement, text) in statements_of(network, group) {
                let label = statements.entry(statement).or_default();
                label.text = text;
                label.sources.insert(source.clone());
            }
        }
        let (rules, labels) = statements
            .into_iter()
            .map(|(statement, label)| (statement.rule(sets), label))
            .unzip();
        Self { rules, labels }.or_deny_all()
    }

    /// The entries of `acl`, by number.
    pub(super) fn of_acl(acl: &Acl) -> Self {
        let inbound = acl.inbound.iter().map(|entry| (Direction::Inbound, entry));
        let outbound = acl
            .outbound
            .iter()
            .map(|entry| (Direction::Outbound, entry));
        let mut entries: Vec<_> = inbound.chain(outbound).collect();
        entries.sort_by_key(|(direction, entry)| (entry.number, *direction));
        let source = format!("ACL {}", acl.name);
        let (rules, labels) = entries
            .into_iter()
            .map(|(direction, entry)| entry_rule(direction, entry, &source))
            .unzip();
        Self { rules, labels }.or_deny_all()
    }

    /// A policy of no rules would read as one that is not there. What no rule allows is denied, and
    /// so is all, by a rule that says so.
    fn or_deny_all(mut self) -> Self {
        if self.rules.is_empty() {
            self.rules.push(Rule {
                peer: Peer::Addresses(0..=u32::MAX),
                services: 0..=u32::MAX,
                allow: false,
            });
            let text = "deny everything, as there are no rules".to_owned();
            self.labels.push(RuleLabel {
                text,
                sources: BTreeSet::new(),
            });
        }
        self
    }
}

fn statements_of<'a>(
    network: &'a Network,
    group: &'a SecurityGroup,
) -> impl Iterator<Item = (Statement<'a>, String)> {
    let inbound = group.inbound.iter().map(|rule| (Direction::Inbound, rule));
    let outbound = group
        .outbound
        .iter()
        .map(|rule| (Direction::Outbound, rule));
    inbound.chain(outbound).map(|(direction, rule)| {
        let peer = match rule.peer {
            inlay_api::Peer::Cidr(cidr) => PeerName::Cidr(cidr),
            inlay_api::Peer::Group(index) => {
                PeerName::Group(network.security_group(index).name.as_str())
            }
        };
        let text = format!("allow {}", text(direction, rule.traffic, peer));
        let services = services(direction, rule.traffic).into_inner();
        (
            Statement {
                direction,
                services,
                peer,
            },
            text,
        )
    })
}

impl Statement<'_> {
    fn rule(&self, sets: &GroupSets<'_>) -> Rule {
        let peer = match self.peer {
            PeerName::Cidr(cidr) => addresses(cidr),
            PeerName::Group(name) => Peer::GroupSets(sets.with(name)),
        };
        Rule {
            peer,
            services: self.services.0..=self.services.1,
            allow: true,
        }
    }
}

fn entry_rule(direction: Direction, entry: &AclEntry, source: &str) -> (Rule, RuleLabel) {
    let (allow, action) = match entry.action {
        AclAction::Allow => (true, "allow"),
        AclAction::Deny => (false, "deny"),
    };
    let services = services(direction, entry.traffic);
    let said = text(direction, entry.traffic, PeerName::Cidr(entry.peer));
    let text = format!("{}: {action} {said}", entry.number);
    let label = RuleLabel {
        text,
        sources: BTreeSet::from([source.to_owned()]),
    };
    (
        Rule {
            peer: addresses(entry.peer),
            services,
            allow,
        },
        label,
    )
}

fn addresses(cidr: Ipv4Net) -> Peer {
    let (first, last) = ids::ends(cidr);
    Peer::Addresses(first..=last)
}

/// The points of the services' line that `traffic` covers: always one run.
fn services(direction: Direction, traffic: Traffic) -> RangeInclusive<u32> {
    let whole = |protocol: u8| (protocol, 0, protocol, u16::MAX);
    let (first_protocol, first, last_protocol, last) = match traffic {
        Traffic::All => (0, 0, u8::MAX, u16::MAX),
        Traffic::Tcp(ports) => (TCP, ports.first(), TCP, ports.last()),
        Traffic::Udp(ports) => (UDP, ports.first(), UDP, ports.last()),
        Traffic::Icmp(IcmpMatch::Any) => whole(ICMP),
        Traffic::Icmp(IcmpMatch::Type(kind)) => (
            ICMP,
            u16::from_be_bytes([kind, 0]),
            ICMP,
            u16::from_be_bytes([kind, u8::MAX]),
        ),
        Traffic::Icmp(IcmpMatch::TypeAndCode(kind, code)) => {
            let service = u16::from_be_bytes([kind, code]);
            (ICMP, service, ICMP, service)
        }
        Traffic::Protocol(protocol) => whole(protocol.get()),
    };
    service_point(direction, first_protocol, first)..=service_point(direction, last_protocol, last)
}

fn text(direction: Direction, traffic: Traffic, peer: PeerName<'_>) -> String {
    let traffic = match traffic {
        Traffic::All => "all".to_owned(),
        Traffic::Tcp(ports) => format!("tcp {ports}"),
        Traffic::Udp(ports) => format!("udp {ports}"),
        Traffic::Icmp(IcmpMatch::Any) => "icmp".to_owned(),
        Traffic::Icmp(IcmpMatch::Type(kind)) => format!("icmp type {kind}"),
        Traffic::Icmp(IcmpMatch::TypeAndCode(kind, code)) => {
            format!("icmp type {kind} code {code}")
        }
        Traffic::Protocol(protocol) => format!("protocol {}", protocol.get()),
    };
    let (name, towards) = match direction {
        Direction::Outbound => ("outbound", "to"),
        Direction::Inbound => ("inbound", "from"),
    };
    match peer {
        PeerName::Cidr(cidr) => format!("{name} {traffic} {towards} {cidr}"),
        PeerName::Group(group) => format!("{name} {traffic} {towards} group:{group}"),
    }
}

#[cfg(test)]
mod tests {
    use inlay_api::L4PortRange;

    use super::*;

    #[test]
    fn traffic_is_one_run_of_points() {
        let ports = |first, last| L4PortRange::new(first, last).unwrap();
        let rows = [
            ("everything", Traffic::All, 0x00_0000, 0xff_ffff),
            ("tcp", Traffic::Tcp(L4PortRange::ALL), 0x06_0000, 0x06_ffff),
            ("ports", Traffic::Tcp(ports(80, 90)), 0x06_0050, 0x06_005a),
            ("udp", Traffic::Udp(ports(53, 53)), 0x11_0035, 0x11_0035),
            ("icmp", Traffic::Icmp(IcmpMatch::Any), 0x01_0000, 0x01_ffff),
            (
                "a type",
                Traffic::Icmp(IcmpMatch::Type(8)),
                0x01_0800,
                0x01_08ff,
            ),
            (
                "and code",
                Traffic::Icmp(IcmpMatch::TypeAndCode(3, 4)),
                0x01_0304,
                0x01_0304,
            ),
        ];
        for (name, traffic, first, last) in rows {
            assert_eq!(
                services(Direction::Outbound, traffic),
                first..=last,
                "{name}"
            );
            let inbound = first | 1 << 24..=last | 1 << 24;
            assert_eq!(services(Direction::Inbound, traffic), inbound, "{name}");
        }
    }
}
