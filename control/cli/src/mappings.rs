//! `inlay mappings`.

use clap::Args;
use inlay_dataplane::inspect::MappingView;

use crate::{Globals, output};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Only those of this network, by name or number
    #[arg(long)]
    network: Option<String>,
}

const HEADINGS: [&str; 6] = ["network", "address", "host", "prefix", "port", "groups"];

pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<()> {
    let mut mappings = globals.inspect()?.mappings()?;
    if let Some(meant) = &arguments.network {
        mappings.retain(|mapping| {
            mapping.network.as_ref() == Some(meant) || mapping.vni.to_string() == *meant
        });
    }
    output::print(globals.output, "mappings", &mappings, &HEADINGS, row)
}

fn row(mapping: &MappingView) -> Vec<String> {
    let port = mapping
        .port_slot
        .map(|slot| output::name_or(mapping.port.as_ref(), slot));
    vec![
        output::name_or(mapping.network.as_ref(), mapping.vni),
        mapping.virtual_ip.clone(),
        output::name_or(mapping.host.as_ref(), mapping.host_slot),
        mapping.prefix.clone(),
        output::or_dash(port),
        mapping.groups.clone(),
    ]
}
