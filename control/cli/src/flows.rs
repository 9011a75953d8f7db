//! `inlay flows`.

use clap::Args;
use inlay_dataplane::inspect::FlowView;

use crate::{
    Globals,
    output::{self, Format},
};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Only those of this port: its name, NETWORK/NAME, interface or slot
    #[arg(long)]
    port: Option<String>,
    /// Also those that are over and wait for their place to be taken
    #[arg(long)]
    all: bool,
}

const HEADINGS: [&str; 11] = [
    "network", "port", "proto", "local", "remote", "origin", "state", "host", "age", "idle", "rule",
];

pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<()> {
    let inspection = globals.inspect()?;
    let port = arguments
        .port
        .as_deref()
        .map(|port| inspection.port_slot(port))
        .transpose()?;
    let mut flows = inspection.flows()?;
    flows.retain(|flow| port.is_none_or(|slot| flow.port_slot == slot));
    let before = flows.len();
    flows.retain(|flow| arguments.all || !flow.is_expired);
    output::print(globals.output, "flows", &flows, &HEADINGS, row)?;
    let hidden = before - flows.len();
    if globals.output == Format::Table && hidden > 0 {
        output::line(&format!(
            "\n{hidden} that are over are not shown: add --all"
        ))?;
    }
    Ok(())
}

fn row(flow: &FlowView) -> Vec<String> {
    let mut state = flow.state.to_owned();
    if flow.is_expired {
        state.push_str(", over");
    } else if flow.is_stale {
        state.push_str(", stale");
    }
    vec![
        output::name_or(flow.network.as_ref(), flow.vni),
        output::name_or(flow.port.as_ref(), flow.port_slot),
        output::with(&flow.protocol, flow.icmp.as_ref()),
        flow.local.clone(),
        flow.remote.clone(),
        flow.origin.to_owned(),
        state,
        output::or_dash(flow.host.as_ref()),
        format!("{}s", flow.age_s),
        format!("{}s", flow.idle_s),
        output::or_dash(flow.rule.as_ref()),
    ]
}
