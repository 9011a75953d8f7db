//! What a session hears of its host, and does about it.

use inlay_api::wire::agent::{
    Acknowledgement, FromAgent, Rejection, Report, ScopeState, from_agent,
};
use tonic::Status;

use super::{Open, now_ms};
use crate::{
    agents::{
        entry::Asked,
        refusal,
        settings::{QUESTIONS_MAX, TRANSFER_TIME},
    },
    store::Revision,
    trust::Standing,
};

impl Open {
    pub(super) fn receive(&mut self, message: FromAgent) -> Result<(), Status> {
        match message.message {
            Some(from_agent::Message::Acknowledgement(acknowledgement)) => {
                self.acknowledge(acknowledgement);
            }
            Some(from_agent::Message::Report(report)) => self.report(report)?,
            Some(from_agent::Message::Answer(answer)) => {
                if let Some(to) = self.answers.remove(&answer.id) {
                    // Whoever asked may have stopped waiting.
                    let _ = to.send(answer);
                }
            }
            Some(from_agent::Message::Hello(_)) => {
                return Err(Status::invalid_argument(
                    "only the first message is a Hello",
                ));
            }
            // A kind of message that a later agent has.
            None => {}
        }
        Ok(())
    }

    fn acknowledge(&mut self, acknowledgement: Acknowledgement) {
        let Acknowledgement {
            revision,
            rejections,
            ..
        } = acknowledgement;
        let mut window = self.window.iter();
        let Some(sent) = window.position(|(sent, _)| *sent == revision) else {
            self.acknowledge_again(revision, rejections);
            return;
        };
        let fleet = &self.session.fleet;
        for (_, at) in self.window.drain(..=sent) {
            let after = at.elapsed().as_secs_f64();
            fleet.metrics.acknowledged_after.observe(after);
        }
        fleet.metrics.rejections.inc_by(rejections.len() as u64);
        self.acknowledged = revision;
        let is_in_step = self.is_in_step();
        fleet.note(&self.host, self.id, |entry| {
            entry.applied = revision;
            entry.seen_ms = Some(now_ms());
            entry.reject(rejections);
            if is_in_step {
                entry.behind_since = None;
            }
        });
        fleet.changed();
    }

    /// What could not be in force may be by now, or the other way round, without anything being sent.
    fn acknowledge_again(&mut self, revision: Revision, rejections: Vec<Rejection>) {
        if revision != self.acknowledged {
            tracing::warn!(host = %self.host, revision, "a host acknowledges what it was not sent");
            return;
        }
        let fleet = &self.session.fleet;
        fleet.note(&self.host, self.id, |entry| entry.reject(rejections));
        fleet.changed();
    }

    fn is_in_step(&self) -> bool {
        !self.is_stale && self.window.is_empty() && !self.outgoing.has_plan()
    }

    fn report(&mut self, report: Report) -> Result<(), Status> {
        let now_ms = now_ms();
        self.session.fleet.note(&self.host, self.id, |entry| {
            entry.seen_ms = Some(now_ms);
            entry.clock_skew_ms = report.time_ms.saturating_sub(now_ms);
            if report.certificate_ends_s != 0 {
                entry.certificate_ends_s = Some(report.certificate_ends_s);
            }
            entry.degrade(report.degraded);
        });
        self.session.fleet.changed();
        self.outgoing.hear();
        if self
            .turn
            .as_ref()
            .is_some_and(|(_, since)| since.elapsed() > TRANSFER_TIME)
        {
            return Err(refusal::too_many("the host is too slow to take everything"));
        }
        // What is on its way makes the two differ rightly.
        let comparable = self.window.is_empty() && !self.outgoing.has_plan();
        if comparable && self.has_planned && report.revision == self.acknowledged {
            self.compare(&report.scopes);
        }
        Ok(())
    }

    /// Has scopes replaced that are not what they should be.
    fn compare(&mut self, reported: &[ScopeState]) {
        let different = self.comparison.differences(&self.held, reported);
        if different.is_empty() {
            return;
        }
        tracing::warn!(host = %self.host, scopes = ?different, "a host does not hold what it should: it is sent again");
        self.session
            .fleet
            .metrics
            .digest_mismatches
            .inc_by(different.len() as u64);
        for vni in different {
            // Of no revision that is known: it is planned to be replaced, or dropped if the host should not have it.
            match reported.iter().find(|state| state.vni == vni) {
                Some(state) => self.held.insert(
                    vni,
                    ScopeState {
                        revision: 0,
                        ..*state
                    },
                ),
                None => self.held.remove(&vni),
            };
        }
        self.session
            .fleet
            .note(&self.host, self.id, |entry| entry.applied = 0);
        self.is_stale = true;
    }

    /// Ends the stream of a host whose certificate does not count any more.
    pub(super) async fn check_identity(&mut self) -> Result<(), Status> {
        let identity = self.world.identity_revision(&self.host);
        if identity == self.identity {
            return Ok(());
        }
        let certificate = &self.session.caller.certificate;
        match self.session.trust.standing(certificate).await {
            Ok(Standing::Current) => {
                self.identity = identity;
                Ok(())
            }
            Ok(standing) => Err(refusal::not_current(certificate, standing)),
            Err(error) => Err(refusal::failed(&error)),
        }
    }

    pub(super) fn ask(&mut self, (question, to): Asked) {
        self.answers.retain(|_, to| !to.is_closed());
        if self.answers.len() < QUESTIONS_MAX {
            self.last_question += 1;
            self.answers.insert(self.last_question, to);
            self.outgoing.ask(self.last_question, question);
        }
    }
}
