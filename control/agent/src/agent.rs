//! One agent: the state it was given, what it knows of the machine, and the step that brings the two
//! together. What calls the step is in `run`.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use inlay_api::{HostState, InterfaceName};
use inlay_dataplane::{
    image::{Changes, Image},
    labels::Labels,
};
use tracing::{info, warn};

use crate::{
    apply::{Attached, apply},
    compile::{CompileError, compile},
    host::Host,
    interface::Interfaces,
    reconcile::{Plan, reconcile},
    run_directory::RunDirectory,
    source::Desired,
    status::{Degraded, Status},
};

/// How long a packet may read an image that was replaced. Packets take microseconds.
const READERS: Duration = Duration::from_millis(200);

/// The maps are not pinned any more: the next agent would begin with empty ones, and nothing that this one
/// writes would reach what is attached then.
#[derive(Debug, thiserror::Error)]
#[error(
    "somebody removed the pins of the dataplane, and its nodes may be cut off; start the agent again: it \
     loads the dataplane anew"
)]
pub struct PinsGone;

/// An agent of the host `H`.
#[derive(Debug)]
pub struct Agent<H> {
    host: H,
    directory: RunDirectory,
    desired: Option<Desired>,
    /// What the last step was for.
    interfaces: Interfaces,
    /// What the maps hold.
    actual: Image,
    /// What they held before, and until when.
    older: Vec<(Instant, Image)>,
    attached: Attached,
    /// The interfaces that programs were attached to at the end of the last step.
    there: BTreeSet<u32>,
    /// Whether a change was begun and not ended, so that epochs do not tell what flows are decided by.
    is_interrupted: bool,
    /// Whether a step was begun and not ended, so that it has to be done again.
    is_behind: bool,
    /// Whether `labels` and `status` are what the files hold.
    is_told: bool,
    labels: Labels,
    status: Status,
}

impl<H: Host> Agent<H> {
    /// An agent of `host`, with what an earlier one left there.
    ///
    /// # Errors
    /// Where the maps cannot be read.
    pub fn open(host: H, directory: RunDirectory) -> anyhow::Result<Self> {
        let actual = host.read_image()?;
        let is_interrupted = directory.is_changing();
        if is_interrupted {
            warn!(
                "an earlier agent was stopped in the middle of a change; all flows are decided anew"
            );
        }
        Ok(Self {
            host,
            directory,
            desired: None,
            interfaces: Interfaces::new(),
            actual,
            older: Vec::new(),
            attached: Attached::default(),
            there: BTreeSet::new(),
            is_interrupted,
            is_behind: false,
            is_told: false,
            labels: Labels::default(),
            status: Status::default(),
        })
    }

    /// Makes `desired` true.
    ///
    /// # Errors
    /// Where it does not fit, and nothing was done; or where the machine refuses, and part of it may be
    /// done: then `check` does it again. `PinsGone` is final.
    pub fn set_desired(&mut self, desired: Desired) -> anyhow::Result<()> {
        ensure!(self.host.is_pinned(), PinsGone);
        let was_behind = self.is_behind;
        let before = self.desired.replace(desired);
        let result = self.step();
        // A state that does not fit is none that interfaces should be reconciled to.
        if result
            .as_ref()
            .is_err_and(anyhow::Error::is::<CompileError>)
        {
            (self.desired, self.is_behind) = (before, was_behind);
        }
        result
    }

    /// Looks at the machine: where it differs from what the last step left, or that step failed, makes the
    /// state true again.
    ///
    /// # Errors
    /// As for `set_desired`.
    pub fn check(&mut self) -> anyhow::Result<()> {
        ensure!(self.host.is_pinned(), PinsGone);
        let Some(desired) = &self.desired else {
            return Ok(());
        };
        let interfaces = self.host.interfaces(&names(&desired.state))?;
        let is_as_left = interfaces == self.interfaces && self.host.attached() == self.there;
        if is_as_left && !self.is_interrupted && !self.is_behind {
            return Ok(());
        }
        for (name, before) in &self.interfaces {
            let after = interfaces.get(name);
            if after != Some(before) {
                self.attached.forget(before.index);
            }
            if after.is_none_or(|after| after.index != before.index) {
                self.host.detach(before.index)?;
            }
        }
        // An interface that was made anew, perhaps with the same number, is gone from the device map.
        self.actual = self.host.read_image()?;
        self.step()
    }

    /// As `check`, and looks whether what is attached still works: no event tells of a node's end of a
    /// veth. What did not work is tried again.
    ///
    /// # Errors
    /// As for `set_desired`.
    pub fn retry(&mut self) -> anyhow::Result<()> {
        let virtual_mtu = self.actual.config.virtual_mtu;
        let is_degraded = self.attached.find_degraded(&mut self.host, virtual_mtu)
            || !self.host.prepare_host().is_empty()
            || !self.status.degraded.is_empty();
        if is_degraded {
            self.attached.forget_degraded();
            self.is_behind = true;
        }
        self.check()
    }

    /// Has the next step look at everything: maps are read back, programs attached anew, files written.
    ///
    /// # Errors
    /// Where the maps cannot be read.
    pub fn distrust(&mut self) -> anyhow::Result<()> {
        self.attached.clear();
        (self.is_behind, self.is_told) = (true, false);
        self.actual = self.host.read_image()?;
        Ok(())
    }

    /// Whether a state would fit the maps as they are. Nothing is changed.
    ///
    /// # Errors
    /// Names what does not fit.
    pub fn fits(&self, state: &HostState) -> Result<(), CompileError> {
        // What cannot be asked is no fault of the state's.
        let interfaces = self.host.interfaces(&names(state)).unwrap_or_default();
        compile(state, &interfaces, &[&self.actual]).map(drop)
    }

    /// What it says of itself, as of the last step that was done whole.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Whether the host is as the state that was given last says.
    #[must_use]
    pub fn is_in_step(&self) -> bool {
        self.desired.is_some() && !self.is_behind
    }

    /// Whether none was given yet that could be applied.
    #[must_use]
    pub fn has_no_state(&self) -> bool {
        self.desired.is_none()
    }

    /// How many mappings the maps hold.
    #[must_use]
    pub fn mappings(&self) -> usize {
        self.actual.mappings.len()
    }

    /// Reconciles and applies.
    fn step(&mut self) -> anyhow::Result<()> {
        // A state may be of many megabytes: it is lent, and not copied.
        let Some(desired) = self.desired.take() else {
            return Ok(());
        };
        let result = self.step_to(&desired);
        self.desired = Some(desired);
        result
    }

    fn step_to(&mut self, desired: &Desired) -> anyhow::Result<()> {
        self.is_behind = true;
        let began = Instant::now();
        let interfaces = self.host.interfaces(&names(&desired.state))?;
        let mut plan = self.plan(&desired.state, &interfaces)?;
        if self.is_interrupted {
            plan = plan.with_flows_decided_anew(&self.actual);
        }
        self.carry_out(&plan)?;
        self.interfaces = interfaces;
        self.there = self.host.attached();
        plan.status.revision.clone_from(&desired.revision);
        self.add_degraded(&mut plan);
        self.tell(plan, began)
    }

    fn add_degraded(&mut self, plan: &mut Plan) {
        // `all` is how sysctl names every interface, and no interface has that name.
        for reason in self.host.prepare_host() {
            plan.status.add_degraded(&mut plan.labels, "all", reason);
        }
        for (index, attachment) in &plan.attachments {
            for reason in self.attached.reasons(*index) {
                let (status, labels) = (&mut plan.status, &mut plan.labels);
                status.add_degraded(labels, &attachment.interface, reason.clone());
            }
        }
        plan.status.degraded.sort_unstable();
    }

    fn plan(&mut self, desired: &HostState, interfaces: &Interfaces) -> Result<Plan, CompileError> {
        self.older.retain(|(until, _)| *until > Instant::now());
        let older: Vec<&Image> = self.older.iter().map(|(_, image)| image).collect();
        let plan = reconcile(desired, interfaces, &self.actual, &older);
        if older.is_empty() || !matches!(plan, Err(CompileError::NoRoom { .. })) {
            return plan;
        }
        // Changes came faster than packets are done with what was before them.
        std::thread::sleep(READERS);
        self.older.clear();
        reconcile(desired, interfaces, &self.actual, &[])
    }

    fn carry_out(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let ports = self.actual.ports.len();
        if ports > 0 && plan.removed_ports.len() == ports {
            warn!(ports, "every port that there was is removed");
        }
        let is_change = !plan.changes.is_empty();
        if is_change {
            self.directory.begin_change()?;
            self.is_interrupted = true;
        }
        if let Err(error) = apply(plan, &self.actual, &mut self.attached, &mut self.host) {
            self.actual = self.host.read_image().context("after a failed change")?;
            return Err(error);
        }
        if is_change {
            let before = std::mem::replace(&mut self.actual, plan.image.clone());
            self.older.push((Instant::now() + READERS, before));
        }
        self.directory.end_change()?;
        self.is_interrupted = false;
        let there = self.host.attached();
        if plan.attachments.keys().all(|index| there.contains(index)) {
            self.host.retire_old()?;
        }
        Ok(())
    }

    fn tell(&mut self, plan: Plan, began: Instant) -> anyhow::Result<()> {
        for degraded in &plan.status.degraded {
            if !self.status.degraded.contains(degraded) {
                let Degraded {
                    interface,
                    network,
                    node,
                    reason,
                } = degraded;
                warn!(%interface, network, node, reason, "degraded");
            }
        }
        if !self.is_told || self.labels != plan.labels {
            self.directory.write_labels(&plan.labels)?;
            self.labels = plan.labels;
        }
        if !self.is_told || self.status != plan.status {
            self.directory.write_status(&plan.status)?;
            self.status = plan.status;
        }
        self.directory.write_ready(&self.status.revision)?;
        (self.is_behind, self.is_told) = (false, true);
        info!(
            revision = self.status.revision,
            ports = self.actual.ports.len(),
            networks = self.actual.networks.len(),
            mappings = self.actual.mappings.len(),
            changes = count(&plan.changes),
            degraded = self.status.degraded.len(),
            elapsed_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            "ready"
        );
        Ok(())
    }
}

/// The interfaces that `state` names.
fn names(state: &HostState) -> BTreeSet<&str> {
    let uplinks = state.host().uplinks.iter().map(InterfaceName::as_str);
    uplinks
        .chain(state.local_ports().map(|port| port.port.interface.as_str()))
        .collect()
}

/// Entries that are written or cleared.
fn count(changes: &Changes) -> usize {
    usize::from(changes.config.is_some())
        + changes.intervals.put.len()
        + changes.rows.put.len()
        + changes.route_targets.put.len()
        + changes.policies.len()
        + changes.hosts.len()
        + changes.subnets.len()
        + changes.mappings.len()
        + changes.forwarders.len()
        + changes.ports.len()
        + changes.devices.len()
        + changes.networks.len()
}
