//! A process that writes is killed in the middle of it. What it had reported is there, and nothing is torn.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use inlay_manager::store::{Commit, Operation, Revision, Store as _, sqlite::SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{DEADLINE, commit, next, put};

/// Where the child finds its store; nobody else sets it.
const PATH: &str = "INLAY_TEST_CRASH_STORE";
/// Bytes of the value of each operation.
const VALUE_BYTES: usize = 1000;
/// Operations of a transaction that does not fit into the writer's cache, and so is on the disk before it is committed.
const LARGE: usize = 40_000;

/// What the child does: several tasks that commit, each transaction the same text under several keys. A transaction and
/// its revision are told once they are durable.
#[test]
#[ignore = "the tests of this file run it as a process of its own"]
fn child() {
    let path = env::var_os(PATH).expect("it is run by the tests of this file");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Arc::new(SqliteStore::open(Path::new(&path)).unwrap());
        let mut tasks = Vec::new();
        for task in 0..4 {
            tasks.push(tokio::spawn(write_for_ever(Arc::clone(&store), task)));
        }
        tasks.push(tokio::spawn(write_large(store)));
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn write_for_ever(store: Arc<SqliteStore>, task: usize) {
    for number in 0.. {
        let operations: Vec<_> = (0..=number % 20)
            .map(|key| operation(task, key, number))
            .collect();
        let revision = commit(&*store, &[], &operations).await.unwrap();
        println!("committed {revision} {task} {number}");
    }
}

async fn write_large(store: Arc<SqliteStore>) {
    for number in 0.. {
        let operations: Vec<_> = (0..LARGE).map(|key| operation(9, key, number)).collect();
        println!("large");
        let revision = commit(&*store, &[], &operations).await.unwrap();
        println!("committed {revision} 9 {number}");
    }
}

fn operation(task: usize, key: usize, number: usize) -> Operation {
    put(&format!("{task}/{key:05}"), &text(number))
}

fn text(number: usize) -> String {
    format!("{number:VALUE_BYTES$}")
}

/// A child that is killed when it is dropped.
struct Writer(Child);

impl Writer {
    fn start(path: &Path) -> Self {
        let child = Command::new(env::current_exe().unwrap())
            .args(["crash::child", "--exact", "--ignored", "--nocapture"])
            .env(PATH, path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Reads what it reports, until `enough` says so; then kills it, and reads the rest.
    fn kill_when(mut self, mut enough: impl FnMut(&[String]) -> bool) -> Vec<String> {
        let deadline = Instant::now() + 2 * DEADLINE;
        let mut lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let mut reported = Vec::new();
        while !enough(&reported) {
            assert!(Instant::now() < deadline, "the child does not get there");
            reported.push(lines.next().expect("the child has ended").unwrap());
        }
        self.0.kill().unwrap();
        reported.extend(lines.map_while(Result::ok));
        reported
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // It is dead already, where nothing failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Revision, task and number of a report.
fn committed(line: &str) -> Option<(Revision, usize, usize)> {
    let mut words = line.strip_prefix("committed ")?.split(' ');
    let revision = words.next()?.parse().ok()?;
    Some((
        revision,
        words.next()?.parse().ok()?,
        words.next()?.parse().ok()?,
    ))
}

/// Everything since `after`, from the log: revisions without gaps, each commit whole.
async fn history(store: &SqliteStore, after: Revision) -> Vec<Commit> {
    let last = store.revision().await.unwrap();
    let mut watch = store.watch(after).await.unwrap();
    let mut commits = Vec::new();
    for revision in after + 1..=last {
        let commit = next(&mut watch).await.unwrap();
        assert_eq!(commit.revision, revision);
        assert_whole(&commit);
        commits.push(commit);
    }
    commits
}

/// One text under all the keys that its transaction had.
fn assert_whole(commit: &Commit) {
    let first = commit.changes[0].value.as_ref().unwrap();
    assert!(
        commit
            .changes
            .iter()
            .all(|change| change.value.as_ref() == Some(first))
    );
    let number: usize = std::str::from_utf8(first).unwrap().trim().parse().unwrap();
    let is_large = commit.changes[0].key.starts_with('9');
    let expected = if is_large { LARGE } else { 1 + number % 20 };
    assert_eq!(
        commit.changes.len(),
        expected,
        "revision {}",
        commit.revision
    );
}

fn assert_intact(path: &Path) {
    let connection = Connection::open(path).unwrap();
    let answer: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(answer, "ok");
}

/// The table of what is there says what the log says.
async fn assert_latest(store: &SqliteStore, commits: &[Commit]) {
    let latest = commits.iter().flat_map(|commit| {
        commit
            .changes
            .iter()
            .map(|change| (&*change.key, (change.value.as_ref(), commit.revision)))
    });
    let latest: std::collections::BTreeMap<_, _> = latest.collect();
    let mut after = String::new();
    loop {
        let page = store.range("", &after, 5_000).await.unwrap();
        for entry in &page.entries {
            if let Some((value, revision)) = latest.get(&*entry.key) {
                assert_eq!((Some(&entry.value), &entry.modified), (*value, revision));
            }
        }
        if !page.more {
            return;
        }
        after = page.entries.last().unwrap().key.to_string();
    }
}

async fn check(path: &Path, reported: &[String], before: Revision) -> Revision {
    let store = SqliteStore::open(path).unwrap();
    let commits = history(&store, before).await;
    for (revision, task, number) in reported.iter().filter_map(|line| committed(line)) {
        let place = usize::try_from(revision - before - 1).unwrap();
        let commit = commits
            .get(place)
            .unwrap_or_else(|| panic!("revision {revision} is lost"));
        assert!(commit.changes[0].key.starts_with(&format!("{task}/")));
        assert_eq!(
            commit.changes[0].value.as_ref().unwrap(),
            text(number).as_bytes()
        );
    }
    assert_latest(&store, &commits).await;
    let revision = store.revision().await.unwrap();
    drop(store);
    assert_intact(path);
    revision
}

/// Another place each time: after so many reports.
#[tokio::test]
async fn what_was_reported_survives_a_kill() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    drop(SqliteStore::create(&path).unwrap());
    let mut revision = 0;
    for reports in [1, 17, 60, 150] {
        let is_report = |line: &&String| committed(line).is_some();
        let reported = Writer::start(&path)
            .kill_when(|lines| lines.iter().filter(is_report).count() >= reports);
        let after = check(&path, &reported, revision).await;
        assert!(after >= revision + reports as u64);
        revision = after;
    }
}

/// The WAL has grown by more than the small transactions write before the large one is committed: SQLite has no room
/// for its pages, and writes them early. That is the moment.
#[tokio::test]
async fn a_transaction_that_is_half_written_is_not_there() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    drop(SqliteStore::create(&path).unwrap());
    let wal = directory.path().join("store.db-wal");
    let reported = Writer::start(&path).kill_when(|lines| {
        let is_begun = lines.iter().any(|line| line.ends_with("large"));
        is_begun && wait_until_longer(&wal, 24 << 20)
    });
    let is_large = |line: &String| committed(line).is_some_and(|(_, task, _)| task == 9);
    assert!(
        !reported.iter().any(is_large),
        "it was committed before it was killed"
    );
    check(&path, &reported, 0).await;
    let store = SqliteStore::open(&path).unwrap();
    let page = store.range("9/", "", 1).await.unwrap();
    assert!(page.entries.is_empty());
}

fn wait_until_longer(file: &Path, len_bytes: u64) -> bool {
    let deadline = Instant::now() + DEADLINE;
    while fs::metadata(file).map_or(0, |file| file.len()) < len_bytes {
        assert!(Instant::now() < deadline, "the WAL does not grow");
        std::thread::yield_now();
    }
    true
}

/// A machine that loses its power leaves a WAL that ends anywhere: each beginning of it is a beginning of the history.
#[tokio::test]
async fn a_wal_that_ends_anywhere_is_a_beginning_of_the_history() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    let store = SqliteStore::create(&path).unwrap();
    for number in 0..12 {
        let operations: Vec<_> = (0..=number % 20)
            .map(|key| operation(0, key, number))
            .collect();
        commit(&store, &[], &operations).await.unwrap();
    }
    let database = fs::read(&path).unwrap();
    let wal = fs::read(directory.path().join("store.db-wal")).unwrap();
    let copy = directory.path().join("copy.db");
    let mut seen = std::collections::BTreeSet::new();
    for len in (0..wal.len()).step_by(2_500).chain([wal.len()]) {
        fs::write(&copy, &database).unwrap();
        fs::write(directory.path().join("copy.db-wal"), &wal[..len]).unwrap();
        // The tables themselves may still be in the WAL.
        let Ok(store) = SqliteStore::open(&copy) else {
            assert!(seen.is_empty(), "it was readable with less of its WAL");
            continue;
        };
        let commits = history(&store, 0).await;
        assert_latest(&store, &commits).await;
        seen.insert(commits.len());
        drop(store);
        assert_intact(&copy);
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        (0..=12).collect::<Vec<_>>()
    );
}
