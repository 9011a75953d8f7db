//! From what is desired and what is there to what must be done. Pure.

use std::collections::BTreeMap;

use inlay_api::{HostState, XdpMode};
use inlay_dataplane::{
    image::{Changes, Image},
    labels::Labels,
};

use crate::{
    compile::{Attachment, CompileError, Compiled, compile, epochs},
    interface::Interfaces,
    status::Status,
};

/// What turns the host into what is desired.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// What the maps will hold.
    pub image: Image,
    /// What is to be written for it.
    pub changes: Changes,
    /// Slots of ports that go, whose flows go with them.
    pub removed_ports: Vec<u32>,
    /// Every interface that a program must be attached to, by its number; from all others it goes.
    pub attachments: BTreeMap<u32, Attachment>,
    /// How programs are attached.
    pub mode: XdpMode,
    /// Names for the image's numbers.
    pub labels: Labels,
    /// What is known of its working before it is done.
    pub status: Status,
}

/// The plan for `desired` on the host that has `interfaces`, whose maps hold `actual`. A packet may still
/// be reading what `older` images refer to.
///
/// # Errors
/// Names what of the state does not fit the maps. Nothing was done then.
pub fn reconcile(
    desired: &HostState,
    interfaces: &Interfaces,
    actual: &Image,
    older: &[&Image],
) -> Result<Plan, CompileError> {
    let previous: Vec<&Image> = [actual].into_iter().chain(older.iter().copied()).collect();
    let Compiled {
        image,
        labels,
        status,
        attachments,
    } = compile(desired, interfaces, &previous)?;
    Ok(Plan {
        changes: Changes::between(actual, &image),
        removed_ports: removed_ports(actual, &image),
        attachments,
        mode: desired.host().xdp_mode,
        labels,
        status,
        image,
    })
}

impl Plan {
    /// The same with an epoch for each network that it has not had, so that all flows are decided anew.
    /// For maps that an agent left in the middle of a change: its policies may be there already, and the
    /// epochs not.
    #[must_use]
    pub fn with_flows_decided_anew(mut self, actual: &Image) -> Self {
        let next = epochs::next([actual, &self.image]);
        self.image
            .networks
            .values_mut()
            .for_each(|network| network.epoch = next);
        self.changes = Changes::between(actual, &self.image);
        self
    }
}

/// Slots that another port has, or none.
fn removed_ports(actual: &Image, image: &Image) -> Vec<u32> {
    let ports = actual.ports.iter().filter(|(slot, before)| {
        let after = image.ports.get(slot);
        after.is_none_or(|after| (after.tag, after.virtual_ip) != (before.tag, before.virtual_ip))
    });
    ports.map(|(slot, _)| *slot).collect()
}
