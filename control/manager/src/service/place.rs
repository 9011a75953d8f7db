//! Which hosts nodes go to. It decides by what it is given alone: no store, no clock.
//!
//! Of the hosts that fit, a node goes to the one with the fewest nodes of its network, then the fewest nodes, then by
//! name: a network's nodes are spread, so that a host's end takes few of them along.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::{self, Write as _};
use std::sync::Arc;

use inlay_api::limits::{FLOWS_MAX, NETWORKS_MAX};
use inlay_api::objects::{HostCondition, Labels};

/// What is to be placed: `count` nodes of a network that are alike.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) count: u32,
    /// Addresses of each node that its network has not yet; 0 where a node moves.
    pub(super) addresses: u64,
    /// Flows of each node, where it says how many.
    pub(super) flows: Option<u32>,
    /// On this host alone.
    pub(super) host: Option<&'a str>,
    /// On any but these.
    pub(super) not_hosts: &'a [&'a str],
    /// In these locations, all of them: of the subnet and of the node.
    pub(super) locations: Vec<&'a str>,
    pub(super) labels: &'a Labels,
    /// Addresses that the network has.
    pub(super) network_addresses: u64,
}

/// A host that may be taken.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) name: Arc<str>,
    pub(super) state: HostCondition,
    pub(super) cordoned: bool,
    pub(super) location: String,
    pub(super) labels: Labels,
    /// Nodes of the type that it takes, and has.
    pub(super) capacity: u32,
    pub(super) nodes_of_type: u32,
    /// Nodes of all types.
    pub(super) nodes: u32,
    /// Nodes of the network.
    pub(super) network_nodes: u32,
    /// Other networks that it has nodes of, and their addresses.
    pub(super) other_networks: u32,
    pub(super) other_mappings: u64,
    pub(super) mappings_max: u64,
    pub(super) flows: u64,
    pub(super) flows_per_port: u32,
}

/// Why a host is ruled out.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Reason {
    NotNamed,
    Excluded,
    Cordoned,
    Unreachable,
    NotJoined,
    Location,
    Labels,
    Type,
    Full,
    Flows,
    Networks,
    Mappings,
}

impl Reason {
    const fn text(self) -> &'static str {
        match self {
            Self::NotNamed => "not the host that is asked for",
            Self::Excluded => "the host that it is to leave",
            Self::Cordoned => "cordoned",
            Self::Unreachable => "unreachable (they are taken only if placement.host names them)",
            Self::NotJoined => "not joined yet (they are taken only if placement.host names them)",
            Self::Location => "in another location",
            Self::Labels => "without the labels",
            Self::Type => "not made for the type",
            Self::Full => "full (node_types)",
            Self::Flows => "out of flows (flows_per_port, flows_max)",
            Self::Networks => "in as many networks as a host can be",
            Self::Mappings => "not able to know so many addresses (mappings_max)",
        }
    }
}

/// Why there is no host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum NoRoom {
    /// Hosts that fit have room for `found` of `wanted` nodes.
    Few {
        found: u64,
        wanted: u32,
        hosts: usize,
        reasons: BTreeMap<Reason, usize>,
    },
    /// A host that has nodes of the network cannot know more addresses.
    Holder { host: Arc<str>, mappings_max: u64 },
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Few {
                found,
                wanted,
                hosts,
                reasons,
            } => {
                if *found > 0 {
                    write!(f, "there is room for {found} of {wanted} nodes")?;
                } else {
                    write!(f, "none of {hosts} hosts fits")?;
                }
                let mut told = String::new();
                for (reason, count) in reasons {
                    let separator = if told.is_empty() { "" } else { ", " };
                    write!(told, "{separator}{count} {}", reason.text())?;
                }
                if !told.is_empty() {
                    write!(f, ": {told}")?;
                }
                f.write_str("; add hosts, or ask for less")
            }
            Self::Holder { host, mappings_max } => write!(
                f,
                "host {host} has nodes of the network and can know {mappings_max} addresses of all its networks \
                 (mappings_max), which these would exceed; raise it, or move nodes away"
            ),
        }
    }
}

/// A host for each of the nodes.
///
/// # Errors
/// Where they do not all fit; then none is placed.
pub(super) fn place(wanted: &Wanted<'_>, hosts: &[Candidate]) -> Result<Vec<Arc<str>>, NoRoom> {
    let added = wanted.addresses * u64::from(wanted.count);
    let after = wanted.network_addresses + added;
    let over = |host: &&Candidate| host.other_mappings + after > host.mappings_max;
    let mut holders = hosts.iter().filter(|host| host.network_nodes > 0);
    if added > 0
        && let Some(host) = holders.find(over)
    {
        return Err(NoRoom::Holder {
            host: host.name.clone(),
            mappings_max: host.mappings_max,
        });
    }
    let mut reasons = BTreeMap::new();
    // Why those that fit take no more, once they are full.
    let mut limits: BTreeMap<Reason, usize> = BTreeMap::new();
    let mut fitting = BinaryHeap::new();
    for host in hosts {
        match room(wanted, host, after) {
            Ok((left, limit)) => {
                fitting.push(Reverse((host.network_nodes, host.nodes, &host.name, left)));
                *limits.entry(limit).or_default() += 1;
            }
            Err(reason) => *reasons.entry(reason).or_default() += 1,
        }
    }
    spread(wanted.count, fitting).map_err(|found| {
        for (limit, count) in limits {
            *reasons.entry(limit).or_default() += count;
        }
        NoRoom::Few {
            found,
            wanted: wanted.count,
            hosts: hosts.len(),
            reasons,
        }
    })
}

/// Nodes of the network, nodes, name, and how many nodes more it takes.
type Fitting<'a> = BinaryHeap<Reverse<(u32, u32, &'a Arc<str>, u64)>>;

/// One host after the other, each with its count raised by what it was given; or how many nodes fit.
fn spread(count: u32, mut fitting: Fitting<'_>) -> Result<Vec<Arc<str>>, u64> {
    let mut chosen = Vec::with_capacity(count as usize);
    while chosen.len() < count as usize {
        let Some(Reverse((network_nodes, nodes, name, left))) = fitting.pop() else {
            return Err(chosen.len() as u64);
        };
        chosen.push(name.clone());
        if left > 1 {
            fitting.push(Reverse((network_nodes + 1, nodes + 1, name, left - 1)));
        }
    }
    Ok(chosen)
}

/// How many of the nodes a host takes, at least one, and what keeps it from taking more.
fn room(wanted: &Wanted<'_>, host: &Candidate, mappings: u64) -> Result<(u64, Reason), Reason> {
    admits(wanted, host)?;
    if host.capacity == 0 {
        return Err(Reason::Type);
    }
    let left = u64::from(host.capacity.saturating_sub(host.nodes_of_type));
    if left == 0 {
        return Err(Reason::Full);
    }
    let flows_each = u64::from(wanted.flows.unwrap_or(host.flows_per_port).max(1));
    let flows_left = FLOWS_MAX.saturating_sub(host.flows) / flows_each;
    if flows_left == 0 {
        return Err(Reason::Flows);
    }
    if host.network_nodes == 0 && host.other_networks as usize >= NETWORKS_MAX {
        return Err(Reason::Networks);
    }
    if host.other_mappings + mappings > host.mappings_max {
        return Err(Reason::Mappings);
    }
    Ok((left, Reason::Full).min((flows_left, Reason::Flows)))
}

/// Whether a host may be taken, room aside.
fn admits(wanted: &Wanted<'_>, host: &Candidate) -> Result<(), Reason> {
    let named = wanted.host == Some(&host.name);
    let has_label = |(key, value): (&String, &String)| host.labels.get(key) == Some(value);
    let reason = if wanted.host.is_some() && !named {
        Reason::NotNamed
    } else if wanted.not_hosts.contains(&host.name.as_ref()) {
        Reason::Excluded
    } else if host.cordoned {
        Reason::Cordoned
    } else if host.state == HostCondition::Unreachable && !named {
        Reason::Unreachable
    } else if host.state == HostCondition::Expected && !named {
        Reason::NotJoined
    } else if wanted.locations.iter().any(|it| *it != host.location) {
        Reason::Location
    } else if !wanted.labels.iter().all(has_label) {
        Reason::Labels
    } else {
        return Ok(());
    };
    Err(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Candidate {
        Candidate {
            name: name.into(),
            state: HostCondition::Ready,
            cordoned: false,
            location: "fra1".into(),
            labels: Labels::from([("disk".into(), "ssd".into())]),
            capacity: 10,
            nodes_of_type: 0,
            nodes: 0,
            network_nodes: 0,
            other_networks: 0,
            other_mappings: 0,
            mappings_max: 100,
            flows: 0,
            flows_per_port: 64,
        }
    }

    static NO_LABELS: Labels = Labels::new();

    fn wanted(count: u32) -> Wanted<'static> {
        Wanted {
            count,
            addresses: 1,
            flows: None,
            host: None,
            not_hosts: &[],
            locations: Vec::new(),
            labels: &NO_LABELS,
            network_addresses: 0,
        }
    }

    fn names(wanted: &Wanted<'_>, hosts: &[Candidate]) -> Vec<String> {
        let chosen = place(wanted, hosts).unwrap();
        chosen.iter().map(ToString::to_string).collect()
    }

    /// Which of two hosts takes the node; the second row of each pair is the prohibition.
    #[test]
    fn one_of_two() {
        type Change = fn(&mut Candidate);
        let rows: [(&str, Change); 11] = [
            ("the same, so by name", |_| {}),
            ("fewer nodes of the network", |b| b.network_nodes = 1),
            ("fewer nodes", |b| b.nodes = 1),
            ("not cordoned", |b| b.cordoned = true),
            ("reachable", |b| b.state = HostCondition::Unreachable),
            ("joined", |b| b.state = HostCondition::Expected),
            ("room for the type", |b| b.nodes_of_type = 10),
            ("made for the type", |b| b.capacity = 0),
            ("flows left", |b| b.flows = FLOWS_MAX - 63),
            ("addresses that it can know", |b| b.other_mappings = 100),
            ("networks that it can be in", |b| b.other_networks = 255),
        ];
        for (what, worse) in rows {
            let mut other = host("b");
            worse(&mut other);
            assert_eq!(
                names(&wanted(1), &[other.clone(), host("a")]),
                ["a"],
                "{what}"
            );
            let mut worse_a = host("a");
            worse(&mut worse_a);
            let expected = if worse_a == host("a") { "a" } else { "b" };
            let chosen = names(&wanted(1), &[worse_a, host("b")]);
            assert_eq!(chosen, [expected], "{what}, the other way round");
        }
    }

    impl PartialEq for Candidate {
        fn eq(&self, other: &Self) -> bool {
            format!("{self:?}") == format!("{other:?}")
        }
    }

    #[test]
    fn what_is_asked_for_is_kept_to() {
        let mut far = host("far");
        far.location = "ams1".into();
        far.labels.clear();
        let hosts = [far, host("near")];
        let labels = Labels::from([("disk".to_owned(), "ssd".to_owned())]);
        assert_eq!(names(&wanted(1), &hosts), ["far"]);
        for (what, asked, expected) in [
            (
                "location",
                Wanted {
                    locations: vec!["fra1"],
                    ..wanted(1)
                },
                Some("near"),
            ),
            (
                "two locations",
                Wanted {
                    locations: vec!["fra1", "ams1"],
                    ..wanted(1)
                },
                None,
            ),
            (
                "labels",
                Wanted {
                    labels: &labels,
                    ..wanted(1)
                },
                Some("near"),
            ),
            (
                "host",
                Wanted {
                    host: Some("near"),
                    ..wanted(1)
                },
                Some("near"),
            ),
            (
                "host elsewhere",
                Wanted {
                    host: Some("far"),
                    locations: vec!["fra1"],
                    ..wanted(1)
                },
                None,
            ),
            (
                "another host",
                Wanted {
                    not_hosts: &["far"],
                    ..wanted(1)
                },
                Some("near"),
            ),
        ] {
            let chosen = place(&asked, &hosts).ok();
            let chosen = chosen.as_ref().and_then(|it| it.first()).map(AsRef::as_ref);
            assert_eq!(chosen, expected, "{what}");
        }
    }

    #[test]
    fn a_host_that_is_not_connected_is_taken_only_by_name() {
        let mut expected = host("a");
        expected.state = HostCondition::Expected;
        let mut gone = host("b");
        gone.state = HostCondition::Unreachable;
        let by_name = |name: &'static str| Wanted {
            host: Some(name),
            ..wanted(1)
        };
        let hosts = [expected, gone];
        assert!(place(&wanted(1), &hosts).is_err());
        assert_eq!(names(&by_name("a"), &hosts), ["a"]);
        assert_eq!(names(&by_name("b"), &hosts), ["b"]);
    }

    #[test]
    fn many_are_spread_and_fill_every_host() {
        let mut small = host("a");
        small.capacity = 1;
        let hosts = [small, host("b"), host("c")];
        assert_eq!(names(&wanted(5), &hosts), ["a", "b", "c", "b", "c"]);
        assert_eq!(place(&wanted(21), &hosts).unwrap().len(), 21);
        let error = place(&wanted(22), &hosts).unwrap_err();
        let told =
            "there is room for 21 of 22 nodes: 3 full (node_types); add hosts, or ask for less";
        assert_eq!(error.to_string(), told);
    }

    #[test]
    fn addresses_of_the_whole_request_are_known_to_every_host_of_the_network() {
        let mut holder = host("a");
        (holder.network_nodes, holder.other_mappings) = (1, 90);
        holder.cordoned = true;
        let mut asked = wanted(9);
        asked.network_addresses = 1;
        let hosts = [holder, host("b")];
        assert!(place(&asked, &hosts).is_ok());
        asked.count = 10;
        let error = place(&asked, &hosts).unwrap_err();
        assert!(matches!(error, NoRoom::Holder { .. }), "{error}");
        // A node that moves brings no address along.
        asked.addresses = 0;
        assert!(place(&asked, &hosts).is_ok());
    }

    #[test]
    fn the_answer_counts_the_reasons() {
        let mut cordoned = host("a");
        cordoned.cordoned = true;
        let mut full = host("b");
        full.nodes_of_type = 10;
        let error = place(&wanted(1), &[cordoned.clone(), cordoned, full]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "none of 3 hosts fits: 2 cordoned, 1 full (node_types); add hosts, or ask for less"
        );
    }
}
