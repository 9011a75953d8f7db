//! Checks of access control lists.

use std::collections::HashMap;

use crate::field_path::FieldPath;
use crate::invalid_value::{in_range, quoted};
use crate::limits::{ACL_ENTRIES_MAX, ACL_NUMBERS};
use crate::problem::Problems;
use crate::raw::{RawAcl, RawAclEntry};
use crate::{Acl, AclAction, AclEntry};

use super::address::take_cidr;
use super::context::name;
use super::rule::{RawTraffic, traffic};

pub(super) fn acls(raw: &[RawAcl], path: &FieldPath<'_>, problems: &mut Problems) -> Vec<Acl> {
    let places = raw.iter().enumerate();
    places
        .filter_map(|(place, raw)| acl(raw, &path.element(place), problems))
        .collect()
}

fn acl(raw: &RawAcl, path: &FieldPath<'_>, problems: &mut Problems) -> Option<Acl> {
    let name = name(&raw.name, path, problems);
    let count = raw.inbound.len() + raw.outbound.len();
    if count > ACL_ENTRIES_MAX {
        let message = format!(
            "{count} entries are more than {ACL_ENTRIES_MAX}; use wider entries or two subnets"
        );
        problems.add(path, message);
        return None;
    }
    let inbound = entries(&raw.inbound, &path.field("inbound"), problems);
    let outbound = entries(&raw.outbound, &path.field("outbound"), problems);
    Some(Acl {
        name: name?,
        inbound,
        outbound,
    })
}

/// The entries of one direction, by rising number.
pub(super) fn entries(
    raw: &[RawAclEntry],
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Vec<AclEntry> {
    let mut first = HashMap::new();
    let mut entries = Vec::new();
    for (place, raw) in raw.iter().enumerate() {
        let path = path.element(place);
        if let Some(other) = first.insert(raw.number, place) {
            let number = raw.number;
            let message = format!("number {number} is entry {other}'s too; give each its own");
            problems.add(&path.field("number"), message);
        }
        entries.extend(entry(raw, &path, problems));
    }
    entries.sort_by_key(|entry| entry.number);
    entries
}

fn entry(raw: &RawAclEntry, path: &FieldPath<'_>, problems: &mut Problems) -> Option<AclEntry> {
    let number = in_range("number", raw.number, &ACL_NUMBERS);
    let number = problems.take(&path.field("number"), number);
    let action = action(&raw.action, &path.field("action"), problems);
    let written = RawTraffic {
        protocol: &raw.protocol,
        ports: raw.ports.as_deref(),
        icmp: raw.icmp.as_ref(),
    };
    let traffic = traffic(&written, path, problems);
    let peer = peer(&raw.peer, &path.field("peer"), problems);
    Some(AclEntry {
        number: u16::try_from(number?).ok()?,
        action: action?,
        traffic: traffic?,
        peer: peer?,
    })
}

fn action(text: &str, path: &FieldPath<'_>, problems: &mut Problems) -> Option<AclAction> {
    match text {
        "allow" => Some(AclAction::Allow),
        "deny" => Some(AclAction::Deny),
        other => {
            problems.add(
                path,
                format!("{} is not an action; use allow or deny", quoted(other)),
            );
            None
        }
    }
}

fn peer(text: &str, path: &FieldPath<'_>, problems: &mut Problems) -> Option<ipnet::Ipv4Net> {
    if text.starts_with("group:") {
        problems.add(
            path,
            "an ACL knows no groups; write a CIDR, or use a security group's rule",
        );
        return None;
    }
    take_cidr(text, path, problems)
}
