//! Checks of subnets: inside their network, apart from each other, with a gateway.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::field_path::FieldPath;
use crate::limits::SUBNET_PREFIX_LEN_MAX;
use crate::problem::Problems;
use crate::raw::RawSubnet;
use crate::{AclIndex, RouteTableIndex, Subnet};

use super::address;
use super::context::name;
use super::names::Names;

/// The subnets of a network that hold, by their place, and a way from an address to them.
pub(super) struct Subnets {
    list: Vec<Option<Subnet>>,
    by_first_address: BTreeMap<Ipv4Addr, usize>,
}

impl Subnets {
    pub(super) fn check(
        raw: &[RawSubnet],
        cidrs: &[Option<Ipv4Net>],
        names: &Names<'_>,
        path: &FieldPath<'_>,
        problems: &mut Problems,
    ) -> Self {
        let places = raw.iter().enumerate();
        let list: Vec<_> = places
            .map(|(place, raw)| subnet(raw, cidrs, names, &path.element(place), problems))
            .collect();
        let read: Vec<_> = list
            .iter()
            .enumerate()
            .filter_map(|(place, subnet)| Some((place, subnet.as_ref()?.cidr)))
            .collect();
        let path_of = |place| path.element(place).field("cidr").to_string();
        address::refuse_overlaps(&read, path_of, "keep the subnets apart", problems);
        let by_first_address = read
            .iter()
            .map(|(place, cidr)| (cidr.network(), *place))
            .collect();
        Self {
            list,
            by_first_address,
        }
    }

    /// The subnet that `address` is in, with its place.
    pub(super) fn of(&self, address: Ipv4Addr) -> Option<(usize, &Subnet)> {
        let (_, &place) = self.by_first_address.range(..=address).next_back()?;
        let subnet = self.list.get(place)?.as_ref()?;
        subnet.cidr.contains(&address).then_some((place, subnet))
    }

    /// Whether each subnet could be read, so that an address in none of them is the node's fault.
    pub(super) fn are_complete(&self) -> bool {
        self.list.iter().all(Option::is_some)
    }

    /// The CIDRs that nodes may choose from, as they are told: the first few.
    pub(super) fn told(&self) -> String {
        const TOLD_MAX: usize = 4;
        let mut told: Vec<String> = self
            .list
            .iter()
            .flatten()
            .take(TOLD_MAX)
            .map(|subnet| subnet.cidr.to_string())
            .collect();
        if self.list.len() > TOLD_MAX {
            told.push("another".to_owned());
        }
        told.join(" or ")
    }

    pub(super) fn into_list(self) -> Vec<Subnet> {
        self.list.into_iter().flatten().collect()
    }
}

fn subnet(
    raw: &RawSubnet,
    cidrs: &[Option<Ipv4Net>],
    names: &Names<'_>,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Option<Subnet> {
    let name = name(&raw.name, path, problems);
    let cidr = subnet_cidr(&raw.cidr, cidrs, &path.field("cidr"), problems);
    let gateway = cidr.and_then(|cidr| {
        gateway(
            raw.gateway.as_deref(),
            cidr,
            &path.field("gateway"),
            problems,
        )
    });
    let acl = names.acl(raw.acl.as_deref(), &path.field("acl"), problems);
    let path = path.field("route_table");
    let route_table = names.route_table(raw.route_table.as_deref(), &path, problems);
    Some(Subnet {
        name: name?,
        cidr: cidr?,
        gateway: gateway?,
        acl: acl.map(AclIndex::new),
        route_table: route_table.map(RouteTableIndex::new),
    })
}

pub(super) fn subnet_cidr(
    text: &str,
    cidrs: &[Option<Ipv4Net>],
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Option<Ipv4Net> {
    let cidr = address::take_cidr(text, path, problems)?;
    if cidr.prefix_len() > SUBNET_PREFIX_LEN_MAX {
        let message = format!(
            "{cidr} has no room for a gateway and a node; use /{SUBNET_PREFIX_LEN_MAX} or wider"
        );
        problems.add(path, message);
        return None;
    }
    let inside = cidrs
        .iter()
        .flatten()
        .any(|network| network.contains(&cidr));
    // Where a cidr of the network is missing or wrong, that is the problem.
    if !inside && !cidrs.is_empty() && cidrs.iter().all(Option::is_some) {
        let told: Vec<_> = cidrs.iter().flatten().map(Ipv4Net::to_string).collect();
        let told = told.join(" or ");
        let message =
            format!("{cidr} is in no cidr of the network; choose it inside {told}, or add a cidr");
        problems.add(path, message);
    }
    Some(cidr)
}

pub(super) fn gateway(
    raw: Option<&str>,
    cidr: Ipv4Net,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Option<Ipv4Addr> {
    let first_usable = Ipv4Addr::from_bits(cidr.network().to_bits() + 1);
    let Some(text) = raw else {
        return Some(first_usable);
    };
    let gateway = problems.take(path, address::address(text))?;
    let usable = gateway != cidr.network() && gateway != cidr.broadcast();
    if !cidr.contains(&gateway) || !usable {
        let message =
            format!("{gateway} is no usable address of {cidr}; choose one, like {first_usable}");
        problems.add(path, message);
    }
    Some(gateway)
}
