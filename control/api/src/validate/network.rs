//! Checks of networks: numbers, addresses, and the order of the checks of their parts.

use std::collections::HashMap;

use ipnet::Ipv4Net;

use crate::field_path::FieldPath;
use crate::invalid_value::shown;
use crate::limits::NETWORK_CIDRS_MAX;
use crate::network::full_name;
use crate::problem::Problems;
use crate::raw::RawNetwork;
use crate::{Network, Vni};

use super::context::{Context, bounded, name, parse, unique_names};
use super::names::Names;
use super::node::Nodes;
use super::subnet::Subnets;
use super::{acl, address, route, security_group};

/// Addresses that hosts do not treat as those of a single machine elsewhere.
const RESERVED: [(&str, &str); 5] = [
    ("0.0.0.0/8", "\"this network\""),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
];

/// The networks that hold; where one does not, there is a problem.
pub(super) fn networks<'a>(
    raw: &'a [RawNetwork],
    path: &FieldPath<'_>,
    context: &mut Context<'a>,
) -> Vec<Network> {
    let names: Vec<String> = raw
        .iter()
        .map(|network| full_name(network.project.as_deref(), &network.name))
        .collect();
    let names = names.iter().map(String::as_str);
    unique_names(names, "network", path, context.problems);
    refuse_repeated_vnis(raw, path, context.problems);
    let places = raw.iter().enumerate();
    places
        .filter_map(|(place, raw)| network(raw, &path.element(place), context))
        .collect()
}

fn refuse_repeated_vnis(raw: &[RawNetwork], path: &FieldPath<'_>, problems: &mut Problems) {
    let mut first = HashMap::new();
    for (place, network) in raw.iter().enumerate() {
        if let Some(other) = first.insert(network.vni, &network.name) {
            let other = shown(other);
            let message = format!(
                "VNI {} is network {other}'s; give each network its own",
                network.vni
            );
            problems.add(&path.element(place).field("vni"), message);
        }
    }
}

fn network<'a>(
    raw: &'a RawNetwork,
    path: &FieldPath<'_>,
    context: &mut Context<'a>,
) -> Option<Network> {
    let problems = &mut *context.problems;
    let project = raw
        .project
        .as_ref()
        .map(|project| parse(project, &path.field("project"), problems));
    let name = name(&raw.name, path, problems);
    let vni = problems.take(&path.field("vni"), Vni::try_from(raw.vni));
    let cidrs = cidrs(&raw.cidrs, &path.field("cidrs"), problems);
    let names = Names::of(raw, path, problems);
    let tables = route::Tables {
        cidrs: &cidrs,
        names: &names,
        nodes: &raw.nodes,
    };
    let route_tables = tables.check(&raw.route_tables, &path.field("route_tables"), problems);
    let groups_path = path.field("security_groups");
    let groups =
        security_group::security_groups(&raw.security_groups, &names, &groups_path, problems);
    let acls = acl::acls(&raw.acls, &path.field("acls"), problems);
    let subnets = Subnets::check(
        &raw.subnets,
        &cidrs,
        &names,
        &path.field("subnets"),
        problems,
    );
    let nodes = Nodes::new(raw, &names, &subnets).check(&path.field("nodes"), context);
    let cidrs: Vec<Ipv4Net> = cidrs.into_iter().flatten().collect();
    Some(Network {
        project: match project {
            Some(project) => Some(project?),
            None => None,
        },
        name: name?,
        vni: vni?,
        local_routes: route::local_routes(&cidrs),
        cidrs,
        subnets: subnets.into_list(),
        route_tables,
        security_groups: groups,
        acls,
        nodes,
    })
}

pub(super) fn cidrs(
    raw: &[String],
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Vec<Option<Ipv4Net>> {
    if raw.is_empty() {
        problems.add(
            path,
            "the network has no addresses; give it a cidr, like 10.0.0.0/16",
        );
    }
    let raw = bounded(raw, NETWORK_CIDRS_MAX, "cidrs", path, problems);
    let cidrs: Vec<_> = raw
        .iter()
        .enumerate()
        .map(|(place, text)| network_cidr(text, &path.element(place), problems))
        .collect();
    let read: Vec<_> = cidrs
        .iter()
        .enumerate()
        .filter_map(|(place, cidr)| Some((place, (*cidr)?)))
        .collect();
    let path_of = |place| path.element(place).to_string();
    address::refuse_overlaps(&read, path_of, "keep the cidrs apart", problems);
    cidrs
}

fn network_cidr(text: &str, path: &FieldPath<'_>, problems: &mut Problems) -> Option<Ipv4Net> {
    let cidr = address::take_cidr(text, path, problems)?;
    for (reserved, use_) in RESERVED {
        let overlaps = reserved
            .parse::<Ipv4Net>()
            .is_ok_and(|reserved| reserved.contains(&cidr) || cidr.contains(&reserved));
        if overlaps {
            let message =
                format!("{cidr} overlaps {reserved} ({use_}); choose unicast addresses for nodes");
            problems.add(path, message);
            return None;
        }
    }
    Some(cidr)
}
