//! `cargo xtask run`: the main job, from nothing: set-up, topology, manager, agents, two tenants' networks over the
//! API, and a table of who reaches whom. Then it stays, so that a person can look around; without a terminal, or with `--once`, it does not.

use std::io::IsTerminal as _;

use anyhow::{Result, ensure};

use crate::{build, checkout, process, setup, topology::Topology};

const TOPOLOGY: &str = "managed";

/// Shows it all. `once`: remove everything at the end instead of staying.
pub(crate) fn run(once: bool) -> Result<()> {
    let topology = Topology::find(TOPOLOGY)?;
    setup::setup()?;
    build::release()?;
    build::scenario()?;
    let stay = !once && std::io::stdin().is_terminal();
    topology.up()?;
    let (outcome, lines) = match topology.networks() {
        Ok(lines) => (check(), lines),
        Err(error) => (Err(error), String::new()),
    };
    look_further(&lines);
    if stay {
        wait_for_interrupt()?;
    }
    topology.down()?;
    outcome
}

fn check() -> Result<()> {
    let mut scenario = process::privileged(checkout::release("inlay-scenario")?);
    let status = scenario.arg(TOPOLOGY).status()?;
    ensure!(
        status.success(),
        "not everything is as expected: see the table above"
    );
    Ok(())
}

fn look_further(lines: &str) {
    println!("\nThe networks were made by these lines:\n\n{lines}");
    println!(
        "Look further while it is up (as root):
  /run/inlay/managed/inlay status
  /run/inlay/managed/inlay node list --project red --network main
  /run/inlay/managed/inlay network trace main --project red --from a --to 10.0.1.11 --proto tcp --dport 22
  nsenter --net=/run/netns/inlay-host1 target/release/inlay ports --instance host1
  nsenter --net=/run/netns/inlay-host1 target/release/inlay flows --instance host1
  nsenter --net=/run/netns/inlay-host1 target/release/inlay drops --follow --instance host1
  ip netns exec host1.red.main.a ping 10.0.1.11
  ip netns exec inlay-fabric tcpdump -ni host1 ip6"
    );
}

/// Until Ctrl-C, or the terminal's end.
fn wait_for_interrupt() -> Result<()> {
    use nix::sys::signal::{SigSet, Signal};
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block()?;
    println!("\nIt stays up until Ctrl-C.");
    signals.wait()?;
    println!();
    Ok(())
}
