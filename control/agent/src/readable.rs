//! A descriptor that the event loop waits for.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
};

use tokio::io::{Interest, unix::AsyncFd};

/// A descriptor of `T`, which owns one and keeps it: an inotify instance or a socket. It does not block.
#[derive(Debug)]
pub(crate) struct Readable<T: AsFd>(AsyncFd<Owner<T>>);

#[derive(Debug)]
struct Owner<T>(T);

impl<T: AsFd> AsRawFd for Owner<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl<T: AsFd> Readable<T> {
    pub(crate) fn new(owner: T) -> io::Result<Self> {
        // SAFETY: `Inotify` and `OwnedFd`, the types of this crate that come here, hold one descriptor that
        // they never change, and close it when dropped, which is after it is taken from the event loop.
        let registered =
            unsafe { AsyncFd::register_with_interest(Owner(owner), Interest::READABLE) };
        Ok(Self(registered?))
    }

    pub(crate) fn get(&self) -> &T {
        &self.0.get_ref().0
    }

    /// Waits until `read` gives something else than `WouldBlock`. May be dropped while it waits.
    pub(crate) async fn read<R>(&self, mut read: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        loop {
            let mut guard = self.0.readable().await?;
            if let Ok(result) = guard.try_io(|owner| read(&owner.get_ref().0)) {
                return result;
            }
        }
    }
}
