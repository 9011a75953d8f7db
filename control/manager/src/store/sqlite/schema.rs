//! The tables, and each question that is asked of them.
//!
//! `kv` is what is there, `log` every change since the last compaction, in order; `meta` has one row.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::error::failed;
use crate::store::{
    Change, Commit, Entry, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX, Page, Revision, StoreError,
};

/// Another number for every change to the tables.
const VERSION: i64 = 1;
/// `INLY`: SQLite's `application_id`, by which `file` and we know the file.
const APPLICATION: i64 = 0x494e_4c59;

const TABLES: &str = "
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch TEXT NOT NULL,
    revision INTEGER NOT NULL,
    compacted INTEGER NOT NULL
) STRICT;
CREATE TABLE kv (
    key TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE log (
    number INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL,
    key TEXT NOT NULL,
    value BLOB
) STRICT;
CREATE INDEX log_revision ON log (revision);
";

/// Changes of one part of the history that a watch catches up with; the last revision is complete.
const HISTORY_CHANGES: usize = 1_000;

/// What holds for the whole store.
#[derive(Clone, Debug)]
pub(super) struct Meta {
    pub(super) epoch: String,
    pub(super) revision: Revision,
    pub(super) compacted: Revision,
}

/// Makes the tables of an empty store, all or none.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.execute("INSERT INTO meta VALUES (1, ?1, 0, 0)", [new_epoch()])?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// 122 random bits, as a UUID of version 4.
pub(super) fn new_epoch() -> String {
    uuid::Builder::from_random_bytes(rand::random())
        .into_uuid()
        .to_string()
}

/// Refuses a file that this version does not know how to read.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let shown = path.display();
    let read = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = read("application_id")?;
    if application != APPLICATION {
        return Err(failed(format!(
            "{shown} is not a database of Inlay's manager"
        )));
    }
    match read("user_version")? {
        VERSION => Ok(()),
        other => Err(failed(format!(
            "{shown} has schema {other}, and this version of Inlay knows {VERSION} alone; run the version that wrote it"
        ))),
    }
}

/// Reads every page of the file, and refuses one that is damaged.
pub(super) fn check_integrity(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let answer = connection.pragma_query_value(None, "integrity_check", |row| row.get(0));
    let answer: String = answer?;
    if answer != "ok" {
        let shown = path.display();
        return Err(failed(format!(
            "{shown} is damaged: {answer}; use another backup"
        )));
    }
    Ok(())
}

pub(super) fn meta(connection: &Connection) -> rusqlite::Result<Meta> {
    connection
        .prepare_cached("SELECT epoch, revision, compacted FROM meta")?
        .query_row([], |row| {
            Ok(Meta {
                epoch: row.get(0)?,
                revision: revision_at(row, 1)?,
                compacted: revision_at(row, 2)?,
            })
        })
}

pub(super) fn get(connection: &Connection, key: &str) -> rusqlite::Result<Option<Entry>> {
    connection
        .prepare_cached("SELECT key, value, created, modified FROM kv WHERE key = ?1")?
        .query_row([key], entry)
        .optional()
}

/// SQLite compares keys byte by byte, as `str` does.
pub(super) fn range(
    connection: &Connection,
    prefix: &str,
    after: &str,
    limit: usize,
) -> rusqlite::Result<Page> {
    let mut page = Page {
        revision: meta(connection)?.revision,
        ..Page::default()
    };
    let limit = limit.min(PAGE_ENTRIES_MAX);
    let (sql, first) = if after >= prefix {
        (
            "SELECT key, value, created, modified FROM kv WHERE key > ?1 ORDER BY key",
            after,
        )
    } else {
        (
            "SELECT key, value, created, modified FROM kv WHERE key >= ?1 ORDER BY key",
            prefix,
        )
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([first])?;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let key = row.get_ref(0)?.as_str()?;
        if !key.starts_with(prefix) {
            break;
        }
        if page.entries.len() >= limit || bytes >= PAGE_BYTES_MAX {
            page.more = true;
            break;
        }
        let entry = entry(row)?;
        bytes += entry.key.len() + entry.value.len();
        page.entries.push(entry);
    }
    Ok(page)
}

/// The commits that follow revision `after`, as many as make a part; `None` where they are compacted.
pub(super) fn history(
    connection: &Connection,
    after: Revision,
) -> rusqlite::Result<Option<Vec<Commit>>> {
    if after < meta(connection)?.compacted {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(
        "SELECT revision, key, value FROM log WHERE revision > ?1 ORDER BY revision, number",
    )?;
    let mut rows = statement.query([sql_revision(after)])?;
    let mut part = Part::default();
    while let Some(row) = rows.next()? {
        let revision = revision_at(row, 0)?;
        if revision != part.revision && part.is_full() {
            break;
        }
        part.add(revision, change(row)?);
    }
    Ok(Some(part.finish()))
}

/// A part of the history, as it is read.
#[derive(Default)]
struct Part {
    commits: Vec<Commit>,
    revision: Revision,
    changes: Vec<Change>,
    changes_count: usize,
    bytes: usize,
}

impl Part {
    fn is_full(&self) -> bool {
        self.changes_count >= HISTORY_CHANGES || self.bytes >= PAGE_BYTES_MAX
    }

    fn add(&mut self, revision: Revision, change: Change) {
        if revision != self.revision {
            self.end_commit();
            self.revision = revision;
        }
        self.changes_count += 1;
        self.bytes += change.key.len() + change.value.as_ref().map_or(0, Bytes::len);
        self.changes.push(change);
    }

    fn end_commit(&mut self) {
        if !self.changes.is_empty() {
            self.commits.push(Commit {
                revision: self.revision,
                changes: std::mem::take(&mut self.changes).into(),
            });
        }
    }

    fn finish(mut self) -> Vec<Commit> {
        self.end_commit();
        self.commits
    }
}

/// The revision up to which must be forgotten, so that at most `changes` changes are left; 0: none.
pub(super) fn revision_before_last(
    connection: &Connection,
    changes: u64,
) -> rusqlite::Result<Revision> {
    let changes = i64::try_from(changes).unwrap_or(i64::MAX);
    let revision = connection
        .prepare_cached(
            "SELECT revision FROM log WHERE number = (SELECT max(number) FROM log) - ?1",
        )?
        .query_row([changes], |row| revision_at(row, 0))
        .optional()?;
    Ok(revision.unwrap_or(0))
}

/// From here on, the history up to `revision` is not there.
pub(super) fn set_compacted(connection: &Connection, revision: Revision) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE meta SET compacted = max(compacted, ?1)")?
        .execute([sql_revision(revision)])?;
    Ok(())
}

/// Removes at most `changes` changes that are compacted from the log. Returns whether there may be more.
pub(super) fn forget(connection: &Connection, changes: usize) -> rusqlite::Result<bool> {
    let limit = i64::try_from(changes).unwrap_or(i64::MAX);
    let removed = connection
        .prepare_cached(
            "DELETE FROM log WHERE number IN (SELECT number FROM log
             WHERE revision <= (SELECT compacted FROM meta) ORDER BY revision, number LIMIT ?1)",
        )?
        .execute([limit])?;
    Ok(removed >= changes)
}

/// Another history begins with what is there.
pub(super) fn renew_epoch(connection: &Connection) -> rusqlite::Result<String> {
    let epoch = new_epoch();
    connection.execute("UPDATE meta SET epoch = ?1", [&epoch])?;
    Ok(epoch)
}

/// The revision that changed a key last.
pub(super) fn modified(connection: &Connection, key: &str) -> rusqlite::Result<Option<Revision>> {
    connection
        .prepare_cached("SELECT modified FROM kv WHERE key = ?1")?
        .query_row([key], |row| revision_at(row, 0))
        .optional()
}

pub(super) fn put(
    connection: &Connection,
    key: &str,
    value: &[u8],
    revision: Revision,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO kv VALUES (?1, ?2, ?3, ?3)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, modified = excluded.modified",
        )?
        .execute(params![key, value, sql_revision(revision)])?;
    Ok(())
}

/// Returns whether it was there.
pub(super) fn delete(connection: &Connection, key: &str) -> rusqlite::Result<bool> {
    let removed = connection
        .prepare_cached("DELETE FROM kv WHERE key = ?1")?
        .execute([key])?;
    Ok(removed > 0)
}

/// Writes a commit to the log, and makes its revision the store's.
pub(super) fn record(connection: &Connection, commit: &Commit) -> rusqlite::Result<()> {
    let revision = sql_revision(commit.revision);
    let mut insert =
        connection.prepare_cached("INSERT INTO log (revision, key, value) VALUES (?1, ?2, ?3)")?;
    for change in commit.changes.iter() {
        insert.execute(params![revision, &*change.key, change.value.as_deref()])?;
    }
    connection
        .prepare_cached("UPDATE meta SET revision = ?1")?
        .execute([revision])?;
    Ok(())
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        key: row.get_ref(0)?.as_str()?.into(),
        value: Bytes::copy_from_slice(row.get_ref(1)?.as_blob()?),
        created: revision_at(row, 2)?,
        modified: revision_at(row, 3)?,
    })
}

fn change(row: &Row<'_>) -> rusqlite::Result<Change> {
    let value = row.get_ref(2)?.as_blob_or_null()?;
    Ok(Change {
        key: Arc::from(row.get_ref(1)?.as_str()?),
        value: value.map(Bytes::copy_from_slice),
    })
}

/// SQLite's integers are signed; at a million commits a second they last for 292,000 years.
fn revision_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Revision> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

/// A revision that no store reaches is as good as the last one that it could.
fn sql_revision(revision: Revision) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}
