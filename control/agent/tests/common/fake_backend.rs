//! A backend in memory: it makes interfaces on a `FakeHost`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use inlay_agent::manager::backend::{Attachments, Backend};

use super::{fake_host::FakeHost, interface};

#[derive(Debug, Default)]
struct State {
    host: FakeHost,
    made: BTreeSet<String>,
    refused: BTreeMap<String, String>,
    next: u32,
}

/// A handle on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeBackend(Arc<Mutex<State>>);

impl FakeBackend {
    pub(crate) fn of(host: &FakeHost) -> Self {
        let backend = Self::default();
        backend.is_on(host);
        backend
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Moves to another machine, where it made nothing yet.
    pub(crate) fn is_on(&self, host: &FakeHost) {
        let mut state = self.state();
        (state.host, state.next) = (host.clone(), 100);
        state.made.clear();
    }

    /// Names of what it made.
    pub(crate) fn interfaces(&self) -> Vec<String> {
        self.state().made.iter().cloned().collect()
    }

    /// Has it not make an interface.
    pub(crate) fn refuse(&self, interface: &str, reason: &str) {
        let mut state = self.state();
        state
            .refused
            .insert(interface.to_owned(), reason.to_owned());
    }

    /// Has it make everything.
    pub(crate) fn allow(&self) {
        self.state().refused.clear();
    }
}

impl Backend for FakeBackend {
    fn reconcile(&mut self, desired: &Attachments, _: u32) -> BTreeMap<String, Result<(), String>> {
        let mut state = self.state();
        let wanted: BTreeSet<String> = desired.values().map(|it| it.interface.clone()).collect();
        for gone in &state.made - &wanted {
            state.made.remove(&gone);
            state.host.machine().interfaces.remove(&gone);
        }
        let mut outcome = BTreeMap::new();
        for (key, attachment) in desired {
            let name = &attachment.interface;
            let refused = state.refused.get(name).cloned();
            if refused.is_none() && state.made.insert(name.clone()) {
                state.next += 1;
                let made = interface(state.next);
                state.host.machine().interfaces.insert(name.clone(), made);
            }
            outcome.insert(key.clone(), refused.map_or(Ok(()), Err));
        }
        outcome
    }

    fn distrust(&mut self) {}
}
