//! What the tests of the world and of the agent server share.
#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each test crate uses a part of it")]

pub(crate) mod agent;
pub(crate) mod memory;
pub(crate) mod objects;
pub(crate) mod proxy;
pub(crate) mod scene;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use inlay_api::wire::{Follower, agent::Update};
use inlay_manager::{
    store::{Change, Commit, Revision},
    world::{Held, Planned, World, split_chunk},
};

/// A commit of objects; those without a value are deleted.
pub(crate) fn commit(
    revision: Revision,
    changes: Vec<(String, Option<serde_json::Value>)>,
) -> Commit {
    let change = |(key, value): (String, Option<serde_json::Value>)| Change {
        key: key.into(),
        value: value.map(|value| Bytes::from(value.to_string())),
    };
    Commit {
        revision,
        changes: changes.into_iter().map(change).collect(),
    }
}

pub(crate) fn puts(
    revision: Revision,
    objects: impl IntoIterator<Item = (String, serde_json::Value)>,
) -> Commit {
    let objects = objects.into_iter();
    commit(
        revision,
        objects.map(|(key, value)| (key, Some(value))).collect(),
    )
}

/// Brings a follower up to date, as a session would. Says which scopes were replaced; `None`: the host is gone.
pub(crate) async fn bring_up(
    world: &Arc<World>,
    host: &str,
    follower: &mut Follower,
) -> Option<Vec<u32>> {
    let states = follower.states();
    let held: Held = states.into_iter().map(|state| (state.vni, state)).collect();
    let mut snapshots = BTreeMap::new();
    loop {
        match world.plan(host, &held, &snapshots) {
            Planned::Gone => return None,
            Planned::Lacking(vnis) => {
                for vni in vnis {
                    snapshots.insert(vni, world.snapshot(vni).await.unwrap());
                }
            }
            Planned::Ready(plan) => {
                let update = Update {
                    revision: plan.revision,
                    complete: true,
                    replaced: plan.replaced.clone(),
                    dropped: plan.dropped,
                    scopes: plan.scopes,
                    changes: plan.chunks.into_iter().flat_map(split_chunk).collect(),
                };
                follower.receive(update).unwrap();
                return Some(plan.replaced);
            }
        }
    }
}
