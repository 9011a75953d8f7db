//! What an agent leaves in files: a lock, names for people, what it has applied, and whether it was
//! interrupted.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use inlay_dataplane::labels::Labels;

use crate::status::Status;

/// Held by the one agent of an instance.
const LOCK: &str = "lock";
/// The revision that was applied last. Not there before an agent's first apply.
pub const READY: &str = "ready";
/// [`Status`], as JSON.
pub const STATUS: &str = "status.json";
/// [`Labels`], as JSON.
pub const LABELS: &str = "labels.json";
/// There while maps are written, and after an agent that was killed in the middle of it.
const CHANGING: &str = "changing";

/// An instance's directory under `/run`.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    /// The lock goes with the file.
    _lock: File,
}

impl RunDirectory {
    /// Takes `path` for this agent.
    ///
    /// # Errors
    /// Where another agent has it, or it cannot be made.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        let file = path.join(LOCK);
        let lock =
            File::create(&file).with_context(|| format!("cannot make {}", file.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "another agent runs here ({} is locked); stop it first, or give this one another \
                 --instance",
                file.display()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", file.display()));
            }
        }
        let directory = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        directory.remove(READY)?;
        Ok(directory)
    }

    /// Notes that the maps are between two states.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn begin_change(&self) -> anyhow::Result<()> {
        self.replace(CHANGING, b"")
    }

    /// Notes that the maps hold one whole state.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn end_change(&self) -> anyhow::Result<()> {
        self.remove(CHANGING)
    }

    /// Whether a change was begun and not ended.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        self.path.join(CHANGING).exists()
    }

    /// Leaves `labels` for whoever inspects.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write_labels(&self, labels: &Labels) -> anyhow::Result<()> {
        self.replace(LABELS, &serde_json::to_vec(labels)?)
    }

    /// Leaves `status` for whoever inspects.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write_status(&self, status: &Status) -> anyhow::Result<()> {
        self.replace(STATUS, &serde_json::to_vec(status)?)
    }

    /// Tells that `revision` is applied.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write_ready(&self, revision: &str) -> anyhow::Result<()> {
        self.replace(READY, format!("{revision}\n").as_bytes())
    }

    /// Readers see the content before or after, and never half of it.
    fn replace(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let (file, next) = (self.path.join(name), self.path.join(format!("{name}.next")));
        let told = || format!("cannot write {}", file.display());
        fs::write(&next, content).with_context(told)?;
        fs::rename(&next, &file).with_context(told)
    }

    fn remove(&self, name: &str) -> anyhow::Result<()> {
        let file = self.path.join(name);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", file.display()))
            }
            _ => Ok(()),
        }
    }
}
