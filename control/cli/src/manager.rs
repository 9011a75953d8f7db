//! `inlay manager`: the daemon, its first start, and copies of its database.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use inlay_manager::{
    config::{LogFormat, ManagerConfig},
    init::{Initialised, init, make_directory},
    run::run as run_manager,
    store::sqlite::{Existing, backup, restore},
};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::{
    Globals,
    output::{self, Format},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Makes database, CA and the operator's first token, which is printed this once
    Init(Configured),
    /// Runs the manager until SIGTERM
    Run(Configured),
    /// Copies the database to a file, while the manager runs or not
    Backup(Copied),
    /// Puts a copy in the database's place; the manager must not run
    Restore(Copied),
}

#[derive(Args, Debug)]
pub(crate) struct Configured {
    /// The manager's configuration, YAML
    #[arg(long, value_name = "FILE", default_value = "/etc/inlay/manager.yaml")]
    config: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Copied {
    /// The copy: it has everything that the manager has, its CA's key too
    file: PathBuf,
    /// Replaces what is there already; `restore` keeps it beside the new one
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    configured: Configured,
}

impl Configured {
    fn read(&self) -> anyhow::Result<ManagerConfig> {
        Ok(ManagerConfig::read(&self.config)?)
    }
}

impl Copied {
    fn existing(&self) -> Existing {
        if self.replace {
            Existing::Replace
        } else {
            Existing::Refuse
        }
    }
}

/// A copy that was made, or put in place.
#[derive(Serialize)]
struct Copy<'a> {
    file: &'a Path,
    revision: u64,
}

pub(crate) fn run(globals: &Globals, verb: &Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Init(configured) => initialise(globals, &configured.read()?),
        Verb::Run(configured) => serve(&configured.read()?),
        Verb::Backup(copied) => save(globals, copied),
        Verb::Restore(copied) => bring_back(globals, copied),
    }
}

fn initialise(globals: &Globals, config: &ManagerConfig) -> anyhow::Result<()> {
    let made = runtime()?.block_on(init(config))?;
    if globals.output != Format::Table {
        return output::document(globals.output, &made);
    }
    let Initialised {
        admin_token,
        fingerprint,
        api_url,
        ..
    } = &made;
    output::line(&format!(
        "API          {api_url}\n\
         CA           {}\n\
         fingerprint  {fingerprint}\n\
         token        {admin_token}\n\n\
         The token is not shown again. Run the manager: inlay manager run",
        config.authority().display()
    ))
}

fn serve(config: &ManagerConfig) -> anyhow::Result<()> {
    log(config.log_format);
    runtime()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let asked = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        run_manager(config, asked).await
    })
}

fn save(globals: &Globals, copied: &Copied) -> anyhow::Result<()> {
    let config = copied.configured.read()?;
    let bar = bar();
    let mut progress = |done, total| advance(&bar, done, total);
    let saved = backup(
        &config.database(),
        &copied.file,
        copied.existing(),
        &mut progress,
    )?;
    bar.finish_and_clear();
    tell(globals, &copied.file, saved.revision, "saved in")
}

fn bring_back(globals: &Globals, copied: &Copied) -> anyhow::Result<()> {
    let config = copied.configured.read()?;
    make_directory(&config.data_dir)?;
    let bar = bar();
    let mut progress = |done, total| advance(&bar, done, total);
    let restored = restore(
        &copied.file,
        &config.database(),
        copied.existing(),
        &mut progress,
    )?;
    bar.finish_and_clear();
    tell(
        globals,
        &config.database(),
        restored.revision,
        "restored to",
    )
}

fn tell(globals: &Globals, file: &Path, revision: u64, what: &str) -> anyhow::Result<()> {
    match globals.output {
        Format::Table => output::line(&format!("revision {revision} is {what} {}", file.display())),
        format => output::document(format, &Copy { file, revision }),
    }
}

/// Seen on a terminal alone.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {percent}% of {len} pages");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn advance(bar: &ProgressBar, done: u64, total: u64) {
    bar.set_length(total);
    bar.set_position(done);
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
