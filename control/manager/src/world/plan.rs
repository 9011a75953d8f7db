//! What a host that holds certain states of scopes must be sent.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use inlay_api::wire::{HOST_SCOPE, agent::ScopeState};

use super::{encode::Chunks, host::Host, scope::Distance, snapshots::Snapshot, state::State};
use crate::store::Revision;

/// The states of scopes that a host holds, by VNI.
pub type Held = BTreeMap<u32, ScopeState>;

/// What to send, for a host to hold all of `revision`.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The revision.
    pub revision: Revision,
    /// Scopes that begin anew.
    pub replaced: Vec<u32>,
    /// Scopes that the host does not need any more.
    pub dropped: Vec<u32>,
    /// Scopes whose revision or content the host does not hold, as they will be.
    pub scopes: Vec<ScopeState>,
    /// Encoded changes, in order: see [`split_chunk`](super::split_chunk).
    pub chunks: Vec<Bytes>,
}

impl Plan {
    /// Whether the host holds everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.replaced.is_empty() && self.dropped.is_empty() && self.scopes.is_empty()
    }
}

/// What comes of planning.
#[derive(Debug)]
pub enum Planned {
    /// There is no such host.
    Gone,
    /// These networks must be replaced: get their snapshots, and plan again.
    Lacking(Vec<u32>),
    /// What to send.
    Ready(Plan),
}

/// Plans for a host that holds `held`, with the snapshots of networks that could not be brought up to date.
pub(super) fn plan(
    state: &State,
    name: &str,
    held: &Held,
    snapshots: &BTreeMap<u32, Arc<Snapshot>>,
) -> Planned {
    let Some(host) = state.host(name) else {
        return Planned::Gone;
    };
    let mut plan = Plan {
        revision: state.revision,
        ..Plan::default()
    };
    let mut lacking = Vec::new();
    own_scope(&mut plan, state, host, held.get(&HOST_SCOPE));
    let mut needed = vec![HOST_SCOPE];
    for (vni, network) in host.networks(&state.networks) {
        needed.push(vni);
        let present = network.scope.state(vni);
        let known = held
            .get(&vni)
            .map(|held| (held, network.distance(vni, held)));
        let snapshot = snapshots.get(&vni);
        let (base, distance) = match (known, snapshot) {
            (Some((held, Distance::None)), _) => (Some(held), Distance::None),
            (Some((held, Distance::Changes(delta))), _) => (Some(held), Distance::Changes(delta)),
            (_, None) => (None, Distance::Unknown),
            (_, Some(snapshot)) => {
                plan.replaced.push(vni);
                plan.chunks.extend(snapshot.chunks.iter().cloned());
                (None, network.distance(vni, &snapshot.state))
            }
        };
        match distance {
            Distance::None => {}
            Distance::Changes(delta) => plan.chunks.extend(delta.iter().cloned()),
            Distance::Unknown => lacking.push(vni),
        }
        if base != Some(&present) {
            plan.scopes.push(present);
        }
    }
    plan.dropped = held
        .keys()
        .copied()
        .filter(|vni| !needed.contains(vni))
        .collect();
    if lacking.is_empty() {
        Planned::Ready(plan)
    } else {
        Planned::Lacking(lacking)
    }
}

/// The host's own scope is small, and nobody else's: its snapshot is made on the spot.
fn own_scope(plan: &mut Plan, state: &State, host: &Host, held: Option<&ScopeState>) {
    let present = host.scope.state(HOST_SCOPE);
    if held == Some(&present) {
        return;
    }
    plan.scopes.push(present);
    match held.map_or(Distance::Unknown, |held| {
        host.distance(&state.networks, held)
    }) {
        Distance::None => {}
        Distance::Changes(delta) => plan.chunks.extend(delta.iter().cloned()),
        Distance::Unknown => {
            let mut chunks = Chunks::default();
            host.encode_all(&state.networks, &mut chunks);
            plan.replaced.push(HOST_SCOPE);
            plan.chunks.extend(chunks.finish());
        }
    }
}
