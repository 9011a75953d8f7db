//! A manager of its own: the release binary in a directory that goes with it, on loopback.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

/// How long a manager may take to listen: it reads all its objects first.
const START_DEADLINE: Duration = Duration::from_mins(2);

/// The process, and where it listens.
#[derive(Debug)]
pub(super) struct Manager {
    directory: TempDir,
    binary: PathBuf,
    process: Child,
    /// The operator's token.
    pub(super) token: String,
    /// The CA's certificate, PEM.
    pub(super) authority: String,
    /// Where it listens.
    pub(super) listening: Listening,
}

/// What the manager says of its listeners.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Listening {
    pub(super) api: std::net::SocketAddr,
    pub(super) agents: std::net::SocketAddr,
    pub(super) metrics: std::net::SocketAddr,
}

impl Manager {
    /// Initialises and starts one.
    pub(super) fn start() -> Result<Self> {
        let directory = TempDir::new()?;
        let binary = std::env::current_exe()?.with_file_name("inlay");
        ensure!(
            binary.is_file(),
            "{} is not there: type cargo xtask build",
            binary.display()
        );
        let data = directory.path().join("data");
        let text = format!(
            "data_dir: {}\napi_listen: 127.0.0.1:0\nagents_listen: 127.0.0.1:0\n\
             metrics_listen: 127.0.0.1:0\nnames: [localhost, 127.0.0.1]\n",
            data.display()
        );
        fs::write(directory.path().join("manager.yaml"), text)?;
        let output = Command::new(&binary)
            .args(["manager", "init", "--output", "json", "--config"])
            .arg(directory.path().join("manager.yaml"))
            .output()?;
        ensure!(
            output.status.success(),
            "inlay manager init: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let made: Value = serde_json::from_slice(&output.stdout)?;
        let text = |field: &str| -> Result<String> {
            let text = made[field].as_str();
            Ok(text
                .with_context(|| format!("init says no {field}"))?
                .to_owned())
        };
        let (token, authority) = (text("admin_token")?, text("ca_pem")?);
        let (process, listening) = spawn(&binary, &directory)?;
        Ok(Self {
            directory,
            binary,
            process,
            token,
            authority,
            listening,
        })
    }

    /// Kills it, as a crash would, and starts it again. It listens elsewhere then.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        (self.process, self.listening) = spawn(&self.binary, &self.directory)?;
        Ok(())
    }

    /// Memory that is its own at this moment, in MiB.
    pub(super) fn resident_mib(&self) -> Result<f64> {
        resident_mib(self.process.id())
    }

    /// A counter of its metrics, summed over labels.
    pub(super) fn counter(&self, name: &str) -> Result<f64> {
        let page = ureq::get(format!("http://{}/metrics", self.listening.metrics))
            .call()?
            .body_mut()
            .read_to_string()?;
        let values = page
            .lines()
            .filter(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with([' ', '{']))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        let values: Vec<_> = values.collect();
        ensure!(!values.is_empty(), "the manager has no metric {name}");
        Ok(values.iter().sum())
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Memory of a process, in MiB.
#[expect(clippy::cast_precision_loss, reason = "kilobytes of a process")]
pub(super) fn resident_mib(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .context("a process has a VmRSS")?;
    Ok(kib as f64 / 1024.0)
}

fn spawn(binary: &PathBuf, directory: &TempDir) -> Result<(Child, Listening)> {
    let listening = directory.path().join("data/listening.json");
    let _ = fs::remove_file(&listening);
    let log = directory.path().join("manager.log");
    let mut process = Command::new(binary)
        .args(["manager", "run", "--config"])
        .arg(directory.path().join("manager.yaml"))
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::options().create(true).append(true).open(&log)?)
        .spawn()?;
    let began = Instant::now();
    loop {
        if let Ok(text) = fs::read(&listening) {
            return Ok((process, serde_json::from_slice(&text)?));
        }
        let has_ended = process.try_wait()?.is_some();
        if has_ended || began.elapsed() > START_DEADLINE {
            let _ = process.kill();
            let _ = process.wait();
            anyhow::bail!(
                "the manager does not listen: {}",
                fs::read_to_string(&log).unwrap_or_default()
            );
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
