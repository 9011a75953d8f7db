//! The last state on disk: an agent that starts without its manager has the host as it was.
//!
//! ```text
//! inlay-agent-state 1 SHA256 LENGTH\n   the digest in hex and the bytes of what follows
//! StoredState                           Protocol Buffers
//! ```
//!
//! It is written whole beside the old one, which it then replaces: what is found is one of the two.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use inlay_api::wire::agent::{Change, ScopeState};
use prost::Message;
use sha2::{Digest as _, Sha256};
use tokio::{task::JoinHandle, time::Instant};
use tracing::error;

use crate::manager::{
    collect::Batch,
    held::{Held, Previous, ResourceKey},
};

/// What the first line begins with: the format and its version.
const FORMAT: &str = "inlay-agent-state 1 ";
/// Longest file, in bytes: more than the longest batch.
const FILE_BYTES_MAX: u64 = 96 << 20;
/// Between the beginnings of two writes: a state that comes sooner waits for what is left of it, with all that comes
/// meanwhile.
pub const DELAY: Duration = Duration::from_secs(1);

/// All that is kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Stored {
    /// What the manager sent.
    pub held: Held,
    /// What is in force instead of some of it.
    pub instead: Previous,
}

#[derive(Clone, PartialEq, Message)]
struct StoredState {
    #[prost(string, tag = "1")]
    epoch: String,
    #[prost(uint64, tag = "2")]
    revision: u64,
    #[prost(message, repeated, tag = "3")]
    scopes: Vec<ScopeState>,
    #[prost(message, repeated, tag = "4")]
    resources: Vec<Change>,
    /// What is in force instead; without a value: nothing.
    #[prost(message, repeated, tag = "5")]
    instead: Vec<Change>,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// The system refuses.
    #[error("cannot {verb} {}: {cause}; see that the disk has room and the directory is this agent's", path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// It is not what was written.
    #[error(
        "{} is ignored: {reason}; the manager sends all of it again, and until then the maps stay as they are",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The file of the last state.
#[derive(Clone, Debug)]
pub struct StateFile(PathBuf);

impl StateFile {
    /// Of the agent whose data are in `directory`.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        Self(directory.join("state"))
    }

    /// What was written last; `None` where nothing was.
    ///
    /// # Errors
    /// Where the file is damaged, of another version, or cannot be read.
    pub fn read(&self) -> Result<Option<Stored>, DiskError> {
        let bytes = match self.read_bytes() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(self.failed("read"))?,
        };
        let stored = decode(&bytes).map_err(|reason| DiskError::Damaged {
            path: self.0.clone(),
            reason,
        });
        stored.map(Some)
    }

    fn read_bytes(&self) -> io::Result<Vec<u8>> {
        use io::Read as _;
        let mut bytes = Vec::new();
        File::open(&self.0)?
            .take(FILE_BYTES_MAX)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Replaces the file. It is on the disk when this returns.
    ///
    /// # Errors
    /// Where the system refuses; the file is as it was then.
    pub fn write(&self, stored: &Stored) -> Result<(), DiskError> {
        write_whole(&self.0, &encode(stored)).map_err(self.failed("write"))
    }

    fn failed(&self, verb: &'static str) -> impl FnOnce(io::Error) -> DiskError {
        let path = self.0.clone();
        move |cause| DiskError::File { verb, path, cause }
    }
}

/// Puts a file of its owner's alone in the place of the one at `path`, so that a crash at any moment leaves one of
/// the two whole.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = path.with_extension("next");
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&next)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&next, path)?;
    // The rename is on the disk when its directory is.
    let directory = path.parent().unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

fn encode(stored: &Stored) -> Vec<u8> {
    let change = |key: &ResourceKey, value: Option<&bytes::Bytes>| Change {
        vni: key.vni,
        kind: key.id.kind.into(),
        key: key.id.key.to_string(),
        value: value.cloned(),
    };
    let held = stored.held.resources();
    let instead = stored.instead.iter();
    let body = StoredState {
        epoch: stored.held.epoch.clone(),
        revision: stored.held.revision,
        scopes: stored.held.scope_states(),
        resources: held.map(|(key, value)| change(key, Some(value))).collect(),
        instead: instead
            .map(|(key, value)| change(key, value.as_ref()))
            .collect(),
    }
    .encode_to_vec();
    let mut bytes = format!("{FORMAT}{} {}\n", hex_digest(&body), body.len()).into_bytes();
    bytes.extend(body);
    bytes
}

fn decode(bytes: &[u8]) -> Result<Stored, String> {
    let end = bytes.iter().take(128).position(|&byte| byte == b'\n');
    let line = end.and_then(|end| str::from_utf8(&bytes[..end]).ok());
    let rest = line.and_then(|line| line.strip_prefix(FORMAT));
    let (Some(end), Some(rest)) = (end, rest) else {
        return Err(format!("it does not begin with \"{}\"", FORMAT.trim_end()));
    };
    let body = &bytes[end + 1..];
    if rest != format!("{} {}", hex_digest(body), body.len()) {
        return Err("its content is not what was written: it is torn or was changed".to_owned());
    }
    let state = StoredState::decode(body).map_err(|error| error.to_string())?;
    stored(state)
}

fn stored(state: StoredState) -> Result<Stored, String> {
    let entry = |change: Change| {
        let key = ResourceKey::of(&change)
            .ok_or_else(|| format!("it has a resource of kind {}", change.kind))?;
        Ok((key, change.value))
    };
    let changes = state.resources.into_iter().map(entry);
    let mut held = Held::default();
    held.apply(Batch {
        epoch: state.epoch,
        revision: state.revision,
        scopes: state.scopes.into_iter().map(|it| (it.vni, it)).collect(),
        changes: changes.collect::<Result<_, String>>()?,
        ..Batch::default()
    });
    let instead = state.instead.into_iter().map(entry);
    Ok(Stored {
        held,
        instead: instead.collect::<Result<_, String>>()?,
    })
}

fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Writes states off the path of those who apply them, at most one each [`DELAY`].
#[derive(Debug)]
pub struct Saver {
    file: StateFile,
    due: Option<Instant>,
    /// The last time that a write was begun.
    began: Option<Instant>,
    writing: Option<JoinHandle<Result<(), DiskError>>>,
}

impl Saver {
    /// Writes to `file`.
    #[must_use]
    pub fn new(file: StateFile) -> Self {
        Self {
            file,
            due: None,
            began: None,
            writing: None,
        }
    }

    /// Notes that there is something to write.
    pub fn note(&mut self) {
        let now = Instant::now();
        let next = self.began.map_or(now, |began| now.max(began + DELAY));
        self.due.get_or_insert(next);
    }

    /// Waits until something is to be written, and what was written before is. May be dropped while it waits.
    pub async fn due(&mut self) {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
        self.wait().await;
    }

    /// Begins to write.
    pub fn begin(&mut self, stored: Stored) {
        let file = self.file.clone();
        self.due = None;
        self.began = Some(Instant::now());
        self.writing = Some(tokio::task::spawn_blocking(move || file.write(&stored)));
    }

    /// Waits until what was begun is written.
    async fn wait(&mut self) {
        let Some(writing) = &mut self.writing else {
            return;
        };
        match writing.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => error!("{error}"),
            Err(error) => error!(%error, "the last state was not written"),
        }
        self.writing = None;
    }

    /// Writes what is to be written, and returns when it is.
    pub async fn flush(&mut self, stored: impl FnOnce() -> Stored) {
        self.wait().await;
        if self.due.is_some() {
            self.begin(stored());
            self.wait().await;
        }
    }
}
