//! The topology `two-hosts` as a test has it: brought up, its agents started, stopped and killed, its files
//! edited; and removed at the end, whatever became of the test.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    daemon::{APPLY_DEADLINE, await_ready, binary, impossible, kill, script},
    wait_for,
};
use crate::scenario::{self, TwoHosts};

const RUN: &str = "/run/inlay/two-hosts";

/// The topology, up.
#[derive(Debug)]
pub struct Topology {
    /// Its namespaces.
    pub hosts: TwoHosts,
}

impl Topology {
    /// Brings it up with both agents running. `None`, and a line that says why, where this machine cannot.
    ///
    /// # Errors
    /// Where it should be possible and is not.
    pub fn up(test: &str) -> Result<Option<Self>> {
        if let Some(why) = impossible() {
            eprintln!("skipped: {test}: {why}");
            return Ok(None);
        }
        script("two-hosts.sh", &["up"])?;
        let topology = Self {
            hosts: TwoHosts::open(scenario::Topology::TwoHosts)?,
        };
        for host in ["host1", "host2"] {
            topology.start_agent(host)?;
        }
        Ok(Some(topology))
    }

    /// Starts an agent and waits for its first complete apply.
    ///
    /// # Errors
    /// Where it is not ready in time, with the end of its log.
    pub fn start_agent(&self, host: &str) -> Result<()> {
        let binary = binary()?;
        let binary = binary.to_str().context("a path of text")?;
        script("lib/agent.sh", &["start", "two-hosts", host, binary])?;
        await_ready(host).with_context(|| self.log(host))
    }

    /// Kills an agent, as a crash would.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill_agent(&self, host: &str) -> Result<()> {
        kill(Path::new(&format!("{RUN}/{host}.pid")))
    }

    /// What the agent said.
    #[must_use]
    pub fn log(&self, host: &str) -> String {
        fs::read_to_string(format!("{RUN}/{host}.log")).unwrap_or_default()
    }

    /// The revision that the agent applied last.
    #[must_use]
    pub fn revision(&self, host: &str) -> String {
        fs::read_to_string(format!("/run/inlay/{host}/ready")).unwrap_or_default()
    }

    /// Replaces every `from` in a host's file, and waits until it is applied.
    ///
    /// # Errors
    /// Where there is no `from`, or the agent does not apply it in time.
    pub fn edit(&self, host: &str, from: &str, to: &str) -> Result<()> {
        let before = self.revision(host);
        self.write(host, from, to)?;
        let is_applied = || {
            let revision = self.revision(host);
            !revision.is_empty() && revision != before
        };
        wait_for(&format!("{host} to apply"), APPLY_DEADLINE, is_applied)
            .with_context(|| self.log(host))
    }

    /// Replaces every `from` in a host's file.
    ///
    /// # Errors
    /// Where there is none.
    pub fn write(&self, host: &str, from: &str, to: &str) -> Result<()> {
        let file = PathBuf::from(format!("{RUN}/{host}.yaml"));
        let text = fs::read_to_string(&file)?;
        ensure!(text.contains(from), "{} has no `{from}`", file.display());
        let next = file.with_extension("next");
        fs::write(&next, text.replace(from, to))?;
        Ok(fs::rename(&next, &file)?)
    }
}

impl Drop for Topology {
    fn drop(&mut self) {
        if let Err(error) = script("two-hosts.sh", &["down"]) {
            eprintln!("two-hosts.sh down: {error:#}");
        }
    }
}
