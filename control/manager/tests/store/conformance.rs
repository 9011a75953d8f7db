//! What every engine must do. Each function takes an empty store; `for_engine!` makes a test of each.

use std::sync::Arc;

use bytes::Bytes;
use inlay_manager::store::{
    Commit, KEY_BYTES_MAX, OPERATIONS_MAX, Operation, PAGE_ENTRIES_MAX, Store, StoreError,
    TRANSACTION_BYTES_MAX, VALUE_BYTES_MAX, WATCH_COMMITS_MAX, WATCHES_MAX,
};

use crate::support::{
    absent, change, commit, delete, keys, next, put, set, transaction, unchanged, value,
};

/// Makes a test of every function of this suite. `$open` makes an empty store, and what is to live as long.
macro_rules! for_engine {
    ($open:expr) => {
        $crate::conformance::for_engine! { $open;
            an_empty_store_is_at_revision_0,
            each_commit_is_one_revision,
            an_entry_knows_when_it_was_created_and_modified,
            what_changes_nothing_makes_no_revision,
            conditions_that_hold_allow,
            conditions_that_do_not_hold_refuse,
            a_transaction_is_done_all_or_none,
            ranges_are_in_the_order_of_keys,
            pages_follow_each_other,
            prefixes_end_where_they_end,
            pages_are_limited_whatever_is_asked,
            a_page_shows_one_revision,
            limits_are_refused,
            limits_are_reached,
            a_watch_gives_the_past_then_what_comes,
            a_watch_begins_after_its_revision,
            a_watch_gives_what_changed_and_nothing_else,
            watches_miss_and_double_nothing_under_load,
            a_slow_receiver_is_closed_and_can_go_on,
            watches_are_limited,
            what_is_compacted_is_refused,
            compaction_keeps_what_is_there,
            one_of_many_writers_wins,
            writers_do_not_lose_each_others_changes,
        }
    };
    ($open:expr; $($name:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let (store, _keep) = $open;
                $crate::conformance::$name(store).await;
            }
        )+
    };
}
pub(crate) use for_engine;

pub(crate) type Any = Arc<dyn Store>;

fn is_conflict<T>(result: &Result<T, StoreError>, about: &str) -> bool {
    matches!(result, Err(StoreError::Conflict { key }) if key == about)
}

fn is_refused<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Refused { .. }))
}

pub(crate) async fn an_empty_store_is_at_revision_0(store: Any) {
    assert_eq!(store.revision().await.unwrap(), 0);
    assert_eq!(store.get("a").await.unwrap(), None);
    let page = store.range("", "", 10).await.unwrap();
    assert_eq!(
        (page.entries.len(), page.more, page.revision),
        (0, false, 0)
    );
    assert!(!store.epoch().await.unwrap().is_empty());
    assert_eq!(store.epoch().await.unwrap(), store.epoch().await.unwrap());
}

pub(crate) async fn each_commit_is_one_revision(store: Any) {
    assert_eq!(set(&*store, "a", "1").await, 1);
    let two = [put("b", "2"), put("c", "3"), delete("a")];
    assert_eq!(commit(&*store, &[], &two).await.unwrap(), 2);
    assert_eq!(store.revision().await.unwrap(), 2);
    assert_eq!(value(&*store, "a").await, None);
    assert_eq!(value(&*store, "b").await.as_deref(), Some("2"));
}

pub(crate) async fn an_entry_knows_when_it_was_created_and_modified(store: Any) {
    let of = async |key: &str| {
        let entry = store.get(key).await.unwrap().unwrap();
        (entry.created, entry.modified)
    };
    set(&*store, "a", "1").await;
    assert_eq!(of("a").await, (1, 1));
    set(&*store, "a", "2").await;
    set(&*store, "b", "2").await;
    assert_eq!(of("a").await, (1, 2));
    commit(&*store, &[], &[delete("a")]).await.unwrap();
    set(&*store, "a", "3").await;
    assert_eq!(of("a").await, (5, 5));
}

pub(crate) async fn what_changes_nothing_makes_no_revision(store: Any) {
    set(&*store, "a", "1").await;
    assert_eq!(commit(&*store, &[], &[]).await.unwrap(), 1);
    assert_eq!(commit(&*store, &[unchanged("a", 1)], &[]).await.unwrap(), 1);
    assert_eq!(commit(&*store, &[], &[delete("b")]).await.unwrap(), 1);
    // The same value again is a change: whoever wrote it can tell by its revision.
    assert_eq!(set(&*store, "a", "1").await, 2);
}

pub(crate) async fn conditions_that_hold_allow(store: Any) {
    let done = commit(&*store, &[absent("a")], &[put("a", "1")]).await;
    assert_eq!(done.unwrap(), 1);
    let done = commit(&*store, &[unchanged("a", 1), absent("b")], &[put("a", "2")]).await;
    assert_eq!(done.unwrap(), 2);
    let done = commit(&*store, &[unchanged("a", 2)], &[delete("a")]).await;
    assert_eq!(done.unwrap(), 3);
    let done = commit(&*store, &[absent("a")], &[put("a", "3")]).await;
    assert_eq!(done.unwrap(), 4);
}

pub(crate) async fn conditions_that_do_not_hold_refuse(store: Any) {
    set(&*store, "a", "1").await;
    set(&*store, "a", "2").await;
    let write = [put("x", "1")];
    assert!(is_conflict(
        &commit(&*store, &[absent("a")], &write).await,
        "a"
    ));
    assert!(is_conflict(
        &commit(&*store, &[unchanged("a", 1)], &write).await,
        "a"
    ));
    assert!(is_conflict(
        &commit(&*store, &[unchanged("a", 3)], &write).await,
        "a"
    ));
    assert!(is_conflict(
        &commit(&*store, &[unchanged("b", 0)], &write).await,
        "b"
    ));
    assert!(is_conflict(
        &commit(&*store, &[absent("a")], &[]).await,
        "a"
    ));
    assert_eq!(store.revision().await.unwrap(), 2);
    assert_eq!(value(&*store, "x").await, None);
}

pub(crate) async fn a_transaction_is_done_all_or_none(store: Any) {
    set(&*store, "a", "1").await;
    let conditions = [unchanged("a", 1), absent("b"), absent("a")];
    let operations = [put("a", "2"), put("b", "2"), delete("a2")];
    let refused = commit(&*store, &conditions, &operations).await;
    assert!(is_conflict(&refused, "a"));
    assert_eq!(value(&*store, "a").await.as_deref(), Some("1"));
    assert_eq!(value(&*store, "b").await, None);
    commit(&*store, &conditions[..2], &operations)
        .await
        .unwrap();
    assert_eq!(keys(&*store, "", 10).await, ["a", "b"]);
}

pub(crate) async fn ranges_are_in_the_order_of_keys(store: Any) {
    // Capitals before small letters, and others after both: the order of bytes.
    let all = ["a", "b", "B", "a/2", "a/10", "é", "a\u{10ffff}", "aa"];
    let operations: Vec<_> = all.iter().map(|key| put(key, key)).collect();
    commit(&*store, &[], &operations).await.unwrap();
    let mut sorted = all;
    sorted.sort_unstable();
    assert_eq!(keys(&*store, "", 100).await, sorted);
}

pub(crate) async fn pages_follow_each_other(store: Any) {
    let all: Vec<_> = (0..10).map(|number| format!("n/{number}")).collect();
    let operations: Vec<_> = all.iter().map(|key| put(key, "")).collect();
    commit(&*store, &[], &operations).await.unwrap();
    set(&*store, "o", "").await;
    for limit in [1, 3, 5, 10, 11] {
        assert_eq!(keys(&*store, "n/", limit).await, all, "pages of {limit}");
    }
    let full = store.range("n/", "", 10).await.unwrap();
    assert_eq!((full.entries.len(), full.more), (10, false));
    let part = store.range("n/", "n/4", 5).await.unwrap();
    assert_eq!((&*part.entries[0].key, part.more), ("n/5", false));
    let none = store.range("n/", "", 0).await.unwrap();
    assert_eq!((none.entries.len(), none.more), (0, true));
    // What was the last one may be gone when the next page is asked for.
    commit(&*store, &[], &[delete("n/4")]).await.unwrap();
    let part = store.range("n/", "n/4", 1).await.unwrap();
    assert_eq!((&*part.entries[0].key, part.more), ("n/5", true));
}

pub(crate) async fn prefixes_end_where_they_end(store: Any) {
    let all = ["a", "a/", "a/b", "a/\u{10ffff}", "a/\u{10ffff}z", "a0", "b"];
    let operations: Vec<_> = all.iter().map(|key| put(key, "")).collect();
    commit(&*store, &[], &operations).await.unwrap();
    assert_eq!(keys(&*store, "a/", 9).await, all[1..5]);
    assert_eq!(keys(&*store, "a/\u{10ffff}", 9).await, all[3..5]);
    assert_eq!(keys(&*store, "a/b", 9).await, ["a/b"]);
    assert_eq!(keys(&*store, "c", 9).await, [""; 0]);
    // What is before the prefix begins with its first; what is behind it has nothing.
    let page = store.range("a/", "a", 1).await.unwrap();
    assert_eq!(&*page.entries[0].key, "a/");
    let page = store.range("a/", "a0", 1).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (0, false));
}

pub(crate) async fn pages_are_limited_whatever_is_asked(store: Any) {
    let operations: Vec<_> = (0..=PAGE_ENTRIES_MAX)
        .map(|number| put(&format!("{number:08}"), ""))
        .collect();
    commit(&*store, &[], &operations).await.unwrap();
    let page = store.range("", "", usize::MAX).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (PAGE_ENTRIES_MAX, true));
    let last = &page.entries[PAGE_ENTRIES_MAX - 1].key;
    let page = store.range("", last, usize::MAX).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (1, false));
}

pub(crate) async fn a_page_shows_one_revision(store: Any) {
    let both = |number: u64| [put("a", &number.to_string()), put("b", &number.to_string())];
    commit(&*store, &[], &both(1)).await.unwrap();
    let writer = Arc::clone(&store);
    let writes = tokio::spawn(async move {
        for number in 2..200 {
            commit(&*writer, &[], &both(number)).await.unwrap();
        }
    });
    while !writes.is_finished() {
        let page = store.range("", "", 2).await.unwrap();
        let expected = page.revision.to_string();
        for entry in page.entries {
            assert_eq!(entry.value, expected.as_bytes());
            assert_eq!(entry.modified, page.revision);
        }
    }
    writes.await.unwrap();
}

pub(crate) async fn limits_are_refused(store: Any) {
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    let large = Operation::Put("a".into(), vec![0; VALUE_BYTES_MAX + 1].into());
    let many: Vec<_> = (0..=OPERATIONS_MAX)
        .map(|key| delete(&key.to_string()))
        .collect();
    let value = Bytes::from(vec![0; VALUE_BYTES_MAX]);
    let heavy: Vec<_> = (0..=TRANSACTION_BYTES_MAX / VALUE_BYTES_MAX)
        .map(|key| Operation::Put(key.to_string(), value.clone()))
        .collect();
    for (what, operations) in [
        ("an empty key", vec![put("", "1")]),
        ("a long key", vec![put(&long, "1")]),
        ("a large value", vec![large]),
        (
            "a key twice",
            vec![put("a", "1"), put("b", "1"), put("a", "2")],
        ),
        ("put and deleted", vec![put("a", "1"), delete("a")]),
        ("too many operations", many),
        ("too many bytes", heavy),
    ] {
        assert!(
            is_refused(&commit(&*store, &[], &operations).await),
            "{what}"
        );
    }
    let many: Vec<_> = (0..=OPERATIONS_MAX)
        .map(|key| absent(&key.to_string()))
        .collect();
    assert!(is_refused(&commit(&*store, &many, &[]).await));
    assert!(is_refused(&commit(&*store, &[absent(&long)], &[]).await));
    assert_eq!(store.revision().await.unwrap(), 0);
}

pub(crate) async fn limits_are_reached(store: Any) {
    let long = "k".repeat(KEY_BYTES_MAX);
    let large = Bytes::from(vec![7; VALUE_BYTES_MAX]);
    let operations = [Operation::Put(long.clone(), large.clone())];
    assert_eq!(commit(&*store, &[], &operations).await.unwrap(), 1);
    assert_eq!(store.get(&long).await.unwrap().unwrap().value, large);
    let many: Vec<_> = (0..OPERATIONS_MAX)
        .map(|key| put(&key.to_string(), ""))
        .collect();
    assert_eq!(commit(&*store, &[], &many).await.unwrap(), 2);
    let mut watch = store.watch(0).await.unwrap();
    assert_eq!(next(&mut watch).await.unwrap().changes.len(), 1);
    assert_eq!(
        next(&mut watch).await.unwrap().changes.len(),
        OPERATIONS_MAX
    );
}

pub(crate) async fn a_watch_gives_the_past_then_what_comes(store: Any) {
    set(&*store, "a", "1").await;
    set(&*store, "b", "2").await;
    let mut watch = store.watch(0).await.unwrap();
    for (revision, key, text) in [(1, "a", "1"), (2, "b", "2")] {
        let changes = [change(key, Some(text))].into();
        assert_eq!(next(&mut watch).await, Some(Commit { revision, changes }));
    }
    assert!(watch.try_recv().is_err());
    commit(&*store, &[], &[delete("a"), put("c", "3")])
        .await
        .unwrap();
    let changes = [change("a", None), change("c", Some("3"))].into();
    assert_eq!(
        next(&mut watch).await,
        Some(Commit {
            revision: 3,
            changes
        })
    );
}

pub(crate) async fn a_watch_begins_after_its_revision(store: Any) {
    for number in 1..=3 {
        set(&*store, "a", &number.to_string()).await;
    }
    let mut past = store.watch(2).await.unwrap();
    let mut present = store.watch(3).await.unwrap();
    let mut future = store.watch(4).await.unwrap();
    assert_eq!(next(&mut past).await.unwrap().revision, 3);
    set(&*store, "a", "4").await;
    set(&*store, "a", "5").await;
    assert_eq!(next(&mut past).await.unwrap().revision, 4);
    assert_eq!(next(&mut present).await.unwrap().revision, 4);
    assert_eq!(next(&mut future).await.unwrap().revision, 5);
}

pub(crate) async fn a_watch_gives_what_changed_and_nothing_else(store: Any) {
    let mut watch = store.watch(0).await.unwrap();
    commit(&*store, &[], &[]).await.unwrap();
    commit(&*store, &[], &[delete("b")]).await.unwrap();
    commit(&*store, &[absent("b"), unchanged("b", 9)], &[put("b", "1")])
        .await
        .unwrap_err();
    commit(&*store, &[], &[put("z", "1"), delete("b"), put("a", "1")])
        .await
        .unwrap();
    let changes = [change("z", Some("1")), change("a", Some("1"))].into();
    assert_eq!(
        next(&mut watch).await,
        Some(Commit {
            revision: 1,
            changes
        })
    );
}

/// Watches that begin anywhere while others write: where past and present meet is another place each time.
pub(crate) async fn watches_miss_and_double_nothing_under_load(store: Any) {
    const COMMITS: u64 = 600;
    let mut writers = Vec::new();
    for writer in 0..3 {
        let store = Arc::clone(&store);
        writers.push(tokio::spawn(async move {
            for number in 0..COMMITS / 3 {
                set(&*store, &format!("{writer}/{number}"), "").await;
            }
        }));
    }
    let mut watches = Vec::new();
    while store.revision().await.unwrap() < COMMITS {
        let after = store.revision().await.unwrap() / 2;
        if watches.len() < 100 {
            let mut watch = store.watch(after).await.unwrap();
            watches.push(tokio::spawn(async move {
                for expected in after + 1..=COMMITS {
                    assert_eq!(next(&mut watch).await.unwrap().revision, expected);
                }
            }));
        }
        tokio::task::yield_now().await;
    }
    for task in writers.into_iter().chain(watches) {
        task.await.unwrap();
    }
}

pub(crate) async fn a_slow_receiver_is_closed_and_can_go_on(store: Any) {
    let mut slow = store.watch(0).await.unwrap();
    set(&*store, "a", "").await;
    assert_eq!(next(&mut slow).await.unwrap().revision, 1);
    let mut quick = store.watch(1).await.unwrap();
    let count = WATCH_COMMITS_MAX as u64 + 10;
    for revision in 2..=count + 1 {
        set(&*store, "a", "").await;
        assert_eq!(next(&mut quick).await.unwrap().revision, revision);
    }
    let mut seen = 1;
    while let Some(commit) = next(&mut slow).await {
        seen += 1;
        assert_eq!(commit.revision, seen);
    }
    assert_eq!(seen, 1 + WATCH_COMMITS_MAX as u64);
    let mut again = store.watch(seen).await.unwrap();
    assert_eq!(next(&mut again).await.unwrap().revision, seen + 1);
    set(&*store, "a", "").await;
    assert_eq!(next(&mut quick).await.unwrap().revision, count + 2);
}

pub(crate) async fn watches_are_limited(store: Any) {
    let mut watches = Vec::new();
    for _ in 0..WATCHES_MAX {
        watches.push(store.watch(0).await.unwrap());
    }
    assert!(is_refused(&store.watch(0).await));
    watches.pop();
    // The place of one whose receiver is gone is free once that was noticed.
    let freed = async {
        while store.watch(0).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::support::DEADLINE, freed)
        .await
        .unwrap();
}

pub(crate) async fn what_is_compacted_is_refused(store: Any) {
    for number in 1..=10 {
        set(&*store, "a", &number.to_string()).await;
    }
    store.compact(6).await.unwrap();
    for asked in [0, 5] {
        let refused = store.watch(asked).await;
        assert!(
            matches!(refused, Err(StoreError::Compacted { asked: a, oldest: 6 }) if a == asked),
            "{refused:?}"
        );
    }
    let mut watch = store.watch(6).await.unwrap();
    for revision in 7..=10 {
        assert_eq!(next(&mut watch).await.unwrap().revision, revision);
    }
    // What is gone stays gone, and what is to come cannot go yet.
    store.compact(3).await.unwrap();
    assert!(store.watch(5).await.is_err());
    assert!(is_refused(&store.compact(11).await));
    store.compact(10).await.unwrap();
    assert!(store.watch(9).await.is_err());
    let mut watch = store.watch(10).await.unwrap();
    set(&*store, "a", "11").await;
    assert_eq!(next(&mut watch).await.unwrap().revision, 11);
}

pub(crate) async fn compaction_keeps_what_is_there(store: Any) {
    set(&*store, "a", "1").await;
    set(&*store, "b", "2").await;
    commit(&*store, &[], &[delete("b")]).await.unwrap();
    store.compact(3).await.unwrap();
    assert_eq!(store.revision().await.unwrap(), 3);
    let entry = store.get("a").await.unwrap().unwrap();
    assert_eq!((entry.created, entry.modified), (1, 1));
    assert_eq!(keys(&*store, "", 9).await, ["a"]);
    let done = commit(&*store, &[unchanged("a", 1)], &[put("a", "2")]).await;
    assert_eq!(done.unwrap(), 4);
}

pub(crate) async fn one_of_many_writers_wins(store: Any) {
    let tries = (0..32).map(|writer| {
        let store = Arc::clone(&store);
        let write = transaction(&[absent("a")], &[put("a", &writer.to_string())]);
        tokio::spawn(async move { store.commit(write).await })
    });
    let mut won = 0;
    for done in tries.collect::<Vec<_>>() {
        match done.await.unwrap() {
            Ok(revision) => {
                won += 1;
                assert_eq!(revision, 1);
            }
            Err(error) => assert!(is_conflict::<()>(&Err(error), "a")),
        }
    }
    assert_eq!((won, store.revision().await.unwrap()), (1, 1));
}

/// A counter that all increase, each only if it was not changed since it was read.
pub(crate) async fn writers_do_not_lose_each_others_changes(store: Any) {
    const WRITERS: usize = 8;
    const EACH: usize = 25;
    set(&*store, "count", "0").await;
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.push(tokio::spawn(async move {
            for _ in 0..EACH {
                while !increase(&*store).await {}
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let expected = (WRITERS * EACH).to_string();
    assert_eq!(value(&*store, "count").await, Some(expected));
    assert_eq!(store.revision().await.unwrap(), 1 + (WRITERS * EACH) as u64);
}

/// Returns whether nobody was quicker.
async fn increase(store: &dyn Store) -> bool {
    let entry = store.get("count").await.unwrap().unwrap();
    let count: u64 = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
    let write = [put("count", &(count + 1).to_string())];
    match commit(store, &[unchanged("count", entry.modified)], &write).await {
        Ok(_) => true,
        Err(StoreError::Conflict { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}
