//! Executes a plan on the machine.
//!
//! Order: programs go from interfaces that are left before their records do, records of ports are there
//! before their programs are, and a port's flows go with it.

use std::collections::{BTreeMap, BTreeSet};

use inlay_api::XdpMode;
use inlay_dataplane::image::Image;
use tracing::info;

use crate::{
    compile::{Attachment, Role},
    host::Host,
    reconcile::Plan,
};

/// What this process did to interfaces, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Attached(BTreeMap<u32, State>);

#[derive(Debug)]
struct State {
    role: Role,
    mode: XdpMode,
    /// What is wrong with it.
    reasons: Vec<String>,
}

impl Attached {
    /// What is wrong with the interface of a number, as far as was looked.
    pub(crate) fn reasons(&self, interface_index: u32) -> &[String] {
        self.0
            .get(&interface_index)
            .map_or(&[], |state| &state.reasons)
    }

    /// Forgets what was found wrong, and what was right: it is looked at again.
    pub(crate) fn forget(&mut self, interface_index: u32) {
        self.0.remove(&interface_index);
    }

    /// Looks again at what nothing was wrong with. Returns whether something is
    /// wrong with any.
    pub(crate) fn find_degraded(&mut self, host: &mut impl Host, virtual_mtu: u32) -> bool {
        for (&index, state) in &mut self.0 {
            if state.reasons.is_empty() {
                state.reasons = host.prepare_interface(index, state.role, virtual_mtu);
            }
        }
        self.0.values().any(|state| !state.reasons.is_empty())
    }

    /// Forgets all interfaces that something is wrong with.
    pub(crate) fn forget_degraded(&mut self) {
        self.0.retain(|_, state| state.reasons.is_empty());
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Makes the machine what `plan` says, whose maps hold `actual`. One interface that cannot be attached
/// leaves the others alone.
///
/// # Errors
/// Where the maps cannot be written. They may then hold part of the change.
pub(crate) fn apply(
    plan: &Plan,
    actual: &Image,
    attached: &mut Attached,
    host: &mut impl Host,
) -> anyhow::Result<()> {
    detach_left(plan, actual, attached, host)?;
    if !plan.changes.is_empty() {
        host.write(&plan.changes)?;
    }
    for &slot in &plan.removed_ports {
        let flows = host.remove_flows(slot)?;
        info!(slot, flows, "port removed");
    }
    let there = host.attached();
    for (&index, attachment) in &plan.attachments {
        let is_same = |state: &State| (state.role, state.mode) == (attachment.role, plan.mode);
        if !there.contains(&index) || !attached.0.get(&index).is_some_and(is_same) {
            let state = attach(plan, index, attachment, host);
            attached.0.insert(index, state);
        }
    }
    Ok(())
}

fn detach_left(
    plan: &Plan,
    actual: &Image,
    attached: &mut Attached,
    host: &mut impl Host,
) -> anyhow::Result<()> {
    let known: BTreeSet<u32> = actual
        .devices
        .keys()
        .chain(attached.0.keys())
        .copied()
        .collect();
    for index in &known | &host.attached() {
        if !plan.attachments.contains_key(&index) {
            host.detach(index)?;
            attached.forget(index);
            info!(interface_index = index, "interface detached");
        }
    }
    Ok(())
}

fn attach(plan: &Plan, index: u32, attachment: &Attachment, host: &mut impl Host) -> State {
    let (
        &Attachment {
            ref interface,
            role,
        },
        mode,
    ) = (attachment, plan.mode);
    let reasons = match host.attach(index, role, mode) {
        Ok(()) => {
            info!(%interface, interface_index = index, ?role, ?mode, "interface attached");
            host.prepare_interface(index, role, plan.image.config.virtual_mtu)
        }
        Err(error) => vec![format!("{error:#}")],
    };
    State {
        role,
        mode,
        reasons,
    }
}
