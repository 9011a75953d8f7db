//! Where an instance's pins are.
//!
//! ```text
//! <pin root>/<instance>/
//!     <schema>-<generation>/          one set of maps, by name
//!     <schema>-<generation>/programs/ the programs that were loaded over them
//!     current -> <schema>-<generation>
//!     links/<interface index>
//! ```
//!
//! An instance belongs to one network namespace, as interface indexes do. bpffs takes no name with a dot.

use std::{
    fs, io,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use crate::{
    Error,
    sys::{self, Access},
};

/// Where the pins of all instances are, unless told otherwise.
pub const PIN_ROOT: &str = "/sys/fs/bpf/inlay";

/// Where an instance keeps what is not BPF: names for people, locks.
#[must_use]
pub fn run_directory(instance: &str) -> PathBuf {
    Path::new("/run/inlay").join(instance)
}

const INSTANCE_LEN_MAX: usize = 64;
const BPFFS_MAGIC: i64 = 0xcafe_4a11;

/// The directories of an instance.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    pub(crate) instance: String,
    directory: PathBuf,
}

/// One set of maps.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct MapSet {
    /// Its directory.
    pub(crate) directory: PathBuf,
    /// The hash of its schema.
    pub(crate) schema: u64,
    /// Later sets have higher ones.
    pub(crate) generation: u32,
}

impl MapSet {
    fn from_directory(directory: PathBuf) -> Option<Self> {
        let (schema, generation) = directory.file_name()?.to_str()?.split_once('-')?;
        let schema = u64::from_str_radix(schema, 16).ok()?;
        let generation = generation.parse().ok()?;
        Some(Self {
            directory,
            schema,
            generation,
        })
    }

    pub(crate) fn programs(&self) -> PathBuf {
        self.directory.join("programs")
    }
}

impl Pins {
    pub(crate) fn new(root: &Path, instance: &str) -> Result<Self, Error> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if instance.is_empty()
            || instance.len() > INSTANCE_LEN_MAX
            || !instance.chars().all(is_name)
        {
            return Err(Error::InstanceName {
                instance: instance.to_owned(),
            });
        }
        Ok(Self {
            instance: instance.to_owned(),
            directory: root.join(instance),
        })
    }

    pub(crate) fn links(&self) -> PathBuf {
        self.directory.join("links")
    }

    pub(crate) fn link(&self, interface_index: u32) -> PathBuf {
        self.links().join(interface_index.to_string())
    }

    fn current_link(&self) -> PathBuf {
        self.directory.join("current")
    }

    /// Makes the directories that every set shares.
    pub(crate) fn create(&self) -> Result<(), Error> {
        create_directory(&self.links())?;
        let is_bpffs = nix::sys::statfs::statfs(&self.directory)
            .is_ok_and(|status| status.filesystem_type().0 == BPFFS_MAGIC);
        if is_bpffs {
            Ok(())
        } else {
            Err(Error::NoBpffs {
                path: self.directory.clone(),
            })
        }
    }

    /// Every set, the current one first, then the newest first.
    pub(crate) fn sets(&self) -> Result<Vec<MapSet>, Error> {
        let current = self.current();
        let mut sets: Vec<MapSet> = list(&self.directory)?
            .into_iter()
            .filter_map(MapSet::from_directory)
            .collect();
        sets.sort_by_key(|set| {
            (
                Some(set) != current.as_ref(),
                std::cmp::Reverse(set.generation),
            )
        });
        Ok(sets)
    }

    /// The set that inspection looks at.
    pub(crate) fn current(&self) -> Option<MapSet> {
        let name = fs::read_link(self.current_link()).ok()?;
        MapSet::from_directory(self.directory.join(name))
    }

    /// A set beside those that there are. Nothing is made of it yet.
    pub(crate) fn next_set(&self, schema: u64) -> Result<MapSet, Error> {
        let generation = self
            .sets()?
            .iter()
            .map(|set| set.generation)
            .max()
            .unwrap_or(0)
            + 1;
        let directory = self.directory.join(format!("{schema:016x}-{generation}"));
        Ok(MapSet {
            directory,
            schema,
            generation,
        })
    }

    /// Makes `set` the one that inspection looks at, atomically.
    pub(crate) fn make_current(&self, set: &MapSet) -> Result<(), Error> {
        let (link, next) = (self.current_link(), self.directory.join("next"));
        let Some(name) = set.directory.file_name() else {
            return Ok(());
        };
        remove_file(&next)?;
        std::os::unix::fs::symlink(name, &next).map_err(Error::file("make", &next))?;
        fs::rename(&next, &link).map_err(Error::file("replace", &link))
    }

    /// Removes a set's pins. What uses its maps keeps them.
    pub(crate) fn remove_set(set: &MapSet) -> Result<(), Error> {
        for directory in [set.programs(), set.directory.clone()] {
            for pin in list(&directory)? {
                if pin != set.programs() {
                    remove_file(&pin)?;
                }
            }
            remove_directory(&directory)?;
        }
        Ok(())
    }

    /// Removes everything.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        for interface_index in self.linked()? {
            self.remove_link(interface_index)?;
        }
        for set in self.sets()? {
            Self::remove_set(&set)?;
        }
        remove_file(&self.current_link())?;
        remove_file(&self.directory.join("next"))?;
        remove_directory(&self.links())?;
        remove_directory(&self.directory)
    }

    /// The interfaces that have a pinned link, whether or not they are still there.
    pub(crate) fn linked(&self) -> Result<Vec<u32>, Error> {
        let numbers = list(&self.links())?.into_iter();
        let mut numbers: Vec<u32> = numbers
            .filter_map(|path| path.file_name()?.to_str()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Detaches the link of an interface, if there is one.
    pub(crate) fn remove_link(&self, interface_index: u32) -> Result<(), Error> {
        let path = self.link(interface_index);
        if let Some(link) = self.open_link(interface_index)? {
            sys::detach_link(link.as_fd()).map_err(Error::file("detach", &path))?;
        }
        remove_file(&path)
    }

    /// The pinned link of an interface.
    pub(crate) fn open_link(&self, interface_index: u32) -> Result<Option<OwnedFd>, Error> {
        let path = self.link(interface_index);
        match sys::open_pin(&path, Access::ReadWrite) {
            Ok(link) => Ok(Some(link)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::file("open", path)(error)),
        }
    }
}

pub(crate) fn create_directory(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::file("make", path))
}

pub(crate) fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn remove_directory(path: &Path) -> Result<(), Error> {
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// What is in a directory; nothing where there is none.
pub(crate) fn list(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::file("list", directory))?,
    };
    entries
        .map(|entry| {
            entry
                .map(|entry| entry.path())
                .map_err(Error::file("list", directory))
        })
        .collect()
}
