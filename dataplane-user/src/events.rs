//! Drop events, as they come through the ring buffer.

use std::{
    fs::{File, TryLockError},
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    path::Path,
    time::Duration,
};

use aya::maps::{MapData, RingBuf};
use inlay_core::event::DropEvent;
use nix::poll::{PollFd, PollFlags, PollTimeout};

use crate::{
    Error,
    pins::{create_directory, run_directory},
};

const NAME: &str = "EVENTS";

/// The one reader of an instance's drop events. Its descriptor is readable where there are some, so that it
/// can be waited for with `poll` or tokio's `AsyncFd`.
pub struct Events {
    ring: RingBuf<MapData>,
    /// The lock goes with the file.
    _lock: File,
}

impl Events {
    pub(crate) fn open(directory: &Path, instance: &str) -> Result<Self, Error> {
        let lock = lock(instance)?;
        let map = MapData::from_pin(directory.join(NAME)).map_err(Error::load)?;
        let map = aya::maps::Map::from_map_data(map).map_err(Error::load)?;
        Ok(Self {
            ring: map.try_into().map_err(Error::load)?,
            _lock: lock,
        })
    }

    /// The next event, where there is one. Samples of another size are passed over.
    pub fn try_next(&mut self) -> Option<DropEvent> {
        loop {
            if let Some(event) = decode(&self.ring.next()?) {
                return Some(event);
            }
        }
    }

    /// Passes over what happened before, and returns how much that was.
    pub fn skip(&mut self) -> usize {
        std::iter::from_fn(|| self.try_next()).count()
    }

    /// Waits for an event. False where none came in time.
    ///
    /// # Errors
    /// Where the descriptor cannot be waited for.
    pub fn wait(&self, timeout: Duration) -> Result<bool, Error> {
        let mut descriptors = [PollFd::new(self.ring.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        match nix::poll::poll(&mut descriptors, timeout) {
            Ok(ready) => Ok(ready > 0),
            Err(nix::errno::Errno::EINTR) => Ok(false),
            Err(error) => Err(Error::Map {
                map: NAME,
                verb: "wait for events",
                cause: error.into(),
            }),
        }
    }
}

/// A second reader would take events from the first.
fn lock(instance: &str) -> Result<File, Error> {
    create_directory(&run_directory(instance))?;
    let path = run_directory(instance).join("events.lock");
    let file = File::create(&path).map_err(Error::file("make", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::EventsTaken {
            instance: instance.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(Error::file("lock", path)(error)),
    }
}

/// The event of a sample's bytes.
#[must_use]
pub fn decode(sample: &[u8]) -> Option<DropEvent> {
    if sample.len() < size_of::<DropEvent>() {
        return None;
    }
    // SAFETY: there are as many bytes, every one of which is valid in any value; no alignment is asked for.
    Some(unsafe { sample.as_ptr().cast::<DropEvent>().read_unaligned() })
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
