//! One manager for one database: a lock that ends with its process. It is on a file beside the database, because
//! SQLite loses its own locks where somebody else closes the database's file.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::error::failed;
use crate::store::StoreError;

/// The lock, until it is dropped. The file stays: removed, it could be locked by two.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn take(database: &Path) -> Result<Self, StoreError> {
        let path = beside(database, "-lock");
        let shown = path.display();
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| failed(format!("cannot open {shown}: {error}")))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => failed(format!(
                "another manager has {}; stop that one first",
                database.display()
            )),
            TryLockError::Error(error) => failed(format!("cannot lock {shown}: {error}")),
        })?;
        Ok(Self { _file: file })
    }
}

/// The file of this name and ending, in the same directory.
pub(super) fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut path = OsString::from(database);
    path.push(ending);
    path.into()
}
