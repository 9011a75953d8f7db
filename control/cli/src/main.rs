//! The `inlay` command: a host's agent, one view per question of its dataplane, and a client of the manager.

mod agent;
mod apply;
mod client;
mod counters;
#[cfg(test)]
mod documentation;
mod drops;
mod explain;
mod flows;
mod manager;
mod manual;
mod mappings;
mod maps;
mod output;
mod ports;
mod rules;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use inlay_dataplane::{Error, PIN_ROOT, inspect::Inspection};

use crate::{client::failure::Failure, output::Format};

/// `explain` says that the packet is dropped.
const EXIT_DROPPED: u8 = 3;
/// What was typed names nothing: as clap's own.
const EXIT_USAGE: u8 = 2;

/// Private IPv4 networks over an IPv6 fabric.
#[derive(Debug, Parser)]
#[command(
    name = "inlay",
    version,
    after_help = "Verbs of a host (agent, maps, ports, mappings, flows, rules, counters, drops, explain, node exec) ask \
                  this host's dataplane and need no manager; the others ask the manager of the context.\n\n\
                  Exit codes: 0 done; 1 it failed; 2 it was not typed right; 3 `explain` or `network trace` says: \
                  dropped; 4 what was named is not there; 5 it is there already, is still used, or was changed \
                  meanwhile; 6 it is done, and not every host has it in time."
)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Args, Debug)]
struct Globals {
    /// The dataplane that is meant: one for each network namespace that has one
    #[arg(long, global = true, default_value = "default", env = "INLAY_INSTANCE")]
    instance: String,
    /// How it is printed
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// The context that says which manager is meant; the current one if left out
    #[arg(long, global = true, env = "INLAY_CONTEXT")]
    context: Option<String>,
    /// The directory of bpffs that holds the pins of all instances
    #[arg(long, global = true, default_value = PIN_ROOT, hide = true)]
    pin_root: PathBuf,
}

impl Globals {
    fn inspect(&self) -> Result<Inspection, Error> {
        let inspection = Inspection::open(&self.pin_root, &self.instance)?;
        if inspection.labels == inlay_dataplane::labels::Labels::default() {
            let instance = &self.instance;
            eprintln!("no agent of instance {instance} has left names: there are numbers instead");
        }
        Ok(inspection)
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Keeps this host's dataplane as a file says, and goes on when the file changes
    Agent(agent::Arguments),
    /// The manager: its first start, the daemon, and copies of its database
    #[command(subcommand)]
    Manager(manager::Verb),
    /// The BPF maps: what they cost, and what is in them
    #[command(subcommand)]
    Maps(maps::Verb),
    /// The ports of this host, and what is wrong with them; `inlay port list` asks the manager
    Ports,
    /// Which host has which address
    Mappings(mappings::Arguments),
    /// The flows that are remembered
    Flows(flows::Arguments),
    /// The rules that are in force, decoded from the maps
    Rules(rules::Arguments),
    /// Packets and bytes of each port
    Counters(counters::Arguments),
    /// What was dropped, and why
    Drops(drops::Arguments),
    /// What would become of a packet: asks the loaded program, and changes nothing
    Explain(explain::Arguments),
    #[command(flatten)]
    Client(Box<client::command::Verb>),
    /// Prints what makes a shell complete this command
    Completions(manual::Completions),
    /// Prints the manual page, or writes those of all verbs
    Man(manual::Man),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(code) => code,
        Err(error) if is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("inlay: {error:#}");
            exit_code(&error)
        }
    }
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return ExitCode::from(failure.exit_code());
    }
    match error.downcast_ref() {
        Some(Error::Input { .. }) => ExitCode::from(EXIT_USAGE),
        _ => ExitCode::FAILURE,
    }
}

/// Whoever read the output has seen enough.
fn is_closed(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let globals = &cli.globals;
    match &cli.verb {
        Verb::Agent(arguments) => agent::run(globals, arguments)?,
        Verb::Manager(verb) => manager::run(globals, verb)?,
        Verb::Maps(verb) => maps::run(globals, verb)?,
        Verb::Ports => ports::run(globals)?,
        Verb::Mappings(arguments) => mappings::run(globals, arguments)?,
        Verb::Flows(arguments) => flows::run(globals, arguments)?,
        Verb::Rules(arguments) => rules::run(globals, arguments)?,
        Verb::Counters(arguments) => counters::run(globals, arguments)?,
        Verb::Drops(arguments) => drops::run(globals, arguments)?,
        Verb::Explain(arguments) => return explain::run(globals, arguments),
        Verb::Client(verb) => return verb.run(globals),
        Verb::Completions(arguments) => arguments.run(Cli::command())?,
        Verb::Man(arguments) => arguments.run(Cli::command())?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn is_taken(line: &str) -> bool {
        Cli::try_parse_from(line.split(' ')).is_ok()
    }

    #[test]
    fn what_is_typed() {
        for line in [
            "inlay agent --static host.yaml --instance host1",
            "inlay manager init --config manager.yaml -o json",
            "inlay manager backup copy.db --replace",
            "inlay agent",
            "inlay agent --config agent.yaml --instance host1",
            "inlay --instance host1 ports -o json",
            "inlay maps get MAPPINGS 100/10.0.1.10",
            "inlay counters --watch",
            "inlay drops --follow -o yaml",
            "inlay rules --port red-a",
            "inlay explain --port red-a --to 10.0.1.11 --proto tcp --dport 22",
            "inlay explain --port red-a --to 10.0.1.11 --proto icmp",
        ] {
            assert!(is_taken(line), "{line}");
        }
        for line in [
            "inlay",
            "inlay manager",
            "inlay manager backup",
            "inlay agent --rejoin",
            "inlay agent --once",
            "inlay agent --static host.yaml --config agent.yaml",
            "inlay ports -o xml",
            "inlay maps get MAPPINGS",
            "inlay explain --port red-a --to 10.0.1.11 --proto tcp",
            "inlay explain --port red-a --to 2001:db8::1 --proto icmp",
            "inlay explain --port red-a --to 10.0.1.11 --proto tcp --dport 65536",
        ] {
            assert!(!is_taken(line), "{line}");
        }
    }
}
