//! Checks of route tables.

use std::collections::HashMap;

use ipnet::Ipv4Net;

use crate::field_path::FieldPath;
use crate::invalid_value::{quoted, shown};
use crate::limits::ROUTES_PER_TABLE_MAX;
use crate::problem::Problems;
use crate::raw::{RawNode, RawRoute, RawRouteTable};
use crate::route::in_lookup_order;
use crate::{NodeIndex, Route, RouteTable, RouteTarget};

use super::address::take_cidr;
use super::context::{bounded, name};
use super::names::Names;

/// Words of targets that are refused until what they lead to is there.
const UNSUPPORTED: [&str; 5] = ["internet", "nat", "vpn", "peering", "endpoint"];

/// The routes that every table of a network with these CIDRs has.
pub(super) fn local_routes(cidrs: &[Ipv4Net]) -> Vec<Route> {
    let local = |&destination| Route {
        destination,
        target: RouteTarget::Local,
    };
    in_lookup_order(cidrs.iter().map(local).collect())
}

/// What the checks of a network's route tables need of it.
pub(super) struct Tables<'a> {
    /// The network's CIDRs; `None` for each that could not be read.
    pub(super) cidrs: &'a [Option<Ipv4Net>],
    pub(super) names: &'a Names<'a>,
    pub(super) nodes: &'a [RawNode],
}

impl Tables<'_> {
    pub(super) fn check(
        &self,
        raw: &[RawRouteTable],
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Vec<RouteTable> {
        let places = raw.iter().enumerate();
        places
            .filter_map(|(place, raw)| self.table(raw, &path.element(place), problems))
            .collect()
    }

    fn table(
        &self,
        raw: &RawRouteTable,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Option<RouteTable> {
        let name = name(&raw.name, path, problems);
        let routes = self.routes(&raw.routes, &path.field("routes"), problems);
        Some(RouteTable {
            name: name?,
            routes,
        })
    }

    /// The routes at `path` and the local ones, in the order in which they are looked up.
    pub(super) fn routes(
        &self,
        raw: &[RawRoute],
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Vec<Route> {
        let cidrs: Vec<Ipv4Net> = self.cidrs.iter().flatten().copied().collect();
        let written_max = ROUTES_PER_TABLE_MAX - cidrs.len();
        let listed = bounded(raw, written_max, "routes", path, problems);
        let mut routes = local_routes(&cidrs);
        let mut first = HashMap::new();
        for (place, raw) in listed.iter().enumerate() {
            let path = path.element(place);
            let Some(route) = self.route(raw, &path, problems) else {
                continue;
            };
            if let Some(other) = first.insert(route.destination, place) {
                let destination = route.destination;
                let message = format!("{destination} is route {other}'s too; keep one of the two");
                problems.add(&path.field("destination"), message);
            }
            // A CIDR of the network, written out: its route is there already.
            if !cidrs.contains(&route.destination) {
                routes.push(route);
            }
        }
        in_lookup_order(routes)
    }

    fn route(
        &self,
        raw: &RawRoute,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Option<Route> {
        let destination = take_cidr(&raw.destination, &path.field("destination"), problems);
        let target = self.target(&raw.target, &path.field("target"), problems);
        let (destination, target) = (destination?, target?);
        self.refuse_unlocal(destination, target, path, problems);
        Some(Route {
            destination,
            target,
        })
    }

    /// Addresses of the network's CIDRs are local, and only they are.
    fn refuse_unlocal(
        &self,
        destination: Ipv4Net,
        target: RouteTarget,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) {
        let mut cidrs = self.cidrs.iter().flatten();
        match target {
            RouteTarget::Local => {
                let complete = !self.cidrs.is_empty() && self.cidrs.iter().all(Option::is_some);
                if complete && !cidrs.any(|cidr| cidr.contains(&destination)) {
                    let message = format!(
                        "{destination} is outside the network's cidrs, where nothing is local; \
                         route it to a node or blackhole"
                    );
                    problems.add(&path.field("target"), message);
                }
            }
            RouteTarget::Blackhole | RouteTarget::Node(_) => {
                if cidrs.any(|cidr| *cidr == destination) {
                    let message = format!(
                        "{destination} is a cidr of the network and always local; \
                         route smaller parts of it elsewhere"
                    );
                    problems.add(&path.field("destination"), message);
                }
            }
        }
    }

    fn target(
        &self,
        text: &str,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Option<RouteTarget> {
        match text {
            "local" => return Some(RouteTarget::Local),
            "blackhole" => return Some(RouteTarget::Blackhole),
            _ => {}
        }
        let Some(node) = text.strip_prefix("node:") else {
            let (word, _) = text.split_once(':').unwrap_or((text, ""));
            let why = if UNSUPPORTED.contains(&word) {
                "does not work yet"
            } else {
                "is not a target"
            };
            let found = quoted(text);
            problems.add(
                path,
                format!("{found} {why}; use local, blackhole or node:NAME"),
            );
            return None;
        };
        let place = self.names.node(node, path, problems)?;
        if self.nodes.get(place).is_some_and(|node| !node.forwarding) {
            let node = shown(node);
            let message = format!(
                "node {node} does not forward; set forwarding: true on it, or choose another"
            );
            problems.add(path, message);
        }
        Some(RouteTarget::Node(NodeIndex::new(place)))
    }
}
