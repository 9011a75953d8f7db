//! The embedded engine: the suite, and what only it promises.

use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

use inlay_manager::store::{Store as _, StoreError, sqlite::SqliteStore};
use rusqlite::Connection;

use crate::{
    conformance::{Any, for_engine},
    support::{DEADLINE, Scratch, commit, delete, keys, next, put, set, value},
};

for_engine! {{
    let scratch = Scratch::new();
    let store: Any = Arc::clone(&scratch.store) as Any;
    (store, scratch)
}}

fn reason<T>(result: Result<T, StoreError>) -> String {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_it_was_closed() {
    let scratch = Scratch::new();
    let epoch = scratch.store.epoch().await.unwrap();
    set(&*scratch.store, "a", "1").await;
    commit(&*scratch.store, &[], &[put("b", "2"), delete("a")])
        .await
        .unwrap();
    let scratch = scratch.reopen();
    assert_eq!(scratch.store.epoch().await.unwrap(), epoch);
    assert_eq!(scratch.store.revision().await.unwrap(), 2);
    assert_eq!(keys(&*scratch.store, "", 9).await, ["b"]);
    let mut watch = scratch.store.watch(0).await.unwrap();
    assert_eq!(next(&mut watch).await.unwrap().revision, 1);
    assert_eq!(next(&mut watch).await.unwrap().revision, 2);
    assert_eq!(set(&*scratch.store, "c", "3").await, 3);
    assert_eq!(next(&mut watch).await.unwrap().revision, 3);
}

#[tokio::test]
async fn a_closed_store_refuses_and_lets_go() {
    let Scratch { store, directory } = Scratch::new();
    set(&*store, "a", "1").await;
    let watcher = Arc::clone(&store);
    let stopped = tokio::spawn(async move { watcher.stopped().await });
    tokio::task::yield_now().await;
    assert!(!stopped.is_finished());
    store.close();
    store.close();
    tokio::time::timeout(DEADLINE, stopped)
        .await
        .unwrap()
        .unwrap();
    let refused = commit(&*store, &[], &[put("a", "2")]).await;
    assert!(reason(refused).contains("it is closed"));
    let again = SqliteStore::open(&directory.path().join("store.db")).unwrap();
    assert_eq!(value(&again, "a").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn one_file_is_left_when_it_is_closed() {
    let Scratch { store, directory } = Scratch::new();
    set(&*store, "a", "1").await;
    assert_eq!(value(&*store, "a").await.as_deref(), Some("1"));
    drop(store);
    let files = std::fs::read_dir(directory.path()).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["store.db", "store.db-lock"]);
}

#[test]
fn stores_are_told_apart() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let epoch = || runtime.block_on(Scratch::new().store.epoch()).unwrap();
    assert_ne!(epoch(), epoch());
}

#[test]
fn nobody_else_reads_it() {
    let scratch = Scratch::new();
    let files = std::fs::read_dir(scratch.directory.path()).unwrap();
    let mut count = 0;
    for file in files {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.path().display());
        count += 1;
    }
    assert!(count >= 3, "the database, its WAL and the lock");
}

#[test]
fn a_second_manager_is_refused_until_the_first_ends() {
    let scratch = Scratch::new();
    let path = scratch.path();
    assert!(reason(SqliteStore::open(&path)).contains("another manager has"));
    assert!(reason(SqliteStore::create(&path)).contains("another manager has"));
    let scratch = scratch.reopen();
    assert!(reason(SqliteStore::open(&path)).contains("another manager has"));
    drop(scratch.store);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn a_store_is_not_made_over_another() {
    let Scratch { store, directory } = Scratch::new();
    drop(store);
    let path = directory.path().join("store.db");
    assert!(reason(SqliteStore::create(&path)).contains("cannot make"));
    let missing = directory.path().join("other.db");
    assert!(reason(SqliteStore::open(&missing)).contains("cannot open"));
    assert!(!missing.exists());
}

#[test]
fn what_is_no_store_is_refused() {
    let Scratch { store, directory } = Scratch::new();
    drop(store);
    let text = directory.path().join("text.db");
    std::fs::write(
        &text,
        "It is not a database, but it is long enough to be one.".repeat(20),
    )
    .unwrap();
    assert!(reason(SqliteStore::open(&text)).contains("not a database"));
    let other = directory.path().join("other.db");
    Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE kv (a)")
        .unwrap();
    assert!(reason(SqliteStore::open(&other)).contains("not a database of Inlay"));
}

#[test]
fn another_version_of_the_schema_is_refused() {
    let Scratch { store, directory } = Scratch::new();
    drop(store);
    let path = directory.path().join("store.db");
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();
    drop(connection);
    let reason = reason(SqliteStore::open(&path));
    assert!(reason.contains("has schema 7"), "{reason}");
}

#[tokio::test]
async fn history_is_kept_by_revisions_and_by_changes() {
    let scratch = Scratch::new();
    let store = &*scratch.store;
    for number in 0..20 {
        let keys = [format!("a/{number}"), format!("b/{number}")];
        commit(store, &[], &keys.map(|key| put(&key, "")))
            .await
            .unwrap();
    }
    let oldest = async || match store.watch(0).await {
        Ok(_) => 0,
        Err(StoreError::Compacted { oldest, .. }) => oldest,
        Err(error) => panic!("{error}"),
    };
    store.compact_history().await.unwrap();
    store.compact_but(100, 100).await.unwrap();
    assert_eq!(oldest().await, 0);
    store.compact_but(15, 100).await.unwrap();
    assert_eq!(oldest().await, 5);
    // Ten changes are five revisions.
    store.compact_but(15, 10).await.unwrap();
    assert_eq!(oldest().await, 15);
    let left: i64 = Connection::open(scratch.path())
        .unwrap()
        .query_row("SELECT count(*) FROM log", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 10);
    assert_eq!(keys(store, "", 100).await.len(), 40);
}

/// More than one step of forgetting, while others write.
#[tokio::test(flavor = "multi_thread")]
async fn commits_go_on_while_history_is_forgotten() {
    let scratch = Scratch::new();
    let store = &scratch.store;
    let many: Vec<_> = (0..3_500)
        .map(|number| put(&format!("{number}"), ""))
        .collect();
    commit(&**store, &[], &many).await.unwrap();
    let (compacted, ()) = tokio::join!(store.compact(1), async {
        for number in 0..20 {
            set(&**store, "x", &number.to_string()).await;
        }
    });
    compacted.unwrap();
    let mut watch = store.watch(1).await.unwrap();
    for revision in 2..=21 {
        assert_eq!(next(&mut watch).await.unwrap().revision, revision);
    }
    assert_eq!(value(&**store, "x").await.as_deref(), Some("19"));
}
