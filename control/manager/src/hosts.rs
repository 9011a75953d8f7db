//! What the manager knows of its hosts at this moment, for those who answer clients. `world` and `agents` know it.

use std::{fmt, sync::Arc, time::Instant};

use futures_util::future::BoxFuture;
use inlay_api::{
    objects::{Applied, HostCondition},
    wire::agent::{Answer, question::Question},
};

use crate::{service::Target, store::Revision};

/// A host as it is seen from here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostView {
    /// How it is.
    pub state: HostCondition,
    /// Version of its agent; empty: never seen.
    pub agent_version: String,
    /// When its agent was heard of last, Unix time in milliseconds.
    pub seen_ms: Option<i64>,
    /// The last revision that concerns it.
    pub desired_revision: Revision,
    /// The revision that its maps hold.
    pub applied_revision: Revision,
    /// For how long its maps have not held what they should, in milliseconds.
    pub lag_ms: u64,
    /// What does not work as it should, and what to do; rejected resources are among it.
    pub degraded: Vec<String>,
    /// How far its clock is ahead, in milliseconds.
    pub clock_skew_ms: i64,
    /// When its certificate ends, Unix time in seconds.
    pub certificate_ends_s: Option<i64>,
}

impl HostView {
    /// Whether its maps lack something of what concerns it up to `revision`.
    #[must_use]
    pub fn lacks(&self, revision: Revision) -> bool {
        self.applied_revision < revision.min(self.desired_revision)
    }
}

/// Why a host does not answer a question.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AskError {
    /// It is not connected.
    #[error("host {0} is not connected; look at `inlay host show {0}`")]
    NotConnected(String),
    /// It did not answer in time.
    #[error("host {0} has not answered in time; try again")]
    TimedOut(String),
}

/// The hosts.
pub trait Hosts: fmt::Debug + Send + Sync + 'static {
    /// Names of the hosts that must know the network of `vni`: those that have, prepare or give up a node of it.
    fn subscribers(&self, vni: u32) -> Vec<Arc<str>>;

    /// Up to which revision every connected subscriber of the network holds it.
    fn held(&self, vni: u32) -> Revision;

    /// A host. One that nothing is known of is `Expected`.
    fn host(&self, name: &str) -> HostView;

    /// What does not work of a node's port on `host`; `network` is `project/network`.
    fn degraded(&self, host: &str, network: &str, node: &str) -> Vec<String>;

    /// Waits until every host that the commit of `revision` concerns has it in its maps, or until `deadline`. Hosts
    /// that are not connected are concerned too. `about` is what the commit has changed: of one too long ago to be
    /// remembered, the hosts that must know that are concerned, and nobody is told of others.
    fn wait_applied(
        &self,
        revision: Revision,
        about: &Target,
        deadline: Instant,
    ) -> BoxFuture<'_, Applied>;

    /// Asks a host's dataplane. Within a few seconds there is an answer or an error.
    fn ask(&self, host: &str, question: Question) -> BoxFuture<'_, Result<Answer, AskError>>;
}
