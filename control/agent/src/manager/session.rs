//! One host and its manager: takes batches in, brings the host in step, and says what came of it. It knows of no
//! connection; `link` does.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use inlay_api::{
    HostState,
    wire::{
        HOST_SCOPE,
        agent::{Acknowledgement, Degraded, Hello, Kind, Rejection, Report},
    },
};
use tracing::{error, info, warn};

use super::{
    backend::{Attachments, Backend},
    blame,
    collect::Batch,
    held::{Held, Previous, ResourceKey},
    settle::{Faults, Settled, settle},
    state::{AtHome, Built, InForce, build},
};
use crate::{
    agent::{Agent, PinsGone},
    compile::CompileError,
    config::HostConfig,
    disk::Stored,
    host::Host,
    source::Desired,
};

/// Rejections that one acknowledgement names.
pub const REJECTIONS_MAX: usize = 1_000;
/// Ports that one report names.
pub const DEGRADED_MAX: usize = 1_000;
/// Bytes of a reason: all that one message names must be within the longest that a manager takes, 1 MiB.
pub const REASON_BYTES_MAX: usize = 512;

/// A state that was settled, and what goes with it.
#[derive(Debug)]
struct Candidate {
    state: HostState,
    at_home: AtHome,
    attachments: Attachments,
}

/// What is to be acknowledged once the host is in step.
#[derive(Debug)]
struct Pending {
    revision: u64,
    received: Instant,
}

/// The agent of one host.
#[derive(Debug)]
pub struct Session<H, B> {
    agent: Agent<H>,
    backend: B,
    config: HostConfig,
    boot: String,
    held: Held,
    instead: Previous,
    rejections: Vec<Rejection>,
    at_home: AtHome,
    attachments: Attachments,
    virtual_mtu: u32,
    /// Why attachments are not made, by their keys.
    unmade: BTreeMap<String, String>,
    pending: Option<Pending>,
    /// What was acknowledged last as not in force.
    told: Vec<Rejection>,
    applied_revision: u64,
}

impl<H: Host, B: Backend> Session<H, B> {
    /// Of `agent`, whose host is configured by `config` and was started as `boot`.
    pub fn new(agent: Agent<H>, backend: B, config: HostConfig, boot: String) -> Self {
        Self {
            agent,
            backend,
            config,
            boot,
            held: Held::default(),
            instead: Previous::new(),
            rejections: Vec::new(),
            at_home: AtHome::new(),
            attachments: Attachments::new(),
            virtual_mtu: 0,
            unmade: BTreeMap::new(),
            pending: None,
            told: Vec::new(),
            applied_revision: 0,
        }
    }

    /// Has the host as it was when `stored` was written.
    ///
    /// # Errors
    /// As for `take`.
    pub fn restore(&mut self, stored: Stored) -> anyhow::Result<()> {
        info!(
            revision = stored.held.revision,
            resources = stored.held.len(),
            "the last state is restored"
        );
        self.held = stored.held;
        // All of it passed before; what of it does not any more is left out.
        let all = self.held.resources();
        let mut good: Previous = all.map(|(key, _)| (key.clone(), None)).collect();
        good.extend(stored.instead);
        self.bring_in_step(good, Instant::now())
    }

    /// Takes batches in, in their order, and makes the last of them true as far as it can be. The first was received
    /// at `received`.
    ///
    /// # Errors
    /// Where the machine refuses: `retry` tries again. `PinsGone` is final.
    pub fn take(&mut self, batches: Vec<Batch>, received: Instant) -> anyhow::Result<()> {
        let mut unknown = Vec::new();
        let mut good = std::mem::take(&mut self.instead);
        for batch in batches {
            unknown.extend(batch.unknown.iter().map(unknown_kind));
            let sent = batch.scopes.clone();
            for (key, value) in self.held.apply(batch) {
                good.entry(key).or_insert(value);
            }
            for (vni, scope) in self.held.scopes() {
                let sent = sent.get(&vni).map(|sent| sent.digest);
                if sent.is_some_and(|digest| digest != scope.digest.0) {
                    warn!(vni, "what is held of a scope is not what the manager sent");
                }
            }
        }
        good.retain(|key, value| self.held.get(key) != value.as_ref());
        let result = self.bring_in_step(good, received);
        self.rejections.extend(unknown);
        result
    }

    fn bring_in_step(&mut self, good: Previous, received: Instant) -> anyhow::Result<()> {
        let revision = self.held.revision;
        self.pending = Some(Pending { revision, received });
        // Compiling is part of applying: it is asked for alone only where it failed.
        for asks_maps in [false, true] {
            let settled = settle(&good, |instead| self.candidate(instead, asks_maps));
            let candidate = match settled {
                Ok(settled) => self.note(settled),
                Err(faults) => {
                    self.keep_all(good, &faults);
                    return Ok(());
                }
            };
            self.at_home = candidate.at_home;
            self.attachments = candidate.attachments;
            self.virtual_mtu = u32::from(candidate.state.host().substrate_mtu.virtual_mtu());
            self.make_interfaces();
            let result = self.agent.set_desired(Desired {
                state: candidate.state,
                revision: revision.to_string(),
            });
            match result {
                Err(error) if !asks_maps && error.is::<CompileError>() => {}
                // It was asked whether it fits, and the interfaces changed since: it is not in force.
                Err(error) if error.is::<CompileError>() => {
                    let told = error.to_string();
                    self.keep_all(
                        good,
                        &Faults {
                            guilty: Vec::new(),
                            told,
                        },
                    );
                    return Ok(());
                }
                result => return self.applied(result),
            }
        }
        Ok(())
    }

    fn candidate(&self, instead: &Previous, asks_maps: bool) -> Result<Candidate, Faults> {
        let in_force = InForce {
            held: &self.held,
            instead,
        };
        let built = build(in_force, &self.config, &self.at_home);
        let state = validated(&built)?;
        if asks_maps && let Err(error) = self.agent.fits(&state) {
            return Err(Faults {
                guilty: Vec::new(),
                told: error.to_string(),
            });
        }
        let attachments = built.attachments.into_iter();
        Ok(Candidate {
            state,
            at_home: built.at_home,
            attachments: attachments
                .map(|(key, attachment)| (key.id.key.into(), attachment))
                .collect(),
        })
    }

    fn note(&mut self, settled: Settled<Candidate>) -> Candidate {
        let rejections = settled.rejections.iter().take(REJECTIONS_MAX);
        self.rejections = rejections
            .map(|(key, reason)| rejection(key, reason))
            .collect();
        for Rejection {
            vni, key, reason, ..
        } in &self.rejections
        {
            error!(
                vni,
                key, reason, "resource refused; its last good value stays"
            );
        }
        self.instead = settled.instead;
        settled.state
    }

    /// Nothing of the change can be in force: all that was goes on.
    fn keep_all(&mut self, good: Previous, faults: &Faults) {
        error!(
            reason = faults.told,
            "nothing of the change can be in force; what was goes on"
        );
        let all = good.keys().take(REJECTIONS_MAX);
        let reason = |key: &ResourceKey| {
            let own = faults.guilty.iter().find(|(guilty, _)| guilty == key);
            own.map_or(&faults.told, |(_, reason)| reason).clone()
        };
        self.rejections = all.map(|key| rejection(key, &reason(key))).collect();
        self.instead = good;
    }

    fn make_interfaces(&mut self) {
        let outcome = self
            .backend
            .reconcile(&self.attachments, self.virtual_mtu)
            .into_iter();
        let unmade = outcome.filter_map(|(key, made)| Some((key, made.err()?)));
        self.unmade = unmade.collect();
    }

    fn applied(&mut self, result: anyhow::Result<()>) -> anyhow::Result<()> {
        if self.agent.is_in_step() && result.is_ok() {
            self.applied_revision = self.held.revision;
        }
        result
    }

    /// What is to be acknowledged, once: what was taken last is in force. It is acknowledged again where something of
    /// it could be in force then and cannot be now, or the other way round.
    pub fn acknowledgement(&mut self) -> Option<Acknowledgement> {
        // Where nothing is in force, there is nothing to wait for.
        let is_settled = self.agent.is_in_step() || self.agent.has_no_state();
        let pending = self.pending.take_if(|_| is_settled);
        let rejections = self.not_in_force();
        let is_other = is_settled && self.applied_revision > 0 && rejections != self.told;
        if pending.is_none() && !is_other {
            return None;
        }
        self.told.clone_from(&rejections);
        let apply_us = pending.map_or(0, |pending| {
            self.applied_revision = pending.revision;
            micros(pending.received.elapsed()).max(1)
        });
        Some(Acknowledgement {
            revision: self.applied_revision,
            rejections,
            apply_us,
        })
    }

    /// What is refused, and the attachments of which nothing could be made: no node may be moved to those.
    fn not_in_force(&self) -> Vec<Rejection> {
        let unmade = self.unmade.iter().map(|(key, reason)| {
            let key = ResourceKey::new(HOST_SCOPE, Kind::Attachment, key);
            rejection(&key, reason)
        });
        let all = unmade.chain(self.rejections.iter().cloned());
        all.take(REJECTIONS_MAX).collect()
    }

    /// Looks at the machine, after an event.
    ///
    /// # Errors
    /// As for `take`.
    pub fn check(&mut self) -> anyhow::Result<()> {
        let result = self.agent.check();
        self.applied(result)
    }

    /// Looks at the machine, and tries again what did not work.
    ///
    /// # Errors
    /// As for `take`.
    pub fn retry(&mut self) -> anyhow::Result<()> {
        if !self.agent.has_no_state() {
            self.make_interfaces();
        }
        let result = self.agent.retry();
        self.applied(result)
    }

    /// Has everything applied again.
    ///
    /// # Errors
    /// As for `take`.
    pub fn reapply(&mut self) -> anyhow::Result<()> {
        self.backend.distrust();
        self.agent.distrust()?;
        self.retry()
    }

    /// What is said when a stream begins.
    #[must_use]
    pub fn hello(&self) -> Hello {
        Hello {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            epoch: self.held.epoch.clone(),
            revision: self.applied_revision,
            scopes: self.held.scope_states(),
            boot: self.boot.clone(),
        }
    }

    /// How it is, at a Unix time in milliseconds, with a certificate that ends at a Unix time in seconds.
    #[must_use]
    pub fn report(&self, time_ms: i64, certificate_ends_s: i64) -> Report {
        Report {
            revision: self.applied_revision,
            scopes: self.held.scope_states(),
            degraded: self.degraded(),
            time_ms,
            certificate_ends_s,
        }
    }

    /// All that does not work as it should.
    #[must_use]
    pub fn degraded(&self) -> Vec<Degraded> {
        let unmade = self.unmade.iter().filter_map(|(key, reason)| {
            let attachment = self.attachments.get(key)?;
            Some(Degraded {
                interface: attachment.interface.clone(),
                network: format!("{}/{}", attachment.project, attachment.network),
                node: attachment.node.clone(),
                reason: reason.clone(),
            })
        });
        // That one is not there is said with why.
        let unmade: Vec<Degraded> = unmade.collect();
        let is_told = |name: &str| unmade.iter().any(|degraded| degraded.interface == name);
        let ports = self.agent.status().degraded.iter();
        let ports = ports.filter(|degraded| !is_told(&degraded.interface));
        let ports = ports.map(|degraded| Degraded {
            interface: degraded.interface.clone(),
            network: degraded.network.clone().unwrap_or_default(),
            node: degraded.node.clone().unwrap_or_default(),
            reason: degraded.reason.clone(),
        });
        let ports: Vec<Degraded> = ports.collect();
        let mut all = [unmade, ports].concat();
        all.truncate(DEGRADED_MAX);
        for degraded in &mut all {
            degraded.reason = shortened(&degraded.reason);
        }
        all
    }

    /// What is to be found after a restart.
    #[must_use]
    pub fn stored(&self) -> Stored {
        Stored {
            held: self.held.clone(),
            instead: self.instead.clone(),
        }
    }

    /// What the manager sent.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// What of it is refused.
    #[must_use]
    pub fn rejections(&self) -> &[Rejection] {
        &self.rejections
    }

    /// The revision that the maps hold.
    #[must_use]
    pub fn applied_revision(&self) -> u64 {
        self.applied_revision
    }

    /// What keeps the maps.
    #[must_use]
    pub fn agent(&self) -> &Agent<H> {
        &self.agent
    }
}

/// Whether nothing can be done about `error` but to start anew.
#[must_use]
pub fn is_final(error: &anyhow::Error) -> bool {
    error.is::<PinsGone>()
}

fn validated(built: &Built) -> Result<HostState, Faults> {
    if let Some((_, reason)) = built.faults.first() {
        return Err(Faults {
            guilty: built.faults.clone(),
            told: reason.clone(),
        });
    }
    HostState::from_raw(&built.raw).map_err(|refusal| {
        let guilty = refusal.problems.iter().flat_map(|problem| {
            let resources = blame::resources(built, problem).into_iter();
            resources.map(|key| (key, problem.message.clone()))
        });
        Faults {
            guilty: guilty.collect(),
            told: refusal
                .problems
                .first()
                .map(ToString::to_string)
                .unwrap_or_default(),
        }
    })
}

fn rejection(key: &ResourceKey, reason: &str) -> Rejection {
    Rejection {
        vni: key.vni,
        kind: key.id.kind.into(),
        key: key.id.key.to_string(),
        reason: shortened(reason),
    }
}

fn shortened(reason: &str) -> String {
    reason[..reason.floor_char_boundary(REASON_BYTES_MAX)].to_owned()
}

fn unknown_kind((vni, kind, key): &(u32, i32, String)) -> Rejection {
    Rejection {
        vni: *vni,
        kind: *kind,
        key: key.clone(),
        reason: format!("this agent knows no resources of kind {kind}; upgrade it"),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
