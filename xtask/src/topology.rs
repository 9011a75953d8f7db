//! `cargo xtask up|down`: a topology is a script `netns-scripts/NAME.sh up|down`, and one file
//! `netns-scripts/NAME/hosts/HOST.yaml` for each host that runs an agent; where none does, no directory. Where
//! there is a `netns-scripts/NAME/manager.yaml`, the agents follow a manager, and `NAME/networks.sh` has the clients'
//! part.
//!
//! The scripts do the work and can be run alone; here manager (`lib/manager.sh`) and agents (`lib/agent.sh`) are
//! started and waited for. An agent is ready when it has written `/run/inlay/HOST/ready`, after its first complete
//! apply.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::progress::Progress;
use crate::{build, checkout, process, setup};

/// How long an agent may take from its start to its first complete apply.
const READY_DEADLINE: Duration = Duration::from_secs(20);
/// How often the ready file is looked for.
const READY_INTERVAL: Duration = Duration::from_millis(20);
/// Lines of an agent's log that an error quotes.
const LOG_LINES_MAX: usize = 20;

/// Prepares the machine, builds `inlay`, and brings the topology up with its agents running.
pub(crate) fn up(name: &str) -> Result<()> {
    let topology = Topology::find(name)?;
    setup::setup()?;
    build::release()?;
    topology.up()?;
    topology.tell();
    Ok(())
}

/// Removes every trace of one topology, or of all.
pub(crate) fn down(name: Option<&str>) -> Result<()> {
    let topologies = match name {
        Some(name) => vec![Topology::find(name)?],
        None => Topology::all()?,
    };
    topologies.iter().try_for_each(Topology::down)
}

/// A script and its hosts.
pub(crate) struct Topology {
    name: String,
    hosts: Vec<String>,
    /// Whether agents follow a manager.
    is_managed: bool,
}

impl Topology {
    pub(crate) fn find(name: &str) -> Result<Self> {
        let all = Self::all()?;
        let names: Vec<_> = all.iter().map(|topology| topology.name.clone()).collect();
        all.into_iter()
            .find(|topology| topology.name == name)
            .with_context(|| format!("no topology {name}: there is {}", names.join(", ")))
    }

    /// Every topology, by name.
    fn all() -> Result<Vec<Self>> {
        stems(&scripts(), "sh")?
            .into_iter()
            .map(Self::read)
            .collect()
    }

    fn read(name: String) -> Result<Self> {
        let directory = scripts().join(&name).join("hosts");
        let hosts = if directory.exists() {
            stems(&directory, "yaml")?
        } else {
            Vec::new()
        };
        let is_managed = scripts().join(&name).join("manager.yaml").exists();
        Ok(Self {
            name,
            hosts,
            is_managed,
        })
    }

    /// Namespaces and links, then manager and agents. The release binary has to be there.
    pub(crate) fn up(&self) -> Result<()> {
        self.script("up")?;
        let inlay = checkout::inlay()?;
        if self.is_managed {
            self.start_manager(&inlay)?;
        }
        self.hosts
            .iter()
            .try_for_each(|host| self.start_agent(host, &inlay))?;
        self.hosts
            .iter()
            .try_for_each(|host| self.await_agent(host))
    }

    pub(crate) fn down(&self) -> Result<()> {
        self.script("down")
    }

    /// Creates the tenants' networks as clients do. Returns the lines that did it.
    pub(crate) fn networks(&self) -> Result<String> {
        let progress = Progress::begin("networks");
        let script = scripts().join(&self.name).join("networks.sh");
        let lines = process::output(process::privileged(script).arg(&self.name));
        match &lines {
            Ok(_) => progress.done(&self.name),
            Err(_) => progress.failed(&self.name),
        }
        lines
    }

    /// Manager first, then a join token for each host.
    fn start_manager(&self, inlay: &Path) -> Result<()> {
        let progress = Progress::begin("manager");
        let manager = |arguments: &[&str], last: &Path| {
            let mut command = process::privileged(scripts().join("lib/manager.sh"));
            process::quietly(command.args(arguments).arg(last), &progress)
        };
        let started = manager(&["start", &self.name], inlay).and_then(|()| {
            self.hosts.iter().enumerate().try_for_each(|(place, host)| {
                let prefix = format!("2001:db8:0:{}::/64", place + 1);
                manager(&["enroll", &self.name, host], Path::new(&prefix))
            })
        });
        match &started {
            Ok(()) => progress.done("listens, and expects its hosts"),
            Err(_) => progress.failed(&self.name),
        }
        started
    }

    fn script(&self, verb: &str) -> Result<()> {
        let progress = Progress::begin("topology");
        let script = scripts().join(format!("{}.sh", self.name));
        match process::quietly(process::privileged(script).arg(verb), &progress) {
            Ok(()) => progress.done(&format!("{} {verb}", self.name)),
            Err(error) => {
                progress.failed(&format!("{} {verb}", self.name));
                return Err(error);
            }
        }
        Ok(())
    }

    fn start_agent(&self, host: &str, inlay: &Path) -> Result<()> {
        let script = scripts().join("lib/agent.sh");
        let mut start = process::privileged(script);
        start.args(["start", &self.name, host]).arg(inlay);
        process::output(&mut start).map(drop)
    }

    /// Waits until the agent is ready, or has exited, or is late.
    fn await_agent(&self, host: &str) -> Result<()> {
        let progress = Progress::begin("agent");
        let deadline = Instant::now() + READY_DEADLINE;
        while !ready_file(host).exists() {
            let late = Instant::now() > deadline;
            if late || !self.agent_lives(host) {
                progress.failed(host);
                bail!(self.why_not_ready(host, late));
            }
            progress.line(&format!("waiting for {}", ready_file(host).display()));
            std::thread::park_timeout(READY_INTERVAL);
        }
        progress.done(host);
        Ok(())
    }

    /// A process that has exited is gone, or a zombie where nobody has asked for its end. Its command line
    /// tells less: it is empty for a moment while the process becomes another program.
    fn agent_lives(&self, host: &str) -> bool {
        let pid = std::fs::read_to_string(self.run_file(host, "pid")).unwrap_or_default();
        let status = std::fs::read_to_string(Path::new("/proc").join(pid.trim()).join("status"));
        status.is_ok_and(|status| !status.lines().any(|line| line.starts_with("State:\tZ")))
    }

    fn why_not_ready(&self, host: &str, late: bool) -> String {
        let log = self.run_file(host, "log");
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let quoted = lines[lines.len().saturating_sub(LOG_LINES_MAX)..].join("\n");
        let what = if late {
            "is not ready after 20 s"
        } else {
            "has exited"
        };
        let log = log.display();
        format!("the agent of {host} {what}; the end of its log ({log}):\n{quoted}")
    }

    fn run_file(&self, host: &str, extension: &str) -> PathBuf {
        Path::new("/run/inlay")
            .join(&self.name)
            .join(format!("{host}.{extension}"))
    }

    fn tell(&self) {
        let Some(host) = self.hosts.first() else {
            return;
        };
        eprintln!(
            "{} is up. Look at a host:  sudo nsenter --net=/run/netns/inlay-{host} bash",
            self.name
        );
        eprintln!("Remove it all:  cargo xtask down {}", self.name);
    }
}

fn scripts() -> PathBuf {
    checkout::root().join("netns-scripts")
}

fn ready_file(host: &str) -> PathBuf {
    Path::new("/run/inlay").join(host).join("ready")
}

/// Names of the files in `directory` that end in `.extension`, without it, in order.
fn stems(directory: &Path, extension: &str) -> Result<Vec<String>> {
    let shown = directory.display();
    let entries = std::fs::read_dir(directory).with_context(|| format!("cannot list {shown}"))?;
    let mut stems = Vec::new();
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot list {shown}"))?
            .path();
        if path.extension().is_some_and(|found| found == extension) {
            stems.extend(
                path.file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned()),
            );
        }
    }
    ensure!(!stems.is_empty(), "{shown} holds no .{extension} file");
    stems.sort();
    Ok(stems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hosts_runs_an_agent_on_each_host() {
        assert_eq!(
            Topology::find("two-hosts").unwrap().hosts,
            ["host1", "host2"]
        );
    }

    #[test]
    fn a_manager_is_there_where_it_has_a_configuration() {
        assert!(Topology::find("managed").unwrap().is_managed);
        assert!(!Topology::find("two-hosts").unwrap().is_managed);
    }

    #[test]
    fn the_peers_run_none() {
        assert!(Topology::find("peers").unwrap().hosts.is_empty());
    }

    #[test]
    fn an_unknown_topology_is_refused_with_those_there_are() {
        let error = Topology::find("no-such").err().unwrap().to_string();
        assert!(error.contains("two-hosts"), "{error}");
    }
}
