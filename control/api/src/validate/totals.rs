//! Limits that hold over all networks together.

use crate::field_path::FieldPath::Root;
use crate::limits::{
    ACLS_MAX, FLOWS_MAX, LOCAL_PORTS_MAX, MAPPINGS_MAX, PORT_FLOWS, PORT_FLOWS_DEFAULT,
    ROUTE_TABLES_MAX, SECURITY_GROUPS_MAX, SUBNETS_MAX,
};
use crate::problem::Problems;
use crate::raw::{RawNetwork, RawNode, RawState};

/// Adds a problem for each limit that the state is over.
pub(super) fn check(raw: &RawState, problems: &mut Problems) {
    let sum = |count: &dyn Fn(&RawNetwork) -> usize| raw.networks.iter().map(count).sum::<usize>();
    let ports = local_nodes(raw).count();
    let totals = [
        ("subnets", sum(&|it| it.subnets.len()), SUBNETS_MAX),
        (
            "route tables",
            sum(&|it| it.route_tables.len()),
            ROUTE_TABLES_MAX,
        ),
        (
            "security groups",
            sum(&|it| it.security_groups.len()),
            SECURITY_GROUPS_MAX,
        ),
        ("ACLs", sum(&|it| it.acls.len()), ACLS_MAX),
        (
            "addresses of nodes",
            sum(&|it| it.nodes.iter().map(|n| n.addresses.len()).sum()),
            MAPPINGS_MAX,
        ),
        ("ports on this host", ports, LOCAL_PORTS_MAX),
    ];
    for (what, found, max) in totals {
        if found > max {
            let rest = found - max;
            let message =
                format!("{found} {what} in all networks are more than {max}; take {rest} out");
            problems.add(&Root.field("networks"), message);
        }
    }
    check_flows(raw, problems);
}

fn local_nodes(raw: &RawState) -> impl Iterator<Item = &RawNode> {
    let nodes = raw.networks.iter().flat_map(|network| &network.nodes);
    nodes.filter(|node| node.host == raw.host.name || node.is_prepared)
}

fn check_flows(raw: &RawState, problems: &mut Problems) {
    let flows_per_port = raw.host.flows_per_port.unwrap_or(PORT_FLOWS_DEFAULT);
    let own: u64 = local_nodes(raw)
        .filter_map(|node| node.flows_max)
        .fold(0, u64::saturating_add);
    let ports = local_nodes(raw).count();
    let defaulted = local_nodes(raw)
        .filter(|node| node.flows_max.is_none())
        .count();
    let defaulted = u64::try_from(defaulted).unwrap_or(u64::MAX);
    let found = defaulted.saturating_mul(flows_per_port).saturating_add(own);
    if found <= FLOWS_MAX {
        return;
    }
    let remedy = match flows_that_fit(own, defaulted) {
        Some(fit) => format!("lower flows_per_port to {fit}"),
        None => "lower flows_max of nodes and flows_per_port, or move nodes".to_owned(),
    };
    let message = format!(
        "the {ports} ports of this host ask for {found} flows, more than {FLOWS_MAX}; {remedy}"
    );
    problems.add(&Root.field("host").field("flows_per_port"), message);
}

/// The greatest `flows_per_port` with which the ports that take it fit beside what others ask for.
fn flows_that_fit(own: u64, defaulted: u64) -> Option<u64> {
    let each = FLOWS_MAX.checked_sub(own)?.checked_div(defaulted)?;
    let fit = 1_u64 << each.checked_ilog2()?;
    (fit >= *PORT_FLOWS.start()).then_some(fit)
}
