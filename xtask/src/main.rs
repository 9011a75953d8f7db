//! The project's own commands: `cargo xtask setup|build|test|tidy|up|down`.
//!
//! Whatever needs the machine to be prepared calls `setup` itself, so that one command is enough on a
//! fresh machine. Nothing here is part of the product: no crate depends on this one, and it depends on
//! none of ours; it drives `cargo`, the `inlay` binary and the scripts in `netns-scripts/` from outside.

mod build;
mod checkout;
mod process;
mod progress;
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
    /// Run every check and every test
    Test {
        /// Arguments for the test binaries, such as a part of a test's name
        #[arg(last = true)]
        arguments: Vec<String>,
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
    let Err(error) = run(Arguments::parse().verb) else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::Setup => setup::setup(),
        Verb::Build => build::build(),
        Verb::Test { arguments } => test::test(&arguments),
        Verb::Tidy => tidy::tidy(),
        Verb::Up { topology } => topology::up(&topology),
        Verb::Down { topology } => topology::down(topology.as_deref()),
    }
}
