//! Loads a world from the store, and follows the store's commits.

use std::sync::{Arc, PoisonError};

use inlay_api::objects::Kind;
use tokio::sync::mpsc;

use super::{
    World,
    recent::Touched,
    state::{IDENTITIES, State},
};
use crate::{
    keys,
    store::{Commit, Revision, Store, StoreError},
};

/// Entries that are read at a time.
const PAGE: usize = 4_096;

/// What hosts must know, in the order in which loading it costs the least: what others refer to comes first.
const KINDS: [Kind; 7] = [
    Kind::Host,
    Kind::Network,
    Kind::SecurityGroup,
    Kind::Acl,
    Kind::RouteTable,
    Kind::Subnet,
    Kind::Node,
];

/// Why a world cannot be loaded or followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The store failed.
    #[error("what hosts must hold cannot be read: {0}")]
    Store(#[from] StoreError),
}

impl World {
    /// The world as the store has it.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn load(store: &dyn Store) -> Result<Self, WorldError> {
        let world = Self::new(store.epoch().await?);
        world.reload(store).await?;
        Ok(world)
    }

    /// Replaces everything by what the store has. Nobody has to be told anew what is the same as before.
    async fn reload(&self, store: &dyn Store) -> Result<(), WorldError> {
        let revision = store.revision().await?;
        let state = load_state(store, revision).await?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        self.revision.send_replace(revision);
        for listener in self.listeners().values() {
            listener.notify_one();
        }
        Ok(())
    }

    /// Follows the store for ever, or until it fails.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn follow(&self, store: &dyn Store) -> WorldError {
        loop {
            match store.watch(self.revision()).await {
                Ok(commits) => self.apply_all(commits).await,
                Err(StoreError::Compacted { .. }) => {
                    tracing::warn!("too far behind the store: everything is loaded again");
                    if let Err(error) = self.reload(store).await {
                        return error;
                    }
                }
                Err(error) => return error.into(),
            }
        }
    }

    async fn apply_all(&self, mut commits: mpsc::Receiver<Commit>) {
        while let Some(commit) = commits.recv().await {
            if commit.revision > self.revision() {
                self.commit(&commit);
            }
        }
    }
}

/// What is there at `revision`, or, of what is changed meanwhile, later: the commits after `revision` are to be
/// applied in any case, and lead to the same.
async fn load_state(store: &dyn Store, revision: Revision) -> Result<State, WorldError> {
    let mut state = State::default();
    for prefix in KINDS.map(keys::kind) {
        load_range(&mut state, store, revision, &prefix).await?;
    }
    load_range(&mut state, store, revision, IDENTITIES).await?;
    state.settle(revision);
    Ok(state)
}

async fn load_range(
    state: &mut State,
    store: &dyn Store,
    revision: Revision,
    prefix: &str,
) -> Result<(), WorldError> {
    let mut after = Arc::from("");
    loop {
        let page = store.range(prefix, &after, PAGE).await?;
        for entry in &page.entries {
            let mut touched = Touched::loading(entry.modified, revision);
            state.change(&entry.key, Some(&entry.value), &mut touched);
        }
        match page.entries.last() {
            Some(last) if page.more => after = Arc::clone(&last.key),
            _ => return Ok(()),
        }
    }
}
