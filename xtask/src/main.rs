//! The project's own commands: `cargo xtask setup|build|test|bench|tidy|up|down`.
//!
//! Whatever needs the machine to be prepared calls `setup` itself, so that one command is enough on a
//! fresh machine. Nothing here is part of the product: no crate depends on this one, and it depends on
//! none of ours; it drives `cargo`, the `inlay` binary and the scripts in `netns-scripts/` from outside.

mod bench;
mod build;
mod checkout;
mod process;
mod progress;
mod run;
mod setup;
mod test;
mod tidy;
mod topology;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Find or install all that building and testing need. Other verbs do this by themselves
    Setup,
    /// Build the release binary `inlay`
    Build,
    /// Show it: two hosts, two tenants with the same addresses, and who reaches whom
    Run {
        /// Remove everything at the end instead of staying up until Ctrl-C
        #[arg(long)]
        once: bool,
    },
    /// Run every check and every test
    Test {
        /// Arguments for the test binaries, such as a part of a test's name
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Measure Inlay beside what it replaces; one table and one JSON file each
    Bench {
        /// What to measure
        #[arg(value_enum, default_value = "all")]
        bench: bench::Bench,
        /// How often everything is measured; the medians count
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
        rounds: u32,
    },
    /// Check the source tree: directions of dependencies, file headers and sizes
    Tidy,
    /// Bring up a topology of network namespaces, with its agents running
    Up {
        /// A script in netns-scripts, by its name
        #[arg(default_value = "two-hosts")]
        topology: String,
    },
    /// Remove every trace of a topology, also after a crash
    Down {
        /// A script in netns-scripts, by its name; all of them if left out
        topology: Option<String>,
    },
}

fn main() -> ExitCode {
    let Err(error) = dispatch(Arguments::parse().verb) else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

fn dispatch(verb: Verb) -> Result<()> {
    match verb {
        Verb::Setup => setup::setup(),
        Verb::Build => build::build(),
        Verb::Run { once } => run::run(once),
        Verb::Test { arguments } => test::test(&arguments),
        Verb::Bench { bench, rounds } => bench::bench(bench, rounds),
        Verb::Tidy => tidy::tidy(),
        Verb::Up { topology } => topology::up(&topology),
        Verb::Down { topology } => topology::down(topology.as_deref()),
    }
}
