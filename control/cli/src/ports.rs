//! `inlay ports`.

use inlay_dataplane::{inspect::PortView, labels::Missing};
use serde::Serialize;

use crate::{
    Globals,
    output::{self, Format},
};

const HEADINGS: [&str; 9] = [
    "slot",
    "port",
    "network",
    "vni",
    "addresses",
    "mac",
    "interface",
    "flows",
    "state",
];

/// What JSON and YAML hold: no less than the table and the lines below it.
#[derive(Serialize)]
struct Document<'a> {
    ports: &'a [PortView],
    /// Uplinks that lack something, and nodes whose interface is not there.
    missing: Vec<&'a Missing>,
}

pub(crate) fn run(globals: &Globals) -> anyhow::Result<()> {
    let inspection = globals.inspect()?;
    let ports = &inspection.ports()?;
    let missing = others(&inspection.report.missing, ports).collect();
    if globals.output != Format::Table {
        return output::document(globals.output, &Document { ports, missing });
    }
    output::print(globals.output, "ports", ports, &HEADINGS, row)?;
    for port in ports {
        for reason in &port.degraded {
            output::line(&format!("{} is degraded: {reason}", port.full_name()))?;
        }
    }
    missing
        .into_iter()
        .try_for_each(|missing| output::line(&text(missing)))
}

/// What is desired and is no port that is shown: uplinks, interfaces that are not there.
fn others<'a>(missing: &'a [Missing], ports: &[PortView]) -> impl Iterator<Item = &'a Missing> {
    missing.iter().filter(|missing| {
        !ports
            .iter()
            .any(|port| port.interface.as_ref() == Some(&missing.interface))
    })
}

fn text(missing: &Missing) -> String {
    let Missing {
        interface,
        network,
        node,
        reason,
    } = missing;
    match (network, node) {
        (Some(network), Some(node)) => {
            format!("{network}/{node} ({interface}) is degraded: {reason}")
        }
        _ => format!("{interface} is degraded: {reason}"),
    }
}

fn row(port: &PortView) -> Vec<String> {
    let state = match (port.is_attached, port.degraded.is_empty()) {
        (false, _) => "not attached",
        (true, false) => "degraded",
        (true, true) => "ok",
    };
    vec![
        port.slot.to_string(),
        output::or_dash(port.name.as_ref()),
        output::or_dash(port.network.as_ref()),
        port.vni.to_string(),
        port.addresses.join(", "),
        port.mac.clone(),
        output::name_or(port.interface.as_ref(), port.interface_index),
        format!("{}/{}", port.flows, port.flows_max),
        state.to_owned(),
    ]
}
