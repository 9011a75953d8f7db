//! Who is who: the manager's own CA, the certificates of hosts, and the secrets that prove a right.
//!
//! ```text
//! operator --join token--> host --secret, signing request--> join --> certificate, and trust/hosts/HOST
//! host --certificate (mutual TLS)--> standing: is it the present one of a host that is there?
//! ```
//!
//! A certificate says which host it was made for; the store says whether that still counts. A host that is removed, or
//! made again, is refused from that commit on, without a revocation list.

mod authority;
mod hosts;
mod join;
mod peer;
mod secrets;
mod tls;

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

pub use self::{
    authority::{Authority, Issued, ServerCertificate},
    hosts::{HostIdentity, Standing},
    join::{JoinClaim, Joined, TokenFault},
    peer::{HostCertificate, PeerFault, peer},
    secrets::{SECRET_PREFIX, hash, hint, new_secret},
    tls::{agents_server_config, incoming},
};
use crate::store::{Store, StoreError};

/// Tells the time, as Unix time in seconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// For how long things hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetimes {
    /// Of a host's certificate, in seconds.
    pub host_certificate_s: u32,
    /// Of a join token, in seconds.
    pub join_token_s: u32,
}

impl Default for Lifetimes {
    /// A week, and an hour.
    fn default() -> Self {
        Self {
            host_certificate_s: 7 * 24 * 60 * 60,
            join_token_s: 60 * 60,
        }
    }
}

/// Why trust is not given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The join token is not valid. Whoever shows it is told no more: which tokens there are is nobody's to learn.
    #[error("the join token is not valid; `inlay host token` makes another one")]
    JoinToken(TokenFault),
    /// There is no such host.
    #[error("there is no host {0}; create it first")]
    NoHost(String),
    /// The signing request is not one, is not signed by its key, or has a key of a kind that is not taken.
    #[error("the certificate signing request is refused: {0}")]
    SigningRequest(String),
    /// The certificate is not the present one of a host that is there.
    #[error("the certificate of host {host} counts no more ({standing}); join again")]
    NotCurrent {
        /// Name of the host.
        host: String,
        /// Why.
        standing: Standing,
    },
    /// The CA in the store cannot be used.
    #[error("the manager's CA cannot be used: {0}; restore a backup of the store")]
    Authority(String),
    /// The store failed, or was changed at the same time again and again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Gives trust to hosts and takes it away: the CA, and what the store says of hosts.
pub struct Trust {
    store: Arc<dyn Store>,
    authority: Arc<Authority>,
    lifetimes: Lifetimes,
    clock: Clock,
}

impl Trust {
    /// Uses the CA that is in the store, or makes one.
    ///
    /// # Errors
    /// Where the store fails, or the CA in it cannot be used.
    pub async fn open(
        store: Arc<dyn Store>,
        lifetimes: Lifetimes,
        clock: Clock,
    ) -> Result<Self, TrustError> {
        let authority = Authority::load_or_create(&*store, clock()).await?;
        Ok(Self {
            store,
            authority: Arc::new(authority),
            lifetimes,
            clock,
        })
    }

    /// The CA.
    #[must_use]
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    fn now_s(&self) -> i64 {
        (self.clock)()
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Trust")
            .field("authority", &self.authority)
            .field("lifetimes", &self.lifetimes)
            .finish_non_exhaustive()
    }
}

/// The system's clock.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| jiff::Timestamp::now().as_second())
}
