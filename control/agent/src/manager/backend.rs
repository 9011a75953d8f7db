//! What makes the interfaces of nodes, as a trait: the host's backends, or a fake in tests.

use std::collections::BTreeMap;

use inlay_api::wire::agent::Attachment;

use crate::backend::Backends;

/// What a host has to make, by the keys of the resources.
pub type Attachments = BTreeMap<String, Attachment>;

/// Makes and removes the interfaces of nodes. All calls block.
pub trait Backend {
    /// Makes what `desired` asks for, for packets of `virtual_mtu` bytes, and removes what it made before and is
    /// not asked for. Returns what became of each; an error says what to do.
    fn reconcile(
        &mut self,
        desired: &Attachments,
        virtual_mtu: u32,
    ) -> BTreeMap<String, Result<(), String>>;

    /// Has the next call look at everything.
    fn distrust(&mut self);
}

impl Backend for Backends {
    fn reconcile(
        &mut self,
        desired: &Attachments,
        virtual_mtu: u32,
    ) -> BTreeMap<String, Result<(), String>> {
        Self::reconcile(self, desired, virtual_mtu)
    }

    fn distrust(&mut self) {
        Self::distrust(self);
    }
}
