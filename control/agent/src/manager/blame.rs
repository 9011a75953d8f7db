//! Which resource a problem of the built state is about. Pure.

use inlay_api::{
    Problem,
    raw::RawNetwork,
    wire::{HOST_SCOPE, agent::Kind},
};

use super::{held::ResourceKey, state::Built};

/// Fields of a node that its attachment has, and not its node resource.
const OF_ATTACHMENT: [&str; 3] = ["interface", "flows_max", "new_flows_per_s"];

/// The resources that `problem` is about; none where it is about the whole.
pub(super) fn resources(built: &Built, problem: &Problem) -> Vec<ResourceKey> {
    let mut steps = problem.path.split('.');
    let (Some((first, place)), rest) = (steps.next().map(step), steps.collect::<Vec<_>>()) else {
        return Vec::new();
    };
    match (first, place) {
        ("host", _) => vec![ResourceKey::new(HOST_SCOPE, Kind::HostSettings, "")],
        ("hosts", Some(place)) => host(built, place),
        ("networks", Some(place)) => {
            let network = built.raw.networks.get(place);
            network
                .map(|network| in_network(built, network, &rest))
                .unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// `nodes[2]` as name and place.
fn step(text: &str) -> (&str, Option<usize>) {
    let Some((name, place)) = text.split_once('[') else {
        return (text, None);
    };
    (name, place.trim_end_matches(']').parse().ok())
}

/// A host is named in each network that has a node on it.
fn host(built: &Built, place: usize) -> Vec<ResourceKey> {
    let (Some(host), Some(scopes)) = (built.raw.hosts.get(place), built.host_scopes.get(place))
    else {
        return Vec::new();
    };
    let key = |vni: &u32| ResourceKey::new(*vni, Kind::Host, &host.name);
    scopes.iter().map(key).collect()
}

fn in_network(built: &Built, network: &RawNetwork, steps: &[&str]) -> Vec<ResourceKey> {
    let Ok(vni) = u32::try_from(network.vni) else {
        return Vec::new();
    };
    let whole = || vec![ResourceKey::new(vni, Kind::Network, "")];
    let Some((list, Some(place))) = steps.first().map(|text| step(text)) else {
        return whole();
    };
    let (kind, name) = match list {
        "subnets" => (Kind::Subnet, network.subnets.get(place).map(|it| &it.name)),
        "route_tables" => (
            Kind::RouteTable,
            network.route_tables.get(place).map(|it| &it.name),
        ),
        "security_groups" => (
            Kind::SecurityGroup,
            network.security_groups.get(place).map(|it| &it.name),
        ),
        "acls" => (Kind::Acl, network.acls.get(place).map(|it| &it.name)),
        "nodes" => (Kind::Node, network.nodes.get(place).map(|it| &it.name)),
        _ => return whole(),
    };
    let Some(name) = name else {
        return Vec::new();
    };
    let is_of_attachment = kind == Kind::Node
        && steps
            .get(1)
            .is_some_and(|field| OF_ATTACHMENT.contains(field));
    if is_of_attachment && let Some(key) = attachment(built, vni, name) {
        return vec![key];
    }
    vec![ResourceKey::new(vni, kind, name)]
}

fn attachment(built: &Built, vni: u32, node: &str) -> Option<ResourceKey> {
    let mut attachments = built.attachments.iter();
    let found = attachments.find(|(_, it)| (it.vni, it.node.as_str()) == (vni, node));
    found.map(|(key, _)| key.clone())
}
