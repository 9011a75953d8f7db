//! Network namespaces by name, and what is done inside them. A socket stays in the namespace that it
//! was made in, so that only making it happens there.

mod daemon;
pub mod frame;
pub mod managed;
pub mod probe;
pub mod topology;

use std::{
    fs::File,
    path::PathBuf,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sched::{CloneFlags, setns};

/// A namespace that `ip netns` knows.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    file: File,
}

impl Namespace {
    /// Opens it.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn open(name: &str) -> Result<Self> {
        let path = PathBuf::from("/run/netns").join(name);
        let file = File::open(&path).with_context(|| {
            format!("there is no namespace {name}; bring it up with `cargo xtask up two-hosts`")
        })?;
        Ok(Self {
            name: name.to_owned(),
            file,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Does `work` inside, in a thread of its own.
    ///
    /// # Errors
    /// Those of `work`, and that of entering.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(&self.file, CloneFlags::CLONE_NEWNET)
                    .with_context(|| format!("enter {}: it takes root", self.name))?;
                work()
            });
            match inside.join() {
                Ok(done) => done,
                Err(_) => bail!("a thread in {} panicked", self.name),
            }
        })
    }

    /// Runs a command inside to its end, whatever its exit code.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn command(&self, line: &str) -> Result<Output> {
        let mut words = line.split_whitespace();
        let program = words.next().context("an empty command")?;
        self.run(|| {
            Command::new(program)
                .args(words)
                .output()
                .with_context(|| format!("run `{line}` in {}", self.name))
        })
    }

    /// Runs a command inside that must succeed; what it printed.
    ///
    /// # Errors
    /// Where it fails, with what it said.
    pub fn output(&self, line: &str) -> Result<String> {
        let output = self.command(line)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "`{line}` in {} failed: {text}{}",
            self.name,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(text)
    }
}

/// Waits until `condition` holds.
///
/// # Errors
/// Where it does not within `deadline`, naming `what`.
pub fn wait_for(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    while !condition() {
        ensure!(
            start.elapsed() < deadline,
            "{what}: not within {deadline:?}"
        );
        thread::yield_now();
    }
    Ok(())
}
