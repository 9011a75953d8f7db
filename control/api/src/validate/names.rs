//! The names by which the parts of a network refer to each other.

use std::collections::HashMap;

use crate::field_path::FieldPath;
use crate::invalid_value::shown;
use crate::problem::Problems;
use crate::raw::RawNetwork;

use super::context::unique_names;

/// The things of a network that others refer to by name, with their places.
pub(super) struct Names<'a> {
    network: &'a str,
    route_tables: HashMap<&'a str, usize>,
    groups: HashMap<&'a str, usize>,
    acls: HashMap<&'a str, usize>,
    nodes: HashMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    pub(super) fn of(raw: &'a RawNetwork, path: &FieldPath<'_>, problems: &mut Problems) -> Self {
        let mut unique = |names: &mut dyn Iterator<Item = &'a str>, what, field| {
            unique_names(names, what, &path.field(field), problems)
        };
        unique(
            &mut raw.subnets.iter().map(|it| it.name.as_str()),
            "subnet",
            "subnets",
        );
        Self {
            network: &raw.name,
            route_tables: unique(
                &mut raw.route_tables.iter().map(|it| it.name.as_str()),
                "route table",
                "route_tables",
            ),
            groups: unique(
                &mut raw.security_groups.iter().map(|it| it.name.as_str()),
                "security group",
                "security_groups",
            ),
            acls: unique(
                &mut raw.acls.iter().map(|it| it.name.as_str()),
                "ACL",
                "acls",
            ),
            nodes: unique(
                &mut raw.nodes.iter().map(|it| it.name.as_str()),
                "node",
                "nodes",
            ),
        }
    }

    /// Of a network of which only these groups and nodes are referred to.
    pub(super) fn of_parts(network: &'a str, groups: &[&'a str], nodes: &[&'a str]) -> Self {
        let places = |names: &[&'a str]| {
            let places = names.iter().enumerate();
            places.map(|(place, &name)| (name, place)).collect()
        };
        Self {
            network,
            route_tables: HashMap::new(),
            groups: places(groups),
            acls: HashMap::new(),
            nodes: places(nodes),
        }
    }

    /// The network's own name, as it is shown.
    pub(super) fn network(&self) -> String {
        shown(self.network)
    }

    pub(super) fn has_group(&self, name: &str) -> bool {
        self.groups.contains_key(name)
    }

    pub(super) fn group(
        &self,
        name: &str,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Option<usize> {
        self.find(&self.groups, name, "security group", path, problems)
    }

    pub(super) fn node(
        &self,
        name: &str,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Option<usize> {
        self.find(&self.nodes, name, "node", path, problems)
    }

    pub(super) fn acl(
        &self,
        name: Option<&str>,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Option<usize> {
        self.find(&self.acls, name?, "ACL", path, problems)
    }

    pub(super) fn route_table(
        &self,
        name: Option<&str>,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Option<usize> {
        self.find(&self.route_tables, name?, "route table", path, problems)
    }

    fn find(
        &self,
        places: &HashMap<&str, usize>,
        name: &str,
        what: &str,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Option<usize> {
        let place = places.get(name).copied();
        if place.is_none() {
            let (network, name) = (shown(self.network), shown(name));
            let message =
                format!("network {network} has no {what} {name}; add it or correct the name");
            problems.add(path, message);
        }
        place
    }
}
