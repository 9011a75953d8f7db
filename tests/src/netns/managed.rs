//! The topology `managed` as a test has it: manager and agents started, stopped and killed, networks created by the
//! client verbs; and removed at the end, whatever became of the test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context as _, Result, ensure};
use inlay_agent::disk::StateFile;
use serde_json::Value;

use super::{
    Namespace,
    daemon::{APPLY_DEADLINE, await_ready, binary, impossible, kill, script},
    wait_for,
};
use crate::scenario::{self, TwoHosts};

const RUN: &str = "/run/inlay/managed";

/// The topology, up, its hosts joined.
#[derive(Debug)]
pub struct Managed {
    binary: PathBuf,
}

impl Managed {
    /// Brings it up with the manager and both agents running, and no network. `None`, and a line that says why, where
    /// this machine cannot.
    ///
    /// # Errors
    /// Where it should be possible and is not.
    pub fn up(test: &str) -> Result<Option<Self>> {
        if let Some(why) = impossible() {
            eprintln!("skipped: {test}: {why}");
            return Ok(None);
        }
        let topology = Self { binary: binary()? };
        script("managed.sh", &["up"])?;
        topology.start_manager()?;
        for (host, prefix) in [
            ("host1", "2001:db8:0:1::/64"),
            ("host2", "2001:db8:0:2::/64"),
        ] {
            script("lib/manager.sh", &["enroll", "managed", host, prefix])?;
            topology.start_agent(host)?;
        }
        Ok(Some(topology))
    }

    /// As [`Managed::up`], with the nodes that the rows ask.
    ///
    /// # Errors
    /// As [`Managed::up`].
    pub fn with_networks(test: &str) -> Result<Option<(Self, TwoHosts)>> {
        let Some(topology) = Self::up(test)? else {
            return Ok(None);
        };
        script("managed/networks.sh", &["managed"])?;
        let hosts = TwoHosts::open(scenario::Topology::Managed)?;
        Ok(Some((topology, hosts)))
    }

    /// Starts the manager, and waits until it listens.
    ///
    /// # Errors
    /// Where it does not, with the end of its log.
    pub fn start_manager(&self) -> Result<()> {
        script("lib/manager.sh", &["start", "managed", self.binary()?])
    }

    /// Kills the manager, as a crash would.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill_manager(&self) -> Result<()> {
        kill(&Path::new(RUN).join("manager.pid"))
    }

    /// Starts an agent and waits for its first complete apply.
    ///
    /// # Errors
    /// Where it is not ready in time, with its log.
    pub fn start_agent(&self, host: &str) -> Result<()> {
        script("lib/agent.sh", &["start", "managed", host, self.binary()?])?;
        await_ready(host).with_context(|| self.log(host))
    }

    /// Kills an agent, as a crash would.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill_agent(&self, host: &str) -> Result<()> {
        kill(&Path::new(RUN).join(format!("{host}.pid")))
    }

    /// What `manager`, or the agent of a host, said.
    #[must_use]
    pub fn log(&self, who: &str) -> String {
        fs::read_to_string(format!("{RUN}/{who}.log")).unwrap_or_default()
    }

    /// Runs `inlay` beside the manager, as the operator.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn try_inlay(&self, words: &[&str]) -> Result<Output> {
        Command::new(format!("{RUN}/inlay"))
            .args(words)
            .output()
            .with_context(|| format!("run inlay {}", words.join(" ")))
    }

    /// As [`Managed::try_inlay`], and it must succeed. `line` is split at spaces. What it printed.
    ///
    /// # Errors
    /// Where it fails, with what it said.
    pub fn inlay(&self, line: &str) -> Result<String> {
        let words: Vec<_> = line.split_whitespace().collect();
        let output = self.try_inlay(&words)?;
        let (said, told) = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr),
        );
        ensure!(output.status.success(), "inlay {line}: {said}{told}");
        Ok(said)
    }

    /// As [`Managed::inlay`], with JSON for an answer.
    ///
    /// # Errors
    /// As [`Managed::inlay`].
    pub fn json(&self, line: &str) -> Result<Value> {
        let said = self.inlay(&format!("{line} --output json"))?;
        serde_json::from_str(&said).with_context(|| format!("inlay {line} printed {said}"))
    }

    /// Waits until all that concerns a host is on its disk.
    ///
    /// # Errors
    /// Where it is not in time, or the file cannot be read.
    pub fn await_disk(&self, host: &str) -> Result<()> {
        let shown = self.json(&format!("host show {host}"))?;
        let desired = shown["status"]["desired_revision"].as_u64();
        let desired = desired.context("a host has a desired revision")?;
        let file = StateFile::of(&Path::new(RUN).join(host));
        let is_there = || {
            let stored = file.read().ok().flatten();
            stored.is_some_and(|stored| stored.held.revision >= desired)
        };
        wait_for("the state on disk", APPLY_DEADLINE, is_there)
    }

    /// Takes from a host what a reboot takes: its agent, the loaded programs and maps, `/run`, and the namespaces of
    /// its nodes. Disk and wires stay.
    ///
    /// # Errors
    /// Where something cannot be removed.
    pub fn reboot(&self, host: &str) -> Result<()> {
        self.kill_agent(host)?;
        for node in node_namespaces(host)? {
            run("ip", &["netns", "del", &node])?;
        }
        for directory in [
            format!("/sys/fs/bpf/inlay/{host}"),
            format!("/run/inlay/{host}"),
        ] {
            fs::remove_dir_all(&directory).with_context(|| format!("remove {directory}"))?;
        }
        Ok(())
    }

    /// The namespace of a node on `host`.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn node(&self, host: &str, project: &str, network: &str, node: &str) -> Result<Namespace> {
        Namespace::open(&format!("{host}.{project}.{network}.{node}"))
    }

    fn binary(&self) -> Result<&str> {
        self.binary.to_str().context("a path of text")
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        if let Err(error) = script("managed.sh", &["down"]) {
            eprintln!("managed.sh down: {error:#}");
        }
    }
}

/// Names of the namespaces that the agent of `host` made.
///
/// # Errors
/// Where they cannot be listed.
pub fn node_namespaces(host: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir("/run/netns")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(&format!("{host}.")) {
            names.push(name);
        }
    }
    Ok(names)
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    ensure!(
        output.status.success(),
        "{program} {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
