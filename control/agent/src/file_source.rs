//! The desired state in a YAML file, read again when it changes. Its directory is watched, since editors
//! and deployment tools put another file in its place.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use inlay_api::{Refusal, limits::FILE_BYTES_MAX, read_file, read_yaml};
use nix::{
    fcntl::OFlag,
    sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent},
};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use crate::{
    readable::Readable,
    source::{Desired, Source},
};

/// A file of one host's state.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    watch: Readable<Inotify>,
    /// Of what was given last, taken or refused.
    revision: Option<String>,
    is_dirty: bool,
}

impl FileSource {
    /// The file at `path`, which need not be there yet; its directory must.
    ///
    /// # Errors
    /// Where the directory cannot be watched.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let watch = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
            .context("cannot watch files; raise fs.inotify.max_user_instances")?;
        let watch = Readable::new(watch)?;
        let source = Self {
            path: path.to_owned(),
            watch,
            revision: None,
            is_dirty: true,
        };
        source.watch_directory()?;
        Ok(source)
    }

    fn watch_directory(&self) -> anyhow::Result<()> {
        let directory = match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        // A file is whole when its writer closes it, or moves or links it here.
        let flags = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_ONLYDIR;
        self.watch
            .get()
            .add_watch(directory, flags)
            .with_context(|| format!("cannot watch directory {}", directory.display()))?;
        Ok(())
    }

    /// What the file says, where it differs from what it said.
    fn read_changed(&mut self) -> Option<Result<Desired, Refusal>> {
        let bytes = match read_bytes(&self.path) {
            Ok(bytes) => bytes,
            Err(error) => return self.refuse_unreadable(&error),
        };
        let revision = revision(&bytes);
        if self.revision.replace(revision.clone()).as_ref() == Some(&revision) {
            return None;
        }
        let state = read_yaml(&self.path.display().to_string(), &bytes);
        Some(state.map(|state| Desired { state, revision }))
    }

    /// Told once, until the file was readable in between.
    fn refuse_unreadable(&mut self, error: &io::Error) -> Option<Result<Desired, Refusal>> {
        let reason = error.to_string();
        if self.revision.replace(reason.clone()).as_ref() == Some(&reason) {
            return None;
        }
        // Where it can be read by now, that was an event, and it is read again.
        read_file(&self.path).err().map(Err)
    }

    /// Waits until something happens to the file.
    async fn changed(&self) -> io::Result<()> {
        loop {
            let events = self.watch.read(|watch| Ok(watch.read_events()?)).await?;
            if events.iter().any(|event| self.is_about(event)) {
                return Ok(());
            }
        }
    }

    /// An event without a name is about the directory, or events were lost. Where the file is a link,
    /// anything may be what it leads to; only a link is whole when it is made.
    fn is_about(&self, event: &InotifyEvent) -> bool {
        let name: Option<&OsStr> = event.name.as_deref();
        let is_whole = !event.mask.contains(AddWatchFlags::IN_CREATE);
        let is_link = || {
            self.path
                .symlink_metadata()
                .is_ok_and(|file| file.is_symlink())
        };
        name.is_none() || (name == self.path.file_name() && is_whole) || is_link()
    }
}

impl Source for FileSource {
    async fn next(&mut self) -> Result<Desired, Refusal> {
        loop {
            // Nothing is awaited between what takes the flag and what gives the state.
            if std::mem::take(&mut self.is_dirty)
                && let Some(desired) = self.read_changed()
            {
                return desired;
            }
            if let Err(error) = self.changed().await {
                warn!(%error, "the file is not watched any more; send SIGHUP after a change");
                std::future::pending::<()>().await;
            }
            self.is_dirty = true;
        }
    }

    fn ask_again(&mut self) {
        (self.revision, self.is_dirty) = (None, true);
        // A directory that was replaced is watched from here on.
        if let Err(error) = self.watch_directory() {
            warn!("{error:#}");
        }
    }
}

/// At most one byte more than is taken, so that a longer file is seen to be one. A pipe, or a device,
/// would hold the agent up, or give it another state each time.
fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The first 16 hex digits of the content's SHA-256, so that `sha256sum` tells whether a file is applied.
#[must_use]
pub fn revision(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
