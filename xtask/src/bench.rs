//! `cargo xtask bench`: all set-up, release builds, and what the crate `bench` measures beside what it
//! replaces. Each bench prints a table and writes it to `target/bench/NAME.json`.
//!
//! `network` needs the topology two-hosts with its agents: it is up just as long as that.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::topology::Topology;
use crate::{build, checkout, process, setup};

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bench {
    /// Nanoseconds a packet, through the loaded programs
    Packets,
    /// Two nodes on two hosts, beside plain IPv6, VXLAN and SRv6
    Network,
    /// How long a host's whole state takes into the maps, and their memory
    Apply,
    /// The manager with 500 simulated agents: from the API call to the hosts, large networks, reconnecting
    Control,
    /// Each of them
    All,
}

impl Bench {
    fn parts(self) -> &'static [Self] {
        match self {
            Self::Packets => &[Self::Packets],
            Self::Network => &[Self::Network],
            Self::Apply => &[Self::Apply],
            Self::Control => &[Self::Control],
            Self::All => &[Self::Packets, Self::Network, Self::Apply, Self::Control],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Packets => "packets",
            Self::Network => "network",
            Self::Apply => "apply",
            Self::Control => "control",
            Self::All => "all",
        }
    }
}

/// Measures, `rounds` times each; the medians count.
pub(crate) fn bench(bench: Bench, rounds: u32) -> Result<()> {
    setup::setup()?;
    build::release()?;
    process::openly(process::cargo().args(["build", "--release", "--package", "inlay-bench"]))?;
    let program = checkout::release("inlay-bench")?;
    // Made here, so that it is not root's where only the measuring is done as root.
    let results = checkout::metadata()?.target_directory.join("bench");
    std::fs::create_dir_all(&results)
        .with_context(|| format!("cannot make {}", results.display()))?;
    for part in bench.parts() {
        measure(*part, rounds, &program, &results)?;
    }
    eprintln!("numbers are in {}", results.display());
    Ok(())
}

/// Runs one bench, as root: it loads programs and enters namespaces.
fn measure(part: Bench, rounds: u32, program: &Path, results: &Path) -> Result<()> {
    let _topology = (part == Bench::Network).then(Up::bring).transpose()?;
    process::openly(&mut command(part, rounds, program, results))
}

fn command(part: Bench, rounds: u32, program: &Path, results: &Path) -> Command {
    let mut command = process::privileged(program);
    command.args(["--rounds", &rounds.to_string(), "--json"]);
    command.arg(results.join(format!("{}.json", part.name())));
    command.arg(part.name());
    command
}

/// The topology two-hosts, as long as this lives.
struct Up(Topology);

impl Up {
    fn bring() -> Result<Self> {
        // First, so that a topology that comes up halfway is removed too.
        let up = Self(Topology::find("two-hosts")?);
        up.0.up()?;
        Ok(up)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Err(error) = self.0.down() {
            eprintln!("two-hosts is still up: {error:#}; type cargo xtask down");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_each_of_the_others() {
        let others = Bench::value_variants()
            .iter()
            .filter(|bench| **bench != Bench::All);
        assert!(others.eq(Bench::All.parts()));
    }

    #[test]
    fn each_bench_writes_a_file_of_its_own() {
        let command = command(
            Bench::Packets,
            3,
            Path::new("inlay-bench"),
            Path::new("bench"),
        );
        let words = process::shown(&command);
        assert!(
            words.ends_with("inlay-bench --rounds 3 --json bench/packets.json packets"),
            "{words}"
        );
    }
}
