//! `inlay agent`: the daemon.

use std::{io::IsTerminal as _, path::PathBuf};

use clap::Args;
use inlay_agent::{StaticOptions, run_static};
use tracing_subscriber::EnvFilter;

use crate::Globals;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The desired state of this host, as YAML; it is applied again when it changes
    #[arg(long = "static", value_name = "FILE")]
    file: PathBuf,
    /// Applies the file and ends; the dataplane stays
    #[arg(long)]
    once: bool,
    /// Logs what becomes of packets that start or change a flow: for debugging, it costs each of them
    #[arg(long)]
    packet_log: bool,
}

pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<()> {
    let default = if arguments.packet_log {
        "info,inlay_xdp=debug"
    } else {
        "info"
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let options = StaticOptions {
        file: arguments.file.clone(),
        instance: globals.instance.clone(),
        once: arguments.once,
        packet_log: arguments.packet_log,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run_static(options))
}
