//! A network namespace by its name. A socket stays in the namespace that it was made in, so that only
//! making it happens inside.

use std::{fs::File, path::PathBuf, thread};

use anyhow::{Context as _, Result, bail};
use nix::sched::{CloneFlags, setns};

/// A namespace that `ip netns` knows.
#[derive(Debug)]
pub(super) struct Namespace {
    name: String,
    file: File,
}

impl Namespace {
    /// Whether there is one of that name.
    pub(super) fn exists(name: &str) -> bool {
        file_of(name).exists()
    }

    /// Opens it.
    pub(super) fn open(name: &str) -> Result<Self> {
        let file = File::open(file_of(name)).with_context(|| format!("open namespace {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            file,
        })
    }

    /// Does `work` inside, in a thread of its own.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
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
}

fn file_of(name: &str) -> PathBuf {
    PathBuf::from("/run/netns").join(name)
}
