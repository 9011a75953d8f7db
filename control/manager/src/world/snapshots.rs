//! Whole networks, encoded once for all hosts that need them at about the same time.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use inlay_api::wire::agent::ScopeState;

use super::World;

/// Bytes of snapshots that are kept for the next host; the one used last is kept whatever its size.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// A snapshot that nobody asked for during this time is dropped.
const IDLE: Duration = Duration::from_secs(10);

/// All resources of a network at a revision.
#[derive(Debug)]
pub struct Snapshot {
    /// Of the scope.
    pub state: ScopeState,
    /// Encoded changes, in order.
    pub chunks: Vec<Bytes>,
}

impl Snapshot {
    fn bytes(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }
}

#[derive(Debug, Default)]
pub(super) struct Snapshots {
    slots: Mutex<HashMap<u32, Slot>>,
    built: AtomicU64,
}

#[derive(Debug)]
struct Slot {
    /// Held by whoever builds, and by all who wait for it.
    building: Arc<tokio::sync::Mutex<()>>,
    kept: Option<Arc<Snapshot>>,
    used: Instant,
}

impl World {
    /// A snapshot of a network from which the present state can be reached: the one that was built before, if that is
    /// so. `None`: there is no such network.
    pub async fn snapshot(self: &Arc<Self>, vni: u32) -> Option<Arc<Snapshot>> {
        let building = self.snapshots.slot(vni);
        let _alone = building.lock().await;
        if let Some(kept) = self.usable(vni) {
            return Some(kept);
        }
        let world = Arc::clone(self);
        let build = tokio::task::spawn_blocking(move || world.build(vni));
        let snapshot = build.await.ok().flatten()?;
        self.snapshots.keep(vni, Arc::clone(&snapshot));
        Some(snapshot)
    }

    fn usable(&self, vni: u32) -> Option<Arc<Snapshot>> {
        let kept = self.snapshots.kept(vni)?;
        let state = self.read();
        let network = state.numbered(vni)?;
        network.scope.reaches(&kept.state).then_some(kept)
    }

    fn build(&self, vni: u32) -> Option<Arc<Snapshot>> {
        let state = self.read();
        let network = state.numbered(vni)?;
        let snapshot = Snapshot {
            state: network.scope.state(vni),
            chunks: network.encode_all(vni).finish(),
        };
        self.snapshots.built.fetch_add(1, Ordering::Relaxed);
        Some(Arc::new(snapshot))
    }

    /// How many snapshots were built.
    #[must_use]
    pub fn snapshots_built(&self) -> u64 {
        self.snapshots.built.load(Ordering::Relaxed)
    }

    /// Drops snapshots that nobody has asked for lately, and returns whether there were any. To be called every few
    /// seconds.
    pub fn drop_idle_snapshots(&self) -> bool {
        self.snapshots.drop_unused(Instant::now())
    }
}

impl Snapshots {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, vni: u32) -> Arc<tokio::sync::Mutex<()>> {
        let mut slots = self.lock();
        let slot = slots.entry(vni).or_insert_with(|| Slot {
            building: Arc::default(),
            kept: None,
            used: Instant::now(),
        });
        slot.used = Instant::now();
        Arc::clone(&slot.building)
    }

    fn kept(&self, vni: u32) -> Option<Arc<Snapshot>> {
        self.lock().get(&vni)?.kept.clone()
    }

    fn keep(&self, vni: u32, snapshot: Arc<Snapshot>) {
        let now = Instant::now();
        if let Some(slot) = self.lock().get_mut(&vni) {
            slot.kept = Some(snapshot);
            slot.used = now;
        }
        self.drop_unused(now);
    }

    /// Those that are idle, and, beyond the limit, those that were used longest ago. Returns whether there were any.
    fn drop_unused(&self, now: Instant) -> bool {
        let mut slots = self.lock();
        let slots_before = slots.len();
        slots.retain(|_, slot| {
            let is_building = Arc::strong_count(&slot.building) > 1;
            is_building || now.saturating_duration_since(slot.used) < IDLE
        });
        let mut any = slots.len() < slots_before;
        let mut by_use: Vec<_> = slots.iter_mut().collect();
        by_use.sort_unstable_by_key(|(_, slot)| std::cmp::Reverse(slot.used));
        let mut bytes = 0;
        for (index, (_, slot)) in by_use.into_iter().enumerate() {
            bytes += slot.kept.as_ref().map_or(0, |kept| kept.bytes());
            if index > 0 && bytes > KEPT_BYTES_MAX {
                any |= slot.kept.take().is_some();
            }
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(bytes: usize) -> Arc<Snapshot> {
        Arc::new(Snapshot {
            state: ScopeState::default(),
            chunks: vec![Bytes::from(vec![0; bytes])],
        })
    }

    #[test]
    fn what_is_idle_or_too_much_is_dropped() {
        let snapshots = Snapshots::default();
        for vni in [1, 2] {
            drop(snapshots.slot(vni));
            snapshots.keep(vni, snapshot(KEPT_BYTES_MAX / 2 + 1));
        }
        assert!(snapshots.kept(1).is_none() && snapshots.kept(2).is_some());
        drop(snapshots.slot(3));
        snapshots.keep(3, snapshot(10));
        assert!(snapshots.kept(2).is_some() && snapshots.kept(3).is_some());
        snapshots.drop_unused(Instant::now() + IDLE);
        assert!(snapshots.lock().is_empty());
    }
}
