//! Backups that are made while the store is written to, and what is restored of them.

use std::{
    fs,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use inlay_manager::store::{
    Store as _, StoreError,
    sqlite::{Existing, Restored, Saved, SqliteStore, backup, restore},
};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{Scratch, commit, keys, next, put, set, value};

fn save(from: &Path, to: &Path, existing: Existing) -> Result<Saved, StoreError> {
    backup(from, to, existing, &mut |_, _| {})
}

fn bring_back(from: &Path, to: &Path, existing: Existing) -> Result<Restored, StoreError> {
    restore(from, to, existing, &mut |_, _| {})
}

fn reason<T>(result: Result<T, StoreError>) -> String {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    }
}

fn names(directory: &TempDir) -> Vec<String> {
    let files = fs::read_dir(directory.path()).unwrap();
    let mut names: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_was_saved_comes_back_as_another_store() {
    let scratch = Scratch::new();
    set(&*scratch.store, "a", "1").await;
    set(&*scratch.store, "b", "2").await;
    let copies = TempDir::new().unwrap();
    let (file, new) = (copies.path().join("copy"), copies.path().join("new.db"));
    let saved = save(&scratch.path(), &file, Existing::Refuse).unwrap();
    assert_eq!(saved.revision, 2);
    assert_eq!(saved.len_bytes, fs::metadata(&file).unwrap().len());
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(names(&copies), ["copy"]);
    set(&*scratch.store, "c", "3").await;

    let restored = bring_back(&file, &new, Existing::Refuse).unwrap();
    assert_eq!(restored.revision, 2);
    assert_ne!(restored.epoch, scratch.store.epoch().await.unwrap());
    let store = SqliteStore::open(&new).unwrap();
    assert_eq!(store.epoch().await.unwrap(), restored.epoch);
    assert_eq!(keys(&store, "", 9).await, ["a", "b"]);
    let mut watch = store.watch(1).await.unwrap();
    assert_eq!(next(&mut watch).await.unwrap().revision, 2);
    assert_eq!(set(&store, "d", "4").await, 3);
}

/// Each transaction writes the same number to many keys on many pages; a copy that is torn has two numbers.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_of_one_revision_while_writes_go_on() {
    let scratch = Scratch::new();
    let path = scratch.path();
    let text = "x".repeat(3_000);
    let write = async |number: u64| {
        let operations: Vec<_> = (0..200)
            .map(|key| put(&format!("{key:03}"), &format!("{number} {text}")))
            .collect();
        commit(&*scratch.store, &[], &operations).await.unwrap();
    };
    write(1).await;
    let copies = TempDir::new().unwrap();
    let ended = AtomicBool::new(false);
    let (mut revisions, mut number) = (Vec::new(), 1);
    std::thread::scope(|scope| {
        let saver = scope.spawn(|| {
            let saved: Vec<_> = (0..5)
                .map(|copy| {
                    save(
                        &path,
                        &copies.path().join(copy.to_string()),
                        Existing::Refuse,
                    )
                    .unwrap()
                    .revision
                })
                .collect();
            ended.store(true, Ordering::Release);
            saved
        });
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                while !ended.load(Ordering::Acquire) {
                    number += 1;
                    write(number).await;
                }
            });
        });
        revisions = saver.join().unwrap();
    });
    assert!(revisions[4] > revisions[0], "nothing was written meanwhile");
    for (copy, revision) in revisions.into_iter().enumerate() {
        let store = SqliteStore::open(&copies.path().join(copy.to_string())).unwrap();
        let page = store.range("", "", 1_000).await.unwrap();
        assert_eq!((page.entries.len(), page.revision), (200, revision));
        let expected = format!("{revision} {text}");
        assert!(
            page.entries
                .iter()
                .all(|entry| entry.value == expected.as_bytes())
        );
    }
}

#[tokio::test]
async fn nothing_is_replaced_unless_told() {
    let scratch = Scratch::new();
    set(&*scratch.store, "a", "1").await;
    let copies = TempDir::new().unwrap();
    let file = copies.path().join("copy");
    save(&scratch.path(), &file, Existing::Refuse).unwrap();
    set(&*scratch.store, "a", "2").await;
    assert!(reason(save(&scratch.path(), &file, Existing::Refuse)).contains("there already"));
    assert_eq!(
        save(&scratch.path(), &file, Existing::Replace)
            .unwrap()
            .revision,
        2
    );
    set(&*scratch.store, "a", "3").await;

    let Scratch { store, directory } = scratch;
    let path = directory.path().join("store.db");
    assert!(reason(bring_back(&file, &path, Existing::Refuse)).contains("there already"));
    assert!(reason(bring_back(&file, &path, Existing::Replace)).contains("another manager has"));
    assert_eq!(value(&*store, "a").await.as_deref(), Some("3"));
    drop(store);
    bring_back(&file, &path, Existing::Replace).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(value(&store, "a").await.as_deref(), Some("2"));
    let kept = SqliteStore::open(&directory.path().join("store.db.before-restore")).unwrap();
    assert_eq!(value(&kept, "a").await.as_deref(), Some("3"));
}

/// What a killed manager left in its WAL goes with its database, and is not taken for part of the restored one.
#[tokio::test]
async fn the_wal_of_the_store_before_is_not_taken() {
    let scratch = Scratch::new();
    set(&*scratch.store, "a", "1").await;
    let copies = TempDir::new().unwrap();
    let file = copies.path().join("copy");
    save(&scratch.path(), &file, Existing::Refuse).unwrap();
    set(&*scratch.store, "a", "2").await;
    let killed = copies.path().join("killed.db");
    for ending in ["", "-wal"] {
        let from = format!("{}{ending}", scratch.path().display());
        fs::copy(from, format!("{}{ending}", killed.display())).unwrap();
    }
    bring_back(&file, &killed, Existing::Replace).unwrap();
    let store = SqliteStore::open(&killed).unwrap();
    assert_eq!(value(&store, "a").await.as_deref(), Some("1"));
    let kept = SqliteStore::open(&copies.path().join("killed.db.before-restore")).unwrap();
    assert_eq!(value(&kept, "a").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_bad_backup_replaces_nothing() {
    let scratch = Scratch::new();
    for number in 0..200 {
        set(&*scratch.store, &format!("{number}"), &"v".repeat(500)).await;
    }
    let copies = TempDir::new().unwrap();
    let path = |name: &str| copies.path().join(name);
    let make = |name: &str| save(&scratch.path(), &path(name), Existing::Refuse).unwrap();
    let Saved { len_bytes, .. } = make("damaged");
    let file = fs::OpenOptions::new()
        .write(true)
        .open(path("damaged"))
        .unwrap();
    file.write_all_at(&[0xff; 4096], len_bytes / 4096 / 2 * 4096)
        .unwrap();
    make("cut");
    fs::OpenOptions::new()
        .write(true)
        .open(path("cut"))
        .unwrap()
        .set_len(len_bytes / 2)
        .unwrap();
    make("newer");
    Connection::open(path("newer"))
        .unwrap()
        .pragma_update(None, "user_version", 9)
        .unwrap();
    fs::write(path("text"), "not a database").unwrap();
    fs::write(path("empty"), "").unwrap();
    fs::write(path("present"), "precious").unwrap();
    for bad in ["damaged", "cut", "newer", "text", "empty", "missing"] {
        let refused = bring_back(&path(bad), &path("present"), Existing::Replace);
        assert!(refused.is_err(), "{bad}");
        assert_eq!(fs::read(path("present")).unwrap(), b"precious", "{bad}");
        assert!(!path("present.partial").exists(), "{bad}");
    }
    make("good");
    bring_back(&path("good"), &path("present"), Existing::Replace).unwrap();
}

#[test]
fn progress_is_told() {
    let scratch = Scratch::new();
    let copy = TempDir::new().unwrap();
    let mut told = Vec::new();
    let mut progress = |done, total| told.push((done, total));
    backup(
        &scratch.path(),
        &copy.path().join("copy"),
        Existing::Refuse,
        &mut progress,
    )
    .unwrap();
    let (done, total) = *told.last().unwrap();
    assert!(done > 0 && done == total);
}
