//! What the service is given besides store and hosts.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use inlay_api::objects::JoinToken;
use jiff::Timestamp;

use crate::store::StoreError;

/// Makes the one-time tokens with which hosts join.
pub trait JoinTokens: fmt::Debug + Send + Sync + 'static {
    /// A token for a host that is there.
    ///
    /// # Errors
    /// Where the store fails.
    fn issue<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<JoinToken, StoreError>>;
}

/// What time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Settings of the service.
#[derive(Clone)]
pub struct ServiceSettings {
    /// For how long an address or a network's number that was given up is given to nobody, in seconds: for longer
    /// than a host keeps forwarding without its manager having told it.
    pub quarantine_s: u32,
    /// For how long the answer to a request with an idempotency key is remembered, in seconds.
    pub idempotency_s: u32,
    /// How many answers are remembered for a project at a time.
    pub answers_max: u64,
    /// How many bytes of them.
    pub answers_bytes_max: u64,
    /// For how long an entry of the audit log is kept, in seconds.
    pub audit_s: u32,
    /// How many entries of the audit log are kept. The oldest go first, of those projects that have more than their
    /// share: who changes much shortens nobody else's log.
    pub audit_entries_max: u64,
    /// Makes join tokens.
    pub join_tokens: Arc<dyn JoinTokens>,
    /// Tells the time; tests have their own.
    pub clock: Clock,
}

impl ServiceSettings {
    /// The defaults: 15 minutes of quarantine, a day of idempotency with 100,000 answers
    /// and 256 MiB of them for a project, 90 days and 1,000,000 entries of audit log.
    #[must_use]
    pub fn new(join_tokens: Arc<dyn JoinTokens>) -> Self {
        Self {
            quarantine_s: 15 * 60,
            idempotency_s: 24 * 60 * 60,
            answers_max: 100_000,
            answers_bytes_max: 256 * 1024 * 1024,
            audit_s: 90 * 24 * 60 * 60,
            audit_entries_max: 1_000_000,
            join_tokens,
            clock: Arc::new(Timestamp::now),
        }
    }
}

impl fmt::Debug for ServiceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceSettings")
            .field("quarantine_s", &self.quarantine_s)
            .field("idempotency_s", &self.idempotency_s)
            .field("answers_max", &self.answers_max)
            .field("answers_bytes_max", &self.answers_bytes_max)
            .field("audit_s", &self.audit_s)
            .field("audit_entries_max", &self.audit_entries_max)
            .finish_non_exhaustive()
    }
}
