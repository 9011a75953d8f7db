//! The agents' end of the stream, without I/O: what is held, and what changes it. It makes nothing true on a host; its
//! owner does, between `receive` and the acknowledgement.

use std::collections::BTreeMap;

use prost::{Message as _, bytes::Bytes};

use super::{
    Digest, ResourceId,
    agent::{Change, Hello, Report, ScopeState, Update, Welcome},
    resource_digest,
};

/// Bytes of all changes of updates that are not complete yet (256 MiB): a manager that sends more is refused.
const PENDING_BYTES_MAX: usize = 256 * 1024 * 1024;

/// How much of what is received is kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Keep {
    /// The resources; digests are computed from them.
    #[default]
    Resources,
    /// Of each scope, the state that the manager says it has: for many simulated agents of large networks.
    States,
}

/// A scope that is held.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HeldScope {
    /// Of its last change.
    pub revision: u64,
    /// Of its resources.
    pub digest: Digest,
    /// Encoded, by what they are.
    pub resources: BTreeMap<ResourceId, Bytes>,
}

impl HeldScope {
    fn change(&mut self, id: ResourceId, value: Option<&Bytes>) {
        if let Some(old) = self.resources.remove(&id) {
            self.digest -= resource_digest(&id, &old);
        }
        if let Some(value) = value {
            self.digest += resource_digest(&id, value);
            // A copy, since the value is a part of the message it came in, which would be kept whole.
            self.resources.insert(id, Bytes::copy_from_slice(value));
        }
    }
}

/// Why an update cannot be taken: the stream is to be given up, and begun again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// A change is no change.
    #[error(
        "the manager sent a change that cannot be read: {0}; check that it is not older than this agent"
    )]
    Unreadable(#[from] prost::DecodeError),
    /// More than is ever needed came before an update was complete.
    #[error("the manager sent more than {PENDING_BYTES_MAX} bytes without completing an update")]
    TooMuch,
}

/// What one agent holds.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    keep: Keep,
    epoch: String,
    /// Of the manager on the other end.
    next_epoch: String,
    revision: u64,
    scopes: BTreeMap<u32, HeldScope>,
    /// Updates that came since the last complete one.
    pending: Vec<Update>,
    pending_bytes: usize,
}

impl Follower {
    /// One that holds nothing.
    #[must_use]
    pub fn new(keep: Keep) -> Self {
        Self {
            keep,
            ..Self::default()
        }
    }

    /// What it holds, by VNI.
    #[must_use]
    pub fn scopes(&self) -> &BTreeMap<u32, HeldScope> {
        &self.scopes
    }

    /// The revision that it holds all of; 0: none.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The first message of a stream. What came of an earlier stream and was not complete is forgotten.
    pub fn hello(&mut self, version: &str, boot: &str) -> Hello {
        self.pending.clear();
        self.pending_bytes = 0;
        Hello {
            version: version.to_owned(),
            epoch: self.epoch.clone(),
            revision: self.revision,
            scopes: self.states(),
            boot: boot.to_owned(),
        }
    }

    /// Takes the first message of the manager.
    pub fn welcome(&mut self, welcome: &Welcome) {
        self.next_epoch.clone_from(&welcome.epoch);
    }

    /// Takes an update. Once it is complete, returns the revision that is held, to be acknowledged when it is in force.
    ///
    /// # Errors
    /// Where the update cannot be read; nothing of it is held then.
    pub fn receive(&mut self, update: Update) -> Result<Option<u64>, FollowError> {
        self.pending_bytes += update.changes.iter().map(Bytes::len).sum::<usize>();
        if self.pending_bytes > PENDING_BYTES_MAX {
            return Err(FollowError::TooMuch);
        }
        let (complete, revision) = (update.complete, update.revision);
        self.pending.push(update);
        if !complete {
            return Ok(None);
        }
        self.complete()?;
        self.revision = revision;
        Ok(Some(revision))
    }

    fn complete(&mut self) -> Result<(), FollowError> {
        let updates = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        let changes = match self.keep {
            Keep::Resources => read_changes(&updates)?,
            Keep::States => Vec::new(),
        };
        if self.epoch != self.next_epoch {
            self.epoch.clone_from(&self.next_epoch);
            self.scopes.clear();
        }
        for update in &updates {
            for vni in update.replaced.iter().chain(&update.dropped) {
                self.scopes.remove(vni);
            }
        }
        for (vni, id, value) in changes {
            self.scopes
                .entry(vni)
                .or_default()
                .change(id, value.as_ref());
        }
        for state in updates.iter().flat_map(|update| &update.scopes) {
            let scope = self.scopes.entry(state.vni).or_default();
            scope.revision = state.revision;
            if self.keep == Keep::States {
                scope.digest = Digest(state.digest);
            }
        }
        Ok(())
    }

    /// The state of every scope.
    #[must_use]
    pub fn states(&self) -> Vec<ScopeState> {
        let state = |(vni, scope): (&u32, &HeldScope)| ScopeState {
            vni: *vni,
            revision: scope.revision,
            digest: scope.digest.0,
        };
        self.scopes.iter().map(state).collect()
    }

    /// A report of a host that has nothing to complain of.
    #[must_use]
    pub fn report(&self, time_ms: i64) -> Report {
        Report {
            revision: self.revision,
            scopes: self.states(),
            time_ms,
            ..Report::default()
        }
    }
}

type ReadChange = (u32, ResourceId, Option<Bytes>);

fn read_changes(updates: &[Update]) -> Result<Vec<ReadChange>, FollowError> {
    let encoded = updates.iter().flat_map(|update| &update.changes);
    let read = encoded.map(|bytes| {
        let change = Change::decode(bytes.clone())?;
        let id = ResourceId {
            kind: change.kind(),
            key: change.key.into(),
        };
        Ok((change.vni, id, change.value))
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::agent::Kind;

    fn node(key: &str, value: Option<&'static [u8]>) -> Bytes {
        let change = Change {
            vni: 7,
            kind: Kind::Node.into(),
            key: key.into(),
            value: value.map(Bytes::from_static),
        };
        change.encode_to_vec().into()
    }

    fn update(revision: u64, complete: bool, changes: Vec<Bytes>) -> Update {
        let scope = ScopeState {
            vni: 7,
            revision,
            digest: 1,
        };
        Update {
            revision,
            complete,
            scopes: if complete { vec![scope] } else { vec![] },
            changes,
            ..Update::default()
        }
    }

    fn keys(follower: &Follower) -> Vec<&str> {
        let scope = &follower.scopes()[&7];
        scope.resources.keys().map(|id| &*id.key).collect()
    }

    #[test]
    fn nothing_counts_before_it_is_complete() {
        let mut follower = Follower::default();
        let first = update(3, false, vec![node("a", Some(b"1"))]);
        assert_eq!(follower.receive(first).unwrap(), None);
        assert!(follower.scopes().is_empty());
        let second = update(3, true, vec![node("b", Some(b"2")), node("gone", None)]);
        assert_eq!(follower.receive(second).unwrap(), Some(3));
        assert_eq!(keys(&follower), ["a", "b"]);
        // A stream that breaks leaves nothing behind.
        follower
            .receive(update(4, false, vec![node("c", Some(b"3"))]))
            .unwrap();
        assert_eq!(follower.hello("1", "boot").revision, 3);
        follower
            .receive(update(5, true, vec![node("a", None)]))
            .unwrap();
        assert_eq!(keys(&follower), ["b"]);
    }

    #[test]
    fn digest_is_of_what_is_held() {
        let mut follower = Follower::default();
        let changes = vec![
            node("a", Some(b"1")),
            node("a", Some(b"2")),
            node("b", Some(b"1")),
        ];
        follower.receive(update(1, true, changes)).unwrap();
        let before = follower.states();
        follower
            .receive(update(2, true, vec![node("c", Some(b"1"))]))
            .unwrap();
        assert_ne!(follower.states()[0].digest, before[0].digest);
        follower
            .receive(update(1, true, vec![node("c", None)]))
            .unwrap();
        assert_eq!(follower.states(), before);
    }

    #[test]
    fn another_epoch_and_a_replaced_scope_begin_anew() {
        let mut follower = Follower::default();
        follower
            .receive(update(9, true, vec![node("a", Some(b"1"))]))
            .unwrap();
        let replaced = Update {
            replaced: vec![7],
            ..update(10, true, vec![node("b", Some(b"1"))])
        };
        follower.receive(replaced).unwrap();
        assert_eq!(keys(&follower), ["b"]);
        follower.welcome(&Welcome {
            epoch: "other".into(),
            ..Welcome::default()
        });
        assert_eq!(keys(&follower), ["b"], "until there is something instead");
        follower
            .receive(update(2, true, vec![node("c", Some(b"1"))]))
            .unwrap();
        assert_eq!((keys(&follower), follower.revision()), (vec!["c"], 2));
    }

    #[test]
    fn what_is_no_change_is_refused() {
        let mut follower = Follower::default();
        let bad = update(1, true, vec![Bytes::from_static(&[0xff])]);
        assert!(follower.receive(bad).is_err());
        assert!(follower.scopes().is_empty());
    }
}
