//! Copies of the database: made while it is written to, and put in its place.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};

use super::{
    database,
    error::failed,
    lock::{Lock, beside},
    schema,
};
use crate::store::{Revision, StoreError};

/// Pages that are copied between two reports of progress (16 MiB).
const STEP_PAGES: i32 = 4096;

/// What is to be done with a file that is where the copy should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Existing {
    /// It is kept, and nothing is done.
    Refuse,
    /// It is replaced, once the copy is known to be good.
    Replace,
}

/// A backup that was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Saved {
    /// What it holds.
    pub revision: Revision,
    /// Its size.
    pub len_bytes: u64,
}

/// A store that was restored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restored {
    /// Its own, other than that of the store that was saved: agents may have seen a later history.
    pub epoch: String,
    /// What it holds.
    pub revision: Revision,
}

/// Is told how many pages of how many are copied.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Copies the store at `source`, at one revision, to the file `destination`, readable by its owner alone. A manager that
/// has the store goes on with it. The copy is read and checked before it gets its name.
///
/// # Errors
/// Where `source` is no store, or `destination` is there already or cannot be written.
pub fn backup(
    source: &Path,
    destination: &Path,
    existing: Existing,
    progress: Progress<'_>,
) -> Result<Saved, StoreError> {
    refuse_existing(destination, existing)?;
    let mut source = database::open_reader(source)?;
    let copy = Partial::make(destination)?;
    let connection = copy.fill(&mut source, progress)?;
    let revision = schema::meta(&connection)?.revision;
    drop(connection);
    let len_bytes = copy.finish()?;
    Ok(Saved {
        revision,
        len_bytes,
    })
}

/// Puts the backup `source` in the place of the store at `destination`, where no manager may have one. What was there is
/// kept beside it, with `.before-restore` after its name.
///
/// # Errors
/// Where `source` is no backup or is damaged; where there is a store already, or another manager has it.
pub fn restore(
    source: &Path,
    destination: &Path,
    existing: Existing,
    progress: Progress<'_>,
) -> Result<Restored, StoreError> {
    refuse_existing(destination, existing)?;
    let _lock = Lock::take(destination)?;
    let mut source = database::open_reader(source)?;
    let copy = Partial::make(destination)?;
    let connection = copy.fill(&mut source, progress)?;
    let epoch = schema::renew_epoch(&connection)?;
    let revision = schema::meta(&connection)?.revision;
    drop(connection);
    set_aside(destination)
        .map_err(|error| failed(format!("cannot rename {}: {error}", destination.display())))?;
    copy.finish()?;
    Ok(Restored { epoch, revision })
}

fn refuse_existing(path: &Path, existing: Existing) -> Result<(), StoreError> {
    if existing == Existing::Refuse && path.exists() {
        let shown = path.display();
        return Err(failed(format!(
            "{shown} is there already; say that it is to be replaced"
        )));
    }
    Ok(())
}

/// Renames a database and its WAL, which would otherwise be taken for that of the database that comes. The name of the WAL
/// follows that of its database, so that both still belong together.
fn set_aside(database: &Path) -> io::Result<()> {
    let aside = beside(database, ".before-restore");
    let rename = |from: &Path, to: &Path| match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    };
    let remove = |path: &Path| match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    };
    if database.exists() {
        remove(&beside(&aside, "-wal"))?;
        rename(database, &aside)?;
    }
    rename(&beside(database, "-wal"), &beside(&aside, "-wal"))?;
    remove(&beside(database, "-shm"))
}

/// A copy that has not got its name yet; it is removed unless it gets it.
struct Partial {
    path: PathBuf,
    destination: PathBuf,
}

impl Partial {
    fn make(destination: &Path) -> Result<Self, StoreError> {
        let path = beside(destination, ".partial");
        // Of one that was killed.
        if path.exists() {
            fs::remove_file(&path)
                .map_err(|error| failed(format!("cannot remove {}: {error}", path.display())))?;
        }
        database::make_file(&path)?;
        Ok(Self {
            path,
            destination: destination.to_owned(),
        })
    }

    /// Copies all pages as they are at one revision, and checks the copy.
    fn fill(
        &self,
        source: &mut Connection,
        progress: Progress<'_>,
    ) -> Result<Connection, StoreError> {
        let mut copy = database::connect(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        copy_pages(source, &mut copy, progress)?;
        // A backup is one file: without a WAL beside it.
        copy.pragma_update(None, "journal_mode", "DELETE")?;
        schema::check(&copy, &self.path)?;
        schema::check_integrity(&copy, &self.path)?;
        Ok(copy)
    }

    /// Gives the copy its name, on the disk. Returns its size in bytes.
    fn finish(self) -> Result<u64, StoreError> {
        let named = || {
            let file = File::open(&self.path)?;
            file.sync_all()?;
            fs::rename(&self.path, &self.destination)?;
            let directory = self.destination.parent().unwrap_or(Path::new("."));
            let directory = if directory.as_os_str().is_empty() {
                Path::new(".")
            } else {
                directory
            };
            File::open(directory)?.sync_all()?;
            Ok(file.metadata()?.len())
        };
        let shown = self.destination.display();
        named().map_err(|error: io::Error| failed(format!("cannot write {shown}: {error}")))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Where it got its name, there is nothing of this one.
        let _ = fs::remove_file(&self.path);
    }
}

fn copy_pages(
    source: &mut Connection,
    copy: &mut Connection,
    progress: Progress<'_>,
) -> rusqlite::Result<()> {
    // Holds the source at its present revision over all steps; commits go on behind it, in the WAL.
    let transaction = source.transaction()?;
    schema::meta(&transaction)?;
    let backup = Backup::new(&transaction, copy)?;
    loop {
        let step = backup.step(STEP_PAGES)?;
        let reached = backup.progress();
        let total = u64::try_from(reached.pagecount).unwrap_or(0);
        let remaining = u64::try_from(reached.remaining).unwrap_or(0);
        progress(total.saturating_sub(remaining), total);
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            // The copy is ours alone, and nothing is locked in the source: this cannot last.
            _ => std::thread::yield_now(),
        }
    }
}
