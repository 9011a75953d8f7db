//! Which host calls: what its certificate says, and whether that still counts.

use tonic::{Request, Status};

use super::{fleet::Fleet, refusal};
use crate::{
    store::Revision,
    trust::{HostCertificate, Standing, Trust, peer},
};

/// A host that has shown a certificate that counts.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) certificate: HostCertificate,
    /// When the host's certificates had changed last as it was looked at.
    pub(super) identity: Revision,
}

/// Who sent a request.
pub(super) async fn caller<T>(
    request: &Request<T>,
    fleet: &Fleet,
    trust: &Trust,
) -> Result<Caller, Status> {
    let found = identify(request, fleet, trust).await;
    if let Err(status) = &found {
        fleet.metrics.refused.inc();
        tracing::warn!(%status, peer = ?request.remote_addr(), "a host is refused");
    }
    found
}

async fn identify<T>(request: &Request<T>, fleet: &Fleet, trust: &Trust) -> Result<Caller, Status> {
    let shown = request.peer_certs();
    let shown = shown.as_ref().and_then(|chain| chain.first());
    let shown = shown.ok_or_else(|| Status::unauthenticated("show a certificate; join first"))?;
    let certificate = peer(shown)
        .map_err(|fault| Status::unauthenticated(format!("your certificate: {fault}")))?;
    // Before the store is asked, so that what changes meanwhile is looked at again.
    let identity = fleet.world.identity_revision(&certificate.host);
    match trust.standing(&certificate).await {
        Ok(Standing::Current) => Ok(Caller {
            certificate,
            identity,
        }),
        Ok(standing) => Err(refusal::not_current(&certificate, standing)),
        Err(error) => Err(refusal::failed(&error)),
    }
}
