//! Named network namespaces, as `ip netns` has them: a file in /run/netns that a namespace is mounted on.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    thread,
};

use inlay_dataplane::namespace::Namespace;
use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    sys::statfs::statfs,
};

use super::error::Error;

const DIRECTORY: &str = "/run/netns";
/// `NSFS_MAGIC`.
const NSFS: i64 = 0x6e73_6673;

/// A namespace that has no name yet, and is gone with this value.
#[derive(Debug)]
pub(super) struct Nameless {
    file: File,
    /// What tells it from every other one.
    pub(super) inode: u64,
}

impl Nameless {
    /// An empty one.
    pub(super) fn new() -> Result<Self, Error> {
        const OWN: &str = "/proc/thread-self/ns/net";
        // A thread is in one namespace for good, so that one is spent on it.
        let make = || -> io::Result<(File, u64)> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            let file = File::open(OWN)?;
            let inode = file.metadata()?.ino();
            Ok((file, inode))
        };
        let made = thread::scope(|scope| scope.spawn(make).join());
        let made = made.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let (file, inode) = made.map_err(Error::file("make", "a network namespace"))?;
        Ok(Self { file, inode })
    }

    /// Gives it a name, which nobody has.
    pub(super) fn set_name(self, name: &str) -> Result<(), Error> {
        prepare_directory()?;
        let path = path(name);
        File::create_new(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::ForeignNamespace {
                name: name.to_owned(),
            },
            _ => Error::file("make", &path)(error),
        })?;
        let source = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let mounted = mount(
            Some(source.as_str()),
            &path,
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        );
        mounted.map_err(|error| {
            let _ = fs::remove_file(&path);
            Error::file("mount a network namespace on", &path)(error.into())
        })
    }
}

/// As `ip netns add` does: what is mounted or unmounted there is so for every process that shares mounts.
fn prepare_directory() -> Result<(), Error> {
    let error = |errno: Errno| Error::file("share the mounts of", DIRECTORY)(errno.into());
    fs::create_dir_all(DIRECTORY).map_err(Error::file("make", DIRECTORY))?;
    let share = || {
        let flags = MsFlags::MS_SHARED | MsFlags::MS_REC;
        mount(None::<&str>, DIRECTORY, None::<&str>, flags, None::<&str>)
    };
    match share() {
        Ok(()) => Ok(()),
        // It is no mount point yet.
        Err(Errno::EINVAL) => {
            let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
            mount(
                Some(DIRECTORY),
                DIRECTORY,
                None::<&str>,
                flags,
                None::<&str>,
            )
            .map_err(error)?;
            share().map_err(error)
        }
        Err(errno) => Err(error(errno)),
    }
}

fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// What has a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Named {
    /// Nothing.
    Nothing,
    /// A file that no namespace is mounted on: what is left where `ip netns add` or an agent was killed.
    File,
    /// The namespace of this number.
    Namespace(u64),
}

/// What has the name `name`.
pub(super) fn look_up(name: &str) -> Result<Named, Error> {
    let path = path(name);
    let inode = match fs::metadata(&path) {
        Ok(file) => file.ino(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Named::Nothing),
        Err(error) => return Err(Error::file("look at", path)(error)),
    };
    let status =
        statfs(&path).map_err(|errno| Error::file("look at", &path)(io::Error::from(errno)))?;
    if status.filesystem_type().0 == NSFS {
        Ok(Named::Namespace(inode))
    } else {
        Ok(Named::File)
    }
}

/// The namespace `name`, to be entered.
pub(super) fn open(name: &str) -> Result<Namespace, Error> {
    Ok(Namespace::open(&path(name))?)
}

/// Takes the name from a namespace. It ends with the last process that is in it.
pub(super) fn remove_name(name: &str) -> Result<(), Error> {
    let path = path(name);
    match umount2(&path, MntFlags::MNT_DETACH) {
        // Nothing is mounted on it, or it is not there.
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {}
        Err(errno) => return Err(Error::file("unmount", path)(errno.into())),
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}
