//! The resources that the manager sent, by scope, each scope with its digest.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use bytes::Bytes;
use inlay_api::wire::{
    Digest, ResourceId,
    agent::{Change, Kind, ScopeState},
    resource_digest,
};

use super::collect::Batch;

/// A resource of the host.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ResourceKey {
    /// Its scope.
    pub vni: u32,
    /// Which of the scope.
    pub id: ResourceId,
}

impl ResourceKey {
    /// The resource of a kind and a key in a scope.
    #[must_use]
    pub fn new(vni: u32, kind: Kind, key: &str) -> Self {
        Self {
            vni,
            id: ResourceId {
                kind,
                key: key.into(),
            },
        }
    }

    /// The resource that `change` is about, or `None` for a kind that this agent does not know.
    #[must_use]
    pub fn of(change: &Change) -> Option<Self> {
        let kind = Kind::try_from(change.kind).ok()?;
        Some(Self::new(change.vni, kind, &change.key))
    }
}

/// What each of some resources was before a change; `None`: not there.
pub type Previous = BTreeMap<ResourceKey, Option<Bytes>>;

/// What is known of a scope as a whole.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Scope {
    /// Of the last change.
    pub revision: u64,
    /// Of its resources.
    pub digest: Digest,
}

/// All that the manager sent and did not take back. About 200 bytes for a node of 100.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Held {
    /// Which store it came from; empty: none.
    pub epoch: String,
    /// The revision that it is of.
    pub revision: u64,
    scopes: BTreeMap<u32, Scope>,
    resources: BTreeMap<ResourceKey, Bytes>,
}

impl Held {
    /// Takes a whole batch in. Returns every resource that differs, as it was.
    pub fn apply(&mut self, batch: Batch) -> Previous {
        let mut previous = Previous::new();
        for vni in self.left_by(&batch) {
            self.clear(vni, &mut previous);
        }
        for (key, value) in batch.changes {
            let before = self.put(&key, value);
            previous.entry(key).or_insert(before);
        }
        for (vni, state) in &batch.scopes {
            self.scopes.entry(*vni).or_default().revision = state.revision;
        }
        self.forget_empty(&batch.dropped);
        (self.epoch, self.revision) = (batch.epoch, batch.revision);
        previous.retain(|key, before| self.resources.get(key) != before.as_ref());
        previous
    }

    /// The scopes of which nothing stays that is not sent again.
    fn left_by(&self, batch: &Batch) -> BTreeSet<u32> {
        if batch.epoch == self.epoch {
            return &batch.replaced | &batch.dropped;
        }
        self.scopes.keys().copied().collect()
    }

    fn clear(&mut self, vni: u32, previous: &mut Previous) {
        let keys: Vec<ResourceKey> = self.scope(vni).map(|(key, _)| key.clone()).collect();
        for key in keys {
            let before = self.resources.remove(&key);
            previous.insert(key, before);
        }
        self.scopes.remove(&vni);
    }

    fn put(&mut self, key: &ResourceKey, value: Option<Bytes>) -> Option<Bytes> {
        let scope = self.scopes.entry(key.vni).or_default();
        if let Some(value) = &value {
            scope.digest += resource_digest(&key.id, value);
        }
        let before = match value {
            Some(value) => self.resources.insert(key.clone(), value),
            None => self.resources.remove(key),
        };
        if let Some(before) = &before {
            scope.digest -= resource_digest(&key.id, before);
        }
        before
    }

    /// A scope that was dropped and not sent anew is not reported.
    fn forget_empty(&mut self, dropped: &BTreeSet<u32>) {
        for vni in dropped {
            if self.scope(*vni).next().is_none() {
                self.scopes.remove(vni);
            }
        }
    }

    /// The value of a resource.
    #[must_use]
    pub fn get(&self, key: &ResourceKey) -> Option<&Bytes> {
        self.resources.get(key)
    }

    /// The resources of a scope, by kind and key.
    pub fn scope(&self, vni: u32) -> impl Iterator<Item = (&ResourceKey, &Bytes)> {
        let first = ResourceKey::new(vni, Kind::Unspecified, "");
        let range = (Bound::Included(first), Bound::Unbounded);
        self.resources
            .range(range)
            .take_while(move |(key, _)| key.vni == vni)
    }

    /// All resources, by scope, kind and key.
    pub fn resources(&self) -> impl Iterator<Item = (&ResourceKey, &Bytes)> {
        self.resources.iter()
    }

    /// All scopes.
    pub fn scopes(&self) -> impl Iterator<Item = (u32, Scope)> {
        self.scopes.iter().map(|(vni, scope)| (*vni, *scope))
    }

    /// All scopes, as they are told to the manager.
    #[must_use]
    pub fn scope_states(&self) -> Vec<ScopeState> {
        let state = |(vni, scope): (u32, Scope)| ScopeState {
            vni,
            revision: scope.revision,
            digest: scope.digest.0,
        };
        self.scopes().map(state).collect()
    }

    /// Whether nothing was ever sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// How many resources there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.resources.len()
    }
}
