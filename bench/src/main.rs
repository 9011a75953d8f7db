//! Measures Inlay beside what it replaces. `cargo xtask bench` runs it; docs/benchmarks.md says how.

mod apply;
mod control;
mod frames;
mod network;
mod packets;
mod report;
mod world;
mod wrapper;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};

/// Measures Inlay beside what it replaces.
#[derive(Parser)]
struct Arguments {
    /// What to measure.
    bench: Bench,
    /// How often each measurement is made; the median counts.
    #[arg(long, default_value_t = 7)]
    rounds: u32,
    /// Where to write the numbers.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Bench {
    /// Nanoseconds a packet, program by program.
    Packets,
    /// Side by side with plain forwarding, VXLAN and SRv6, between namespaces.
    Network,
    /// A large change on its way to the maps, and the maps' memory.
    Apply,
    /// The manager with 500 simulated agents: from the API call to the hosts, large networks, reconnecting.
    Control,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let measured = match arguments.bench {
        Bench::Packets => packets::run(arguments.rounds)?,
        Bench::Network => network::run(arguments.rounds, &mut |line: &str| eprintln!("{line}"))?,
        Bench::Apply => apply::run(arguments.rounds)?,
        Bench::Control => control::run(arguments.rounds)?,
    };
    report::print(&measured);
    if let Some(path) = arguments.json {
        report::write_json(&path, &measured)?;
    }
    Ok(())
}
