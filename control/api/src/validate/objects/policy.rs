//! Checks of security groups, access control lists and route tables.

use ipnet::Ipv4Net;

use crate::field_path::FieldPath::{self, Root};
use crate::limits::{ACL_ENTRIES_MAX, RULES_PER_PORT_MAX};
use crate::objects::{AclSpec, RouteTableSpec, SecurityGroupSpec};
use crate::raw::RawNode;

use super::super::names::Names;
use super::super::{acl as state_acl, route, security_group as state_group};
use super::fields::{self, FieldProblems};

/// Checks a security group of `network`, of whose groups at least those that the rules refer to are `groups`.
/// `rules_max` is the project's own limit.
pub fn security_group(
    spec: &SecurityGroupSpec,
    network: &str,
    groups: &[&str],
    rules_max: usize,
    problems: &mut FieldProblems,
) {
    let path = Root.field("spec");
    fields::description(&spec.description, problems);
    let found = spec.inbound.len() + spec.outbound.len();
    if !is_short(
        found,
        "rules",
        RULES_PER_PORT_MAX.min(rules_max),
        &path,
        problems,
    ) {
        return;
    }
    let names = Names::of_parts(network, groups, &[]);
    let problems = &mut problems.0;
    state_group::rules(&spec.inbound, &names, &path.field("inbound"), problems);
    state_group::rules(&spec.outbound, &names, &path.field("outbound"), problems);
}

/// Checks an access control list. `entries_max` is the project's own limit.
pub fn acl(spec: &AclSpec, entries_max: usize, problems: &mut FieldProblems) {
    let path = Root.field("spec");
    fields::description(&spec.description, problems);
    let found = spec.inbound.len() + spec.outbound.len();
    if !is_short(
        found,
        "entries",
        ACL_ENTRIES_MAX.min(entries_max),
        &path,
        problems,
    ) {
        return;
    }
    let problems = &mut problems.0;
    state_acl::entries(&spec.inbound, &path.field("inbound"), problems);
    state_acl::entries(&spec.outbound, &path.field("outbound"), problems);
}

/// Whether a list is short enough that its elements are worth a look.
fn is_short(
    found: usize,
    what: &str,
    max: usize,
    path: &FieldPath<'_>,
    problems: &mut FieldProblems,
) -> bool {
    if found > max {
        let message = format!(
            "{found} {what}, both directions together, are more than {max}; use wider ones, or split them"
        );
        problems.0.add(path, message);
    }
    found <= max
}

/// Checks a route table of `network` with these CIDRs, of whose nodes at least those that the routes lead to are
/// `nodes`, each with whether it forwards.
pub fn route_table(
    spec: &RouteTableSpec,
    network: &str,
    cidrs: &[Ipv4Net],
    nodes: &[(&str, bool)],
    problems: &mut FieldProblems,
) {
    let path = Root.field("spec");
    fields::description(&spec.description, problems);
    let names: Vec<&str> = nodes.iter().map(|(name, _)| *name).collect();
    let forwarding = |&(_, forwarding): &(&str, bool)| RawNode {
        forwarding,
        ..RawNode::default()
    };
    let nodes: Vec<RawNode> = nodes.iter().map(forwarding).collect();
    let cidrs: Vec<_> = cidrs.iter().copied().map(Some).collect();
    let tables = route::Tables {
        cidrs: &cidrs,
        names: &Names::of_parts(network, &[], &names),
        nodes: &nodes,
    };
    tables.routes(&spec.routes, &path.field("routes"), &mut problems.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::{RawAclEntry, RawRoute, RawRule};

    fn fields(problems: FieldProblems) -> Vec<String> {
        let list = problems.into_list();
        list.into_iter().map(|problem| problem.field).collect()
    }

    fn rule(protocol: &str, ports: Option<&str>, peer: &str) -> RawRule {
        RawRule {
            protocol: protocol.into(),
            ports: ports.map(str::to_owned),
            peer: peer.into(),
            ..RawRule::default()
        }
    }

    #[test]
    fn rules_of_groups() {
        let spec = SecurityGroupSpec {
            inbound: vec![
                rule("tcp", Some("80-90"), "0.0.0.0/0"),
                rule("tcp", Some("90-80"), "0.0.0.0/0"),
                rule("all", None, "group:web"),
                rule("all", None, "group:gone"),
            ],
            outbound: vec![rule("icmp", Some("1"), "10.0.0.1/8")],
            ..SecurityGroupSpec::default()
        };
        let mut problems = FieldProblems::default();
        security_group(&spec, "main", &["web"], 1_000, &mut problems);
        assert_eq!(
            fields(problems),
            [
                "spec.inbound[1].ports",
                "spec.inbound[3].peer",
                "spec.outbound[0].ports",
                "spec.outbound[0].peer"
            ]
        );
    }

    #[test]
    fn rules_are_few() {
        let spec = |count| SecurityGroupSpec {
            inbound: vec![rule("all", None, "0.0.0.0/0"); count],
            ..SecurityGroupSpec::default()
        };
        for (count, rules_max, refused) in [
            (10, 10, false),
            (11, 10, true),
            (1_024, 5_000, false),
            (10_000, 50_000, true),
        ] {
            let mut problems = FieldProblems::default();
            security_group(&spec(count), "main", &[], rules_max, &mut problems);
            assert_eq!(problems.is_empty(), !refused, "{count} of {rules_max}");
        }
    }

    #[test]
    fn entries_of_lists() {
        let entry = |number, action: &str, peer: &str| RawAclEntry {
            number,
            action: action.into(),
            protocol: "all".into(),
            peer: peer.into(),
            ..RawAclEntry::default()
        };
        let spec = AclSpec {
            inbound: vec![
                entry(100, "allow", "0.0.0.0/0"),
                entry(100, "deny", "10.0.0.0/8"),
                entry(0, "refuse", "group:web"),
            ],
            ..AclSpec::default()
        };
        let mut problems = FieldProblems::default();
        acl(&spec, 1_000, &mut problems);
        assert_eq!(
            fields(problems),
            [
                "spec.inbound[1].number",
                "spec.inbound[2].number",
                "spec.inbound[2].action",
                "spec.inbound[2].peer"
            ]
        );
    }

    #[test]
    fn targets_of_routes() {
        let cidrs = ["10.0.0.0/16".parse().unwrap()];
        let nodes = [("fw", true), ("web", false)];
        for (destination, target, expected) in [
            ("10.9.0.0/16", "blackhole", None),
            ("10.9.0.0/16", "node:fw", None),
            ("10.0.1.0/24", "local", None),
            ("10.9.0.0/16", "local", Some("spec.routes[0].target")),
            ("10.9.0.0/16", "node:web", Some("spec.routes[0].target")),
            ("10.9.0.0/16", "node:gone", Some("spec.routes[0].target")),
            ("0.0.0.0/0", "internet", Some("spec.routes[0].target")),
            ("0.0.0.0/0", "nat:main", Some("spec.routes[0].target")),
            (
                "10.0.0.0/16",
                "blackhole",
                Some("spec.routes[0].destination"),
            ),
        ] {
            let spec = RouteTableSpec {
                routes: vec![RawRoute {
                    destination: destination.into(),
                    target: target.into(),
                }],
                ..RouteTableSpec::default()
            };
            let mut problems = FieldProblems::default();
            route_table(&spec, "main", &cidrs, &nodes, &mut problems);
            let message = problems.0.is_empty();
            assert_eq!(message, expected.is_none(), "{destination} {target}");
            let found = fields(problems);
            assert_eq!(found.first().map(String::as_str), expected);
        }
    }

    #[test]
    fn targets_that_will_work_are_told_from_those_that_never_do() {
        for (target, words) in [
            ("internet", "does not work yet"),
            ("vpn:hq", "does not work yet"),
            ("moon", "is not a target"),
        ] {
            let spec = RouteTableSpec {
                routes: vec![RawRoute {
                    destination: "10.9.0.0/16".into(),
                    target: target.into(),
                }],
                ..RouteTableSpec::default()
            };
            let mut problems = FieldProblems::default();
            route_table(&spec, "main", &[], &[], &mut problems);
            let list = problems.into_list();
            assert!(list[0].message.contains(words), "{}", list[0].message);
        }
    }
}
