//! Why streams are refused or ended, as gRPC's statuses: what the agent logs and acts upon.

use rand::RngExt as _;
use tonic::{Status, metadata::MetadataValue};

use crate::trust::{HostCertificate, Standing, TrustError};

/// When to come again, in milliseconds: gRPC's own name for it (gRFC A6).
pub const RETRY_AFTER: &str = "grpc-retry-pushback-ms";
/// The range of what is said: spread, so that those who are sent away together do not come back together.
const RETRY_AFTER_MS: std::ops::Range<u64> = 500..3_000;

/// Too much is asked of the manager at the moment.
pub(super) fn too_many(what: &str) -> Status {
    let mut status = Status::resource_exhausted(format!("{what}; come again in a moment"));
    let after: u64 = rand::rng().random_range(RETRY_AFTER_MS);
    status
        .metadata_mut()
        .insert(RETRY_AFTER, MetadataValue::from(after));
    status
}

pub(super) fn closing() -> Status {
    Status::unavailable("the manager is stopping; come again")
}

pub(super) fn silent() -> Status {
    Status::deadline_exceeded("nothing was heard of the host for three report intervals")
}

pub(super) fn superseded() -> Status {
    Status::aborted("another stream of the same host has taken the place of this one")
}

pub(super) fn removed(host: &str) -> Status {
    Status::permission_denied(format!("there is no host {host}: it was removed"))
}

pub(super) fn not_current(certificate: &HostCertificate, standing: Standing) -> Status {
    let host = &certificate.host;
    match standing {
        Standing::Removed => removed(host),
        _ => Status::unauthenticated(format!(
            "the certificate of host {host} counts no more ({standing}); join again"
        )),
    }
}

/// What went wrong with trust. Of the store's faults the agent is told that there are some.
pub(super) fn failed(error: &TrustError) -> Status {
    match error {
        TrustError::JoinToken(_) => Status::permission_denied(error.to_string()),
        TrustError::SigningRequest(_) => Status::invalid_argument(error.to_string()),
        TrustError::NoHost(host) => removed(host),
        TrustError::NotCurrent { .. } => Status::unauthenticated(error.to_string()),
        _ => {
            tracing::error!(%error, "a host cannot be answered");
            Status::unavailable(
                "the manager's store failed; come again, and look at the manager's log",
            )
        }
    }
}
