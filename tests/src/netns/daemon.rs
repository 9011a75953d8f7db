//! Manager and agents as tests start, await and kill them: by the scripts that people use.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use nix::{sys::signal::Signal, unistd::Pid};

use super::wait_for;

/// How long an agent may take to apply a state.
pub(super) const APPLY_DEADLINE: Duration = Duration::from_secs(10);

/// Waits for the first complete apply of a host's agent.
pub(super) fn await_ready(host: &str) -> Result<()> {
    let is_ready = || Path::new("/run/inlay").join(host).join("ready").exists();
    wait_for(&format!("agent of {host}"), APPLY_DEADLINE, is_ready)
}

/// Kills the process of a pid file, as a crash would, and waits for its end.
pub(super) fn kill(pid_file: &Path) -> Result<()> {
    let text = fs::read_to_string(pid_file)?;
    let pid: i32 = text.trim().parse()?;
    nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL)
        .with_context(|| format!("kill what {} names", pid_file.display()))?;
    let command_line = format!("/proc/{pid}/cmdline");
    let is_gone = || fs::read(&command_line).map_or(true, |line| line.is_empty());
    wait_for("end of a killed process", APPLY_DEADLINE, is_gone)
}

/// Why no namespaces and programs can be made here.
pub(super) fn impossible() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("namespaces and BPF programs need root".to_owned());
    }
    match fs::metadata("/sys/fs/bpf") {
        Ok(_) => None,
        Err(error) => Some(format!("no bpffs: {error}")),
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../netns-scripts")
}

pub(super) fn script(name: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(scripts().join(name))
        .args(arguments)
        .output()?;
    ensure!(
        output.status.success(),
        "{name} {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The release binary beside this test's own: `cargo xtask test` builds it first.
pub(super) fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let target = own
        .ancestors()
        .find(|directory| directory.join("release").is_dir());
    let binary = target.context("a target directory")?.join("release/inlay");
    ensure!(
        binary.is_file(),
        "{} is not there: type cargo xtask build",
        binary.display()
    );
    Ok(binary)
}
