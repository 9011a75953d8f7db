//! What is held of the manager's resources: nothing depends on how they were cut into updates, and digests are those
//! of the content.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use common::resources::{Resources, batch, change, content, update};
use inlay_agent::manager::{
    collect::{Batch, CollectError, Collector},
    held::{Held, ResourceKey},
};
use inlay_api::wire::{
    Digest,
    agent::{Change, Kind, ScopeState, Update},
    resource_digest,
};
use proptest::{collection::vec, option, prelude::*};
use prost::Message as _;

fn key(vni: u32, name: &str) -> ResourceKey {
    ResourceKey::new(vni, Kind::Node, name)
}

fn put(vni: u32, name: &str, value: &'static str) -> Change {
    change(&key(vni, name), Some(&Bytes::from_static(value.as_bytes())))
}

/// The sums from scratch.
fn digests(resources: &Resources) -> BTreeMap<u32, Digest> {
    let mut digests = BTreeMap::<u32, Digest>::new();
    for (key, value) in resources {
        *digests.entry(key.vni).or_default() += resource_digest(&key.id, value);
    }
    digests
}

fn held_digests(held: &Held) -> BTreeMap<u32, Digest> {
    let scopes = held.scopes().map(|(vni, scope)| (vni, scope.digest));
    scopes.filter(|(_, it)| *it != Digest::default()).collect()
}

/// A batch: scopes that begin anew, scopes that go, and changes.
type AnyBatch = (
    BTreeSet<u32>,
    BTreeSet<u32>,
    BTreeMap<(u32, u8), Option<u8>>,
);

fn any_batch() -> impl Strategy<Value = AnyBatch> {
    let scopes = || proptest::collection::btree_set(0..4_u32, 0..2);
    let changes =
        proptest::collection::btree_map((0..4_u32, 0..6_u8), option::of(any::<u8>()), 0..10);
    (scopes(), scopes(), changes)
}

fn encoded((replaced, dropped, changes): &AnyBatch) -> (Vec<u32>, Vec<u32>, Vec<Change>) {
    let changes = changes.iter().map(|((vni, name), value)| {
        let value = value.map(|value| Bytes::from(vec![value]));
        change(&key(*vni, &name.to_string()), value.as_ref())
    });
    let list = |scopes: &BTreeSet<u32>| scopes.iter().copied().collect();
    (list(replaced), list(dropped), changes.collect())
}

/// What the protocol says, in the simplest words.
fn model(resources: &mut Resources, (replaced, dropped, changes): &AnyBatch) {
    resources.retain(|key, _| !replaced.contains(&key.vni) && !dropped.contains(&key.vni));
    for ((vni, name), value) in changes {
        let key = key(*vni, &name.to_string());
        match value {
            Some(value) => resources.insert(key, Bytes::from(vec![*value])),
            None => resources.remove(&key),
        };
    }
}

/// The batch in chunks, of which the last is complete, in an order that `seed` says.
fn chunks(batch: &AnyBatch, size: usize, seed: usize) -> Vec<Update> {
    let (replaced, dropped, changes) = encoded(batch);
    let mut updates: Vec<Update> = changes
        .chunks(size)
        .map(|changes| update(7, changes))
        .chain([update(7, &[])])
        .collect();
    let (at, with) = (seed % updates.len(), (seed / 7) % updates.len());
    updates[at].replaced = replaced;
    updates[with].dropped = dropped;
    let by = seed % updates.len();
    updates.rotate_left(by);
    let last = updates.len() - 1;
    for update in &mut updates[..last] {
        update.complete = false;
    }
    updates
}

fn collected(updates: Vec<Update>) -> Batch {
    let mut collector = Collector::new("one");
    let count = updates.len();
    for (place, update) in updates.into_iter().enumerate() {
        match collector.add(update).unwrap() {
            Some(batch) => {
                assert_eq!(place, count - 1);
                return batch;
            }
            None => assert!(place < count - 1),
        }
    }
    unreachable!("the last is complete")
}

proptest! {
    #[test]
    fn content_and_digests_are_what_was_sent(
        batches in vec((any_batch(), 1..5_usize, any::<usize>()), 1..8),
    ) {
        let (mut held, mut expected) = (Held::default(), Resources::new());
        for (batch, size, seed) in &batches {
            let before = content(&held);
            let previous = held.apply(collected(chunks(batch, *size, *seed)));
            model(&mut expected, batch);
            prop_assert_eq!(content(&held), expected.clone());
            prop_assert_eq!(held_digests(&held), digests(&expected));
            // What differs, and nothing else, is told as it was.
            let keys: BTreeSet<_> = before.keys().chain(expected.keys()).collect();
            for key in keys {
                let differs = before.get(key) != expected.get(key);
                prop_assert_eq!(previous.contains_key(key), differs);
                if differs {
                    prop_assert_eq!(previous[key].as_ref(), before.get(key));
                }
            }
        }
    }

    #[test]
    fn the_same_batch_again_changes_nothing(
        first in any_batch(),
        batch in any_batch(),
    ) {
        let mut held = Held::default();
        held.apply(collected(chunks(&first, 3, 0)));
        held.apply(collected(chunks(&batch, 3, 0)));
        let before = held.clone();
        let previous = held.apply(collected(chunks(&batch, 2, 1)));
        prop_assert!(previous.is_empty());
        prop_assert_eq!(held, before);
    }
}

#[test]
fn another_store_voids_all_once_its_first_batch_is_whole() {
    let mut held = Held::default();
    held.apply(batch(
        5,
        &[put(0, "a", "1"), put(1, "b", "2"), put(2, "c", "3")],
    ));
    let mut collector = Collector::new("two");
    let mut first = update(1, &[put(0, "a", "1")]);
    first.complete = false;
    assert_eq!(collector.add(first).unwrap(), None);
    assert_eq!(held.len(), 3, "nothing yet");
    let mut last = update(1, &[put(1, "d", "4")]);
    last.scopes.push(ScopeState {
        vni: 1,
        revision: 1,
        digest: 0,
    });
    let previous = held.apply(collector.add(last).unwrap().unwrap());
    assert_eq!((held.epoch.as_str(), held.revision), ("two", 1));
    let names: Vec<_> = held.resources().map(|(key, _)| &*key.id.key).collect();
    assert_eq!(names, ["a", "d"]);
    assert!(!previous.contains_key(&key(0, "a")), "it is the same");
    assert_eq!(previous.len(), 3);
    let scopes: Vec<_> = held
        .scope_states()
        .iter()
        .map(|it| (it.vni, it.revision))
        .collect();
    assert_eq!(scopes, [(0, 0), (1, 1)]);
}

#[test]
fn a_scope_keeps_the_revision_of_its_last_change() {
    let mut held = Held::default();
    let state = |vni, revision| ScopeState {
        vni,
        revision,
        digest: 0,
    };
    let mut first = batch(3, &[put(1, "a", "1"), put(2, "b", "1")]);
    first.scopes = [(1, state(1, 3)), (2, state(2, 2))].into();
    held.apply(first);
    let mut second = batch(9, &[put(1, "a", "2")]);
    second.scopes = [(1, state(1, 9))].into();
    held.apply(second);
    let revisions: Vec<_> = held.scopes().map(|(vni, it)| (vni, it.revision)).collect();
    assert_eq!(revisions, [(1, 9), (2, 2)]);
    let mut third = batch(10, &[]);
    third.dropped.insert(2);
    held.apply(third);
    assert_eq!(held.scopes().count(), 1);
}

#[test]
fn what_cannot_be_read_or_never_ends_ends_the_stream() {
    let mut collector = Collector::new("one");
    let mut torn = update(4, &[]);
    torn.changes.push(Bytes::from_static(&[0xff]));
    let refusal = collector.add(torn).unwrap_err();
    assert!(matches!(
        refusal,
        CollectError::Unreadable { revision: 4, .. }
    ));
    let mut endless = Collector::new("one");
    let large = change(&key(1, "a"), Some(&Bytes::from(vec![0; 1 << 20])));
    let refusal = (0..100).find_map(|_| {
        let mut part = update(4, std::slice::from_ref(&large));
        part.complete = false;
        endless.add(part).err()
    });
    assert_eq!(refusal, Some(CollectError::TooMuch));
}

#[test]
fn a_kind_of_tomorrow_is_set_aside() {
    let stranger = Change {
        vni: 1,
        kind: 99,
        key: "x".to_owned(),
        value: Some(Bytes::from_static(b"1")),
    };
    assert!(!stranger.encode_to_vec().is_empty());
    let batch = batch(1, &[stranger, put(1, "a", "1")]);
    assert_eq!(batch.unknown, [(1, 99, "x".to_owned())]);
    assert_eq!(batch.changes.len(), 1);
}
