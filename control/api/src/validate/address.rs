//! IPv4 addresses and CIDRs as they are written, and CIDRs that overlap.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::InvalidValue;
use crate::field_path::FieldPath;
use crate::invalid_value::quoted;
use crate::problem::Problems;

pub(super) fn address(text: &str) -> Result<Ipv4Addr, InvalidValue> {
    text.parse().map_err(|_| InvalidValue::Address {
        found: quoted(text),
    })
}

/// A CIDR with no bits set past its prefix.
pub(super) fn cidr(text: &str) -> Result<Ipv4Net, InvalidValue> {
    if let Ok(found) = text.parse::<Ipv4Addr>() {
        return Err(InvalidValue::CidrLength { found });
    }
    let found = text
        .parse::<Ipv4Net>()
        .map_err(|_| InvalidValue::CidrForm {
            found: quoted(text),
        })?;
    let meant = found.trunc();
    if found == meant {
        Ok(found)
    } else {
        Err(InvalidValue::CidrBits { found, meant })
    }
}

/// Adds a problem for each CIDR that overlaps an earlier one. `cidrs` are those that could be read,
/// with their place in the list; `path` gives the way to the CIDR at a place.
pub(super) fn refuse_overlaps(
    cidrs: &[(usize, Ipv4Net)],
    path: impl Fn(usize) -> String,
    remedy: &str,
    problems: &mut Problems,
) {
    let mut sorted = cidrs.to_vec();
    sorted.sort_by_key(|(place, cidr)| (cidr.network(), cidr.prefix_len(), *place));
    // Two CIDRs are disjoint or one holds the other; so one that overlaps any before it in this
    // order overlaps the one that reaches furthest.
    let mut furthest: Option<(usize, Ipv4Net)> = None;
    for (place, cidr) in sorted {
        match furthest {
            Some((other_place, other)) if other.contains(&cidr) => {
                let (first, second) = if other_place < place {
                    ((other_place, other), (place, cidr))
                } else {
                    ((place, cidr), (other_place, other))
                };
                let message = format!(
                    "{} overlaps {} of {}; {remedy}",
                    second.1,
                    first.1,
                    path(first.0)
                );
                problems.push(crate::problem::Problem::new(path(second.0), message));
            }
            _ => furthest = Some((place, cidr)),
        }
    }
}

/// The CIDR at `path`.
pub(super) fn take_cidr(
    text: &str,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Option<Ipv4Net> {
    problems.take(path, cidr(text))
}
