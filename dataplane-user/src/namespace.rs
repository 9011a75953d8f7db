//! Network namespaces: the one an instance lives in, and those that its ports lead to. Device maps, routing
//! and interface numbers all mean the namespace of whoever asks.

use std::{
    fs::{self, File},
    os::{
        fd::{AsFd, AsRawFd as _, BorrowedFd},
        unix::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
    thread,
};

use nix::sched::CloneFlags;

use crate::{
    Error, netlink,
    pins::{create_directory, run_directory},
};

/// A network namespace, held open.
#[derive(Debug)]
pub struct Namespace {
    file: File,
    inode: u64,
}

const OWN: &str = "/proc/thread-self/ns/net";

impl Namespace {
    /// The one that `path` is: a file that one is mounted on, or a process's.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::file("open", path))?;
        let inode = file.metadata().map_err(Error::file("look at", path))?.ino();
        Ok(Self { file, inode })
    }

    /// The one that this thread is in.
    ///
    /// # Errors
    /// Where /proc is not mounted.
    pub fn current() -> Result<Self, Error> {
        Self::open(Path::new(OWN))
    }

    /// The one that the agent of an instance is, or was, in; this thread's where it did not tell, or where it
    /// is gone.
    ///
    /// # Errors
    /// Where /proc is not mounted.
    pub fn of_instance(instance: &str) -> Result<Self, Error> {
        let own = Self::current()?;
        match own.other(instance) {
            Some((_, path)) => Self::open(&path),
            None => Ok(own),
        }
    }

    /// Refuses a thread that is in another one than `instance` is attached in.
    pub(crate) fn check_own(instance: &str) -> Result<(), Error> {
        match Self::current()?.other(instance) {
            Some((inode, path)) => Err(Error::OtherNamespace {
                instance: instance.to_owned(),
                inode,
                path,
            }),
            None => Ok(()),
        }
    }

    /// The number and a file of the one that is noted for `instance`, where it is another than this and is
    /// still there.
    fn other(&self, instance: &str) -> Option<(u64, PathBuf)> {
        let text = fs::read_to_string(note(instance)).ok()?;
        let inode = text.trim().parse().ok()?;
        let found = (inode != self.inode).then(candidates)?;
        let path = found.into_iter().find(|path| number(path) == Some(inode))?;
        Some((inode, path))
    }

    /// Notes that this thread's is the one of `instance`.
    pub(crate) fn note(instance: &str) -> Result<(), Error> {
        create_directory(&run_directory(instance))?;
        let path = note(instance);
        fs::write(&path, Self::current()?.inode.to_string()).map_err(Error::file("write", path))
    }

    /// The one that this namespace's number `id` names (`IFLA_LINK_NETNSID`), where it can be found.
    #[must_use]
    pub fn of_id(id: i32) -> Option<Self> {
        candidates()
            .into_iter()
            .filter_map(|path| Self::open(&path).ok())
            .find(|namespace| {
                netlink::namespace_id(namespace.file.as_raw_fd())
                    .is_ok_and(|found| found == Some(id))
            })
    }

    /// Runs `work` in it, on a thread of its own.
    ///
    /// # Errors
    /// Where it cannot be entered, or what `work` returns.
    pub fn run<T: Send, E: From<Error> + Send>(
        &self,
        work: impl FnOnce() -> Result<T, E> + Send,
    ) -> Result<T, E> {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                nix::sched::setns(&self.file, CloneFlags::CLONE_NEWNET)
                    .map_err(|error| Error::file("enter", "the network namespace")(error.into()))?;
                work()
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn note(instance: &str) -> PathBuf {
    run_directory(instance).join("netns")
}

fn number(path: &Path) -> Option<u64> {
    Some(fs::metadata(path).ok()?.ino())
}

/// Where namespaces are to be found: named ones first, then those of processes, each once.
fn candidates() -> Vec<PathBuf> {
    let names = |directory: &str| {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let is_process = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit))
    };
    let processes = names("/proc")
        .into_iter()
        .filter(is_process)
        .map(|path| path.join("ns/net"));
    let mut seen = std::collections::BTreeSet::new();
    let all = names("/run/netns").into_iter().chain(processes);
    all.filter(|path| number(path).is_some_and(|inode| seen.insert(inode)))
        .collect()
}
