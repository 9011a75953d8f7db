//! `inlay ports`.

use inlay_dataplane::{inspect::PortView, labels::Missing};

use crate::{
    Globals,
    output::{self, Format},
};

const HEADINGS: [&str; 9] =
    ["slot", "port", "network", "vni", "addresses", "mac", "interface", "flows", "state"];

pub(crate) fn run(globals: &Globals) -> anyhow::Result<()> {
    let ports = globals.inspect()?.ports()?;
    output::print(globals.output, "ports", &ports, &HEADINGS, row)?;
    if globals.output == Format::Table {
        for port in &ports {
            for reason in &port.degraded {
                output::line(&format!("{} is degraded: {reason}", port.full_name()))?;
            }
        }
        for missing in others(&globals.instance, &ports)? {
            output::line(&text(&missing))?;
        }
    }
    Ok(())
}

/// What is desired and is no port, or none that works: uplinks, interfaces that are not there.
fn others(instance: &str, ports: &[PortView]) -> anyhow::Result<Vec<Missing>> {
    let is_port = |missing: &Missing| {
        ports.iter().any(|port| port.interface.as_ref() == Some(&missing.interface))
    };
    let mut others = Missing::read(instance)?;
    others.retain(|missing| !is_port(missing));
    Ok(others)
}

fn text(missing: &Missing) -> String {
    let Missing { interface, network, node, reason } = missing;
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
