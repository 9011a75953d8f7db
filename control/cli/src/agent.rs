//! `inlay agent`: the daemon.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    str::FromStr as _,
};

use clap::Args;
use inlay_agent::{
    ManagedOptions, StaticOptions,
    config::{self, AgentConfig, LogFormat},
    join::JoinTarget,
    run_managed, run_static,
};
use tracing_subscriber::EnvFilter;

use crate::Globals;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The agent's own configuration; what the host is to do, its manager says
    #[arg(long, value_name = "FILE", default_value = config::PATH)]
    config: PathBuf,
    /// Joins a manager, once: with a token as `inlay host token` prints it
    #[arg(
        long,
        value_name = "TOKEN@MANAGER[:PORT]",
        env = "INLAY_JOIN",
        hide_env_values = true
    )]
    join: Option<String>,
    /// Joins even where this host has joined before, and replaces that
    #[arg(long, requires = "join")]
    rejoin: bool,
    /// The desired state of this host, as YAML, instead of a manager; it is applied again when it changes
    #[arg(long = "static", value_name = "FILE", conflicts_with_all = ["config", "join"])]
    file: Option<PathBuf>,
    /// Applies the file and ends; the dataplane stays
    #[arg(long, requires = "file")]
    once: bool,
    /// Logs what becomes of packets that start or change a flow: for debugging, it costs each of them
    #[arg(long)]
    packet_log: bool,
}

pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.file {
        Some(file) => follow_file(globals, arguments, file),
        None => follow_manager(globals, arguments),
    }
}

fn follow_file(globals: &Globals, arguments: &Arguments, file: &Path) -> anyhow::Result<()> {
    log(arguments, LogFormat::Text);
    runtime()?.block_on(run_static(StaticOptions {
        file: file.to_owned(),
        instance: globals.instance.clone(),
        once: arguments.once,
        packet_log: arguments.packet_log,
    }))
}

fn follow_manager(globals: &Globals, arguments: &Arguments) -> anyhow::Result<()> {
    // The name that stands where nothing was asked for leaves it to the file.
    let asked = Some(globals.instance.as_str()).filter(|instance| *instance != "default");
    let config = AgentConfig::read(&arguments.config, asked)?;
    log(arguments, config.log_format);
    // Not by clap, which would repeat a token that it refuses.
    let join = arguments.join.as_deref().map(JoinTarget::from_str);
    runtime()?.block_on(run_managed(ManagedOptions {
        config,
        join: join.transpose()?,
        rejoin: arguments.rejoin,
        packet_log: arguments.packet_log,
    }))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

fn log(arguments: &Arguments, format: LogFormat) {
    let default = if arguments.packet_log {
        "info,inlay_xdp=debug"
    } else {
        "info"
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => subscriber.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => subscriber.json().init(),
    }
}
