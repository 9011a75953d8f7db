//! Checks of networks and subnets.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::field_path::FieldPath::{self, Root};
use crate::invalid_value::quoted;
use crate::limits::{DNS_DOMAIN_BYTES_MAX, DNS_SERVERS_MAX};
use crate::objects::{NetworkSpec, SubnetSpec};

use super::super::{address, context::bounded, network as state, subnet as parts};
use super::fields::{self, FieldProblems};

/// The CIDRs of a network's spec, in the order written; those that are wrong are left out.
pub fn network(spec: &NetworkSpec, problems: &mut FieldProblems) -> Vec<Ipv4Net> {
    let path = Root.field("spec");
    fields::description(&spec.description, problems);
    let cidrs = state::cidrs(&spec.cidrs, &path.field("cidrs"), &mut problems.0);
    dns_servers(&spec.dns_servers, &path.field("dns_servers"), problems);
    if !spec.dns_domain.is_empty() && !is_domain(&spec.dns_domain) {
        let message = format!(
            "{} is not a domain; write one like example.internal",
            quoted(&spec.dns_domain)
        );
        problems.0.add(&path.field("dns_domain"), message);
    }
    cidrs.into_iter().flatten().collect()
}

fn dns_servers(servers: &[String], path: &FieldPath<'_>, problems: &mut FieldProblems) {
    let listed = bounded(
        servers,
        DNS_SERVERS_MAX,
        "name servers",
        path,
        &mut problems.0,
    );
    for (place, text) in listed.iter().enumerate() {
        problems.take(&path.element(place), address::address(text));
    }
}

/// Labels of 1 to 63 letters, digits and `-`, with no `-` at either end (RFC 1123).
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let bytes_ok = label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let ends_ok = !label.starts_with('-') && !label.ends_with('-');
        (1..=63).contains(&label.len()) && bytes_ok && ends_ok
    };
    text.len() <= DNS_DOMAIN_BYTES_MAX && text.split('.').all(is_label)
}

/// What a subnet has to fit into.
#[derive(Clone, Copy, Debug)]
pub struct SubnetContext<'a> {
    /// The CIDRs of its network.
    pub cidrs: &'a [Ipv4Net],
    /// The other subnets of its network.
    pub others: &'a [(String, Ipv4Net)],
}

/// A subnet's spec as values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SubnetValues {
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// The virtual router's address in it.
    pub gateway: Ipv4Addr,
}

/// The values of a subnet's spec; `None` where something is wrong.
pub fn subnet(
    spec: &SubnetSpec,
    context: SubnetContext<'_>,
    problems: &mut FieldProblems,
) -> Option<SubnetValues> {
    let path = Root.field("spec");
    fields::description(&spec.description, problems);
    if let Some(location) = &spec.location {
        fields::label(location, &path.field("location"), problems);
    }
    let cidrs: Vec<_> = context.cidrs.iter().copied().map(Some).collect();
    let cidr_path = path.field("cidr");
    let cidr = parts::subnet_cidr(&spec.cidr, &cidrs, &cidr_path, &mut problems.0)?;
    for (name, other) in context.others {
        if cidr.contains(other) || other.contains(&cidr) {
            let message =
                format!("{cidr} overlaps {other} of subnet {name}; keep the subnets apart");
            problems.0.add(&cidr_path, message);
        }
    }
    let gateway = spec.gateway.as_deref();
    let gateway = parts::gateway(gateway, cidr, &path.field("gateway"), &mut problems.0)?;
    Some(SubnetValues { cidr, gateway })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    #[test]
    fn networks() {
        let of = |cidrs: &[&str]| NetworkSpec {
            cidrs: cidrs.iter().map(|&it| it.to_owned()).collect(),
            ..NetworkSpec::default()
        };
        let rows: [(&str, NetworkSpec, &[&str]); 9] = [
            ("right", of(&["10.0.0.0/16", "10.1.0.0/16"]), &[]),
            ("none", of(&[]), &["spec.cidrs"]),
            ("host bits", of(&["10.0.0.1/16"]), &["spec.cidrs[0]"]),
            ("loopback", of(&["127.0.0.0/8"]), &["spec.cidrs[0]"]),
            (
                "overlap",
                of(&["10.0.0.0/8", "10.1.0.0/16"]),
                &["spec.cidrs[1]"],
            ),
            (
                "too many",
                NetworkSpec {
                    cidrs: (0..17).map(|nth| format!("10.{nth}.0.0/16")).collect(),
                    ..NetworkSpec::default()
                },
                &["spec.cidrs"],
            ),
            (
                "name server",
                NetworkSpec {
                    dns_servers: vec!["10.0.0.2".into(), "dns".into()],
                    ..of(&["10.0.0.0/16"])
                },
                &["spec.dns_servers[1]"],
            ),
            (
                "domain",
                NetworkSpec {
                    dns_domain: "a..b".into(),
                    ..of(&["10.0.0.0/16"])
                },
                &["spec.dns_domain"],
            ),
            (
                "a domain that is right",
                NetworkSpec {
                    dns_domain: "example.internal".into(),
                    ..of(&["10.0.0.0/16"])
                },
                &[],
            ),
        ];
        for (what, spec, expected) in rows {
            let mut problems = FieldProblems::default();
            network(&spec, &mut problems);
            let found: Vec<_> = problems.into_list().into_iter().map(|p| p.field).collect();
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn subnets() {
        let others = [("a".to_owned(), net("10.0.1.0/24"))];
        let cidrs = [net("10.0.0.0/16")];
        let rows: [(&str, Option<&str>, &[&str]); 10] = [
            ("10.0.2.0/24", None, &[]),
            ("10.0.2.0/24", Some("10.0.2.254"), &[]),
            ("10.0.1.128/25", None, &["spec.cidr"]),
            ("10.0.0.0/16", None, &["spec.cidr"]),
            ("10.1.0.0/24", None, &["spec.cidr"]),
            ("10.0.2.0/31", None, &["spec.cidr"]),
            ("10.0.2.1/32", None, &["spec.cidr"]),
            ("10.0.2.1/24", None, &["spec.cidr"]),
            ("10.0.2.0/24", Some("10.0.2.255"), &["spec.gateway"]),
            ("10.0.2.0/24", Some("10.0.3.1"), &["spec.gateway"]),
        ];
        for (cidr, gateway, expected) in rows {
            let mut problems = FieldProblems::default();
            let spec = SubnetSpec {
                cidr: cidr.into(),
                gateway: gateway.map(str::to_owned),
                ..SubnetSpec::default()
            };
            let context = SubnetContext {
                cidrs: &cidrs,
                others: &others,
            };
            subnet(&spec, context, &mut problems);
            let found: Vec<_> = problems.into_list().into_iter().map(|p| p.field).collect();
            assert_eq!(found, expected, "{cidr} {gateway:?}");
        }
    }
}
