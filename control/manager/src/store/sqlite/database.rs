//! Connections to the database's file, and what is set on each.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{error::failed, schema};
use crate::store::StoreError;

/// Memory of the writer's page cache, in KiB.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Memory of each reader's page cache, in KiB.
const READER_CACHE_KIB: i64 = 8 * 1024;
/// The file of the WAL is cut back to this after a transaction made it larger.
const WAL_BYTES_KEPT: i64 = 64 << 20;
/// How long a connection waits for a lock that another one has for a moment: recovery, and the change of the WAL's file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes the file, and an empty store in it.
pub(super) fn create(path: &Path) -> Result<Connection, StoreError> {
    make_file(path)?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    schema::create(&connection)?;
    Ok(connection)
}

/// An empty file that only its owner reads. SQLite gives its WAL the same rights.
pub(super) fn make_file(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path);
    made.map(drop)
        .map_err(|error| failed(format!("cannot make {}: {error}", path.display())))
}

pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE_KIB)?;
    let set = || {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)
    };
    set()?;
    Ok(connection)
}

pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE_KIB)
}

fn open(path: &Path, access: OpenFlags, cache_kib: i64) -> Result<Connection, StoreError> {
    let shown = path.display();
    if let Err(error) = fs::metadata(path) {
        return Err(failed(format!("cannot open {shown}: {error}")));
    }
    let connection = connect(path, access)?;
    schema::check(&connection, path)?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    Ok(connection)
}

pub(super) fn connect(path: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}
