//! `cargo xtask run`: the main job, from nothing: set-up, topology, agents, and a table of who reaches
//! whom. Then it stays, so that a person can look around; without a terminal, or with `--once`, it does not.

use std::io::IsTerminal as _;

use anyhow::{Result, ensure};

use crate::{build, checkout, process, setup, topology::Topology};

const TOPOLOGY: &str = "two-hosts";

/// Shows it all. `once`: remove everything at the end instead of staying.
pub(crate) fn run(once: bool) -> Result<()> {
    let topology = Topology::find(TOPOLOGY)?;
    setup::setup()?;
    build::release()?;
    build::scenario()?;
    let stay = !once && std::io::stdin().is_terminal();
    topology.up()?;
    let outcome = check();
    look_further();
    if stay {
        wait_for_interrupt()?;
    }
    topology.down()?;
    outcome
}

fn check() -> Result<()> {
    let mut scenario = process::privileged(checkout::release("inlay-scenario")?);
    let status = scenario.status()?;
    ensure!(
        status.success(),
        "not everything is as expected: see the table above"
    );
    Ok(())
}

fn look_further() {
    println!(
        "\nLook further while it is up (as root):
  nsenter --net=/run/netns/inlay-host1 target/release/inlay ports --instance host1
  nsenter --net=/run/netns/inlay-host1 target/release/inlay flows --instance host1
  nsenter --net=/run/netns/inlay-host1 target/release/inlay counters --instance host1
  nsenter --net=/run/netns/inlay-host1 target/release/inlay drops --follow --instance host1
  nsenter --net=/run/netns/inlay-host1 target/release/inlay explain --instance host1 \\
      --port red-a --to 10.0.1.11 --proto tcp --dport 8081
  ip netns exec inlay-red-a ping 10.0.1.11
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
