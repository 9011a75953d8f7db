//! Checks of security groups.

use crate::field_path::FieldPath;
use crate::limits::{DESCRIPTION_BYTES_MAX, RULES_PER_PORT_MAX};
use crate::problem::Problems;
use crate::raw::{RawRule, RawSecurityGroup};
use crate::{GroupIndex, Peer, Rule, SecurityGroup};

use super::address::take_cidr;
use super::context::name;
use super::names::Names;
use super::rule::{RawTraffic, traffic};

pub(super) fn security_groups(
    raw: &[RawSecurityGroup],
    names: &Names<'_>,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Vec<SecurityGroup> {
    let places = raw.iter().enumerate();
    places
        .filter_map(|(place, raw)| security_group(raw, names, &path.element(place), problems))
        .collect()
}

fn security_group(
    raw: &RawSecurityGroup,
    names: &Names<'_>,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Option<SecurityGroup> {
    let name = name(&raw.name, path, problems);
    let count = raw.inbound.len() + raw.outbound.len();
    if count > RULES_PER_PORT_MAX {
        let message = format!(
            "{count} rules are more than the {RULES_PER_PORT_MAX} of a port; use wider rules or two groups"
        );
        problems.add(path, message);
        return None;
    }
    let inbound = rules(&raw.inbound, names, &path.field("inbound"), problems);
    let outbound = rules(&raw.outbound, names, &path.field("outbound"), problems);
    Some(SecurityGroup {
        name: name?,
        inbound,
        outbound,
    })
}

pub(super) fn rules(
    raw: &[RawRule],
    names: &Names<'_>,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Vec<Rule> {
    let places = raw.iter().enumerate();
    places
        .filter_map(|(place, raw)| rule(raw, names, &path.element(place), problems))
        .collect()
}

fn rule(
    raw: &RawRule,
    names: &Names<'_>,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Option<Rule> {
    let written = RawTraffic {
        protocol: &raw.protocol,
        ports: raw.ports.as_deref(),
        icmp: raw.icmp.as_ref(),
    };
    let traffic = traffic(&written, path, problems);
    let peer = peer(&raw.peer, names, &path.field("peer"), problems);
    if let Some(description) = &raw.description {
        refuse_description(description, &path.field("description"), problems);
    }
    Some(Rule {
        traffic: traffic?,
        peer: peer?,
        description: raw.description.clone(),
    })
}

fn peer(
    text: &str,
    names: &Names<'_>,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Option<Peer> {
    match text.strip_prefix("group:") {
        Some(group) => names
            .group(group, path, problems)
            .map(|place| Peer::Group(GroupIndex::new(place))),
        None => take_cidr(text, path, problems).map(Peer::Cidr),
    }
}

/// Descriptions are shown on terminals, where control characters would do more than be shown.
pub(super) fn refuse_description(text: &str, path: &FieldPath<'_>, problems: &mut Problems) {
    if text.len() > DESCRIPTION_BYTES_MAX {
        let len = text.len();
        let message = format!("{len} bytes are more than {DESCRIPTION_BYTES_MAX}; shorten it");
        problems.add(path, message);
    }
    if text.chars().any(char::is_control) {
        problems.add(
            path,
            "it holds control characters; write it in one line of plain text",
        );
    }
}
