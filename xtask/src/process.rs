//! Running other programs: as root where needed, followed line by line, with errors that quote them.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use crate::checkout;
use crate::progress::Progress;

/// Lines of a failed program's output that an error quotes.
const QUOTED_LINES_MAX: usize = 20;

/// `cargo`, in the checkout's root.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(checkout::root())
        .env("PATH", search_path());
    cargo
}

/// `program`, as root: by `sudo` where this process is not.
pub(crate) fn privileged(program: impl AsRef<OsStr>) -> Command {
    if is_root() {
        return Command::new(program);
    }
    unlock_sudo();
    let mut sudo = Command::new("sudo");
    sudo.arg(program);
    sudo
}

/// `program`, as root only if `needed_for` cannot be written without.
pub(crate) fn privileged_for(needed_for: &Path, program: impl AsRef<OsStr>) -> Command {
    let writable = nix::unistd::access(needed_for, nix::unistd::AccessFlags::W_OK).is_ok();
    if writable {
        Command::new(program)
    } else {
        privileged(program)
    }
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Asks for the password once, before a spinner could hide the question. What comes of it shows in the
/// command that needed it.
fn unlock_sudo() {
    static ASKED: OnceLock<()> = OnceLock::new();
    ASKED.get_or_init(|| {
        let _ = Command::new("sudo").arg("-v").status();
    });
}

/// Where programs are looked up: PATH, the directories that only root has there, and cargo's own.
pub(crate) fn search_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = cargo_home().map(|home| home.join("bin"));
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::join_paths(std::env::split_paths(&path).chain(own).chain(system)).unwrap_or(path)
}

/// Cargo's home directory, by its rule.
fn cargo_home() -> Option<PathBuf> {
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
}

/// The file that `program` would run.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&search_path())
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}

/// What `command` prints on its standard output. A failure quotes its standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let said = command.output().with_context(|| cannot_start(command))?;
    if !said.status.success() {
        let complaint = String::from_utf8_lossy(&said.stderr);
        bail!("{} failed: {}", shown(command), complaint.trim());
    }
    String::from_utf8(said.stdout).with_context(|| format!("{} printed no text", shown(command)))
}

/// Runs `command` with each of its lines as progress. A failure quotes the last of them.
pub(crate) fn quietly(command: &mut Command, progress: &Progress) -> Result<()> {
    progress.doing(&shown(command));
    let mut lines = Vec::new();
    let status = follow(command, |line| {
        progress.line(line);
        lines.push(line.to_owned());
    })?;
    if status.success() {
        return Ok(());
    }
    let quoted = &lines[lines.len().saturating_sub(QUOTED_LINES_MAX)..];
    bail!(
        "{} failed ({status}):\n{}",
        shown(command),
        quoted.join("\n")
    )
}

/// Runs `command` in the open, after a line that says so.
pub(crate) fn openly(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", shown(command));
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs `command` and hands over each line of its standard output and error, in their order.
pub(crate) fn follow(command: &mut Command, mut heard: impl FnMut(&str)) -> Result<ExitStatus> {
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = command.spawn().with_context(|| cannot_start(command))?;
    // The command holds the pipe's writing ends; while it does, reading never comes to an end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for line in BufReader::new(reader).split(b'\n') {
        heard(&String::from_utf8_lossy(
            &line.context("cannot read the output")?,
        ));
    }
    child
        .wait()
        .with_context(|| format!("cannot wait for {}", shown(command)))
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start {}", shown(command))
}

/// The command as somebody would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_outputs_are_followed_in_order() {
        let mut heard = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; echo three; exit 3"]);
        let status = follow(&mut command, |line| heard.push(line.to_owned())).unwrap();
        assert_eq!(heard, ["one", "two", "three"]);
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn a_failure_quotes_the_program() {
        let error = output(Command::new("sh").args(["-c", "echo why >&2; false"])).unwrap_err();
        assert!(error.to_string().ends_with("failed: why"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_is_not_found() {
        assert!(find("sh").is_some());
        assert!(find("no-program-has-this-name").is_none());
    }
}
