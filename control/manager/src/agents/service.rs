//! The gRPC services: who may call, and what is answered.

use std::{sync::Arc, time::Duration};

use inlay_api::wire::agent::{
    FromAgent, FromManager, JoinRequest, JoinResponse, RenewRequest, RenewResponse,
    agents_server::Agents, enrollment_server::Enrollment,
};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{caller::caller, fleet::Fleet, refusal, session::Session, settings::MESSAGES_MAX};
use crate::{
    store::Store,
    trust::{Trust, TrustError},
};

/// How long a stream waits for the world to come to what the store is at.
const CATCH_UP_TIME: Duration = Duration::from_secs(5);

/// Both services.
#[derive(Clone, Debug)]
pub(super) struct Services {
    pub(super) store: Arc<dyn Store>,
    pub(super) fleet: Arc<Fleet>,
    pub(super) trust: Arc<Trust>,
    pub(super) closing: watch::Receiver<bool>,
}

#[tonic::async_trait]
impl Enrollment for Services {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let peer = request.remote_addr();
        let JoinRequest {
            secret,
            signing_request,
        } = request.into_inner();
        let joined = self.trust.join(&secret, &signing_request).await;
        let joined = joined.map_err(|error| {
            if let TrustError::JoinToken(fault) = &error {
                tracing::warn!(?fault, ?peer, "a join token is refused");
            }
            self.fleet.metrics.refused.inc();
            refusal::failed(&error)
        })?;
        tracing::info!(host = joined.host, ?peer, "a host has joined");
        Ok(Response::new(JoinResponse {
            host: joined.host,
            certificate: joined.issued.certificate_der,
            authority: joined.authority_der,
        }))
    }
}

#[tonic::async_trait]
impl Agents for Services {
    type FollowStream = ReceiverStream<Result<FromManager, Status>>;

    async fn follow(
        &self,
        request: Request<Streaming<FromAgent>>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let caller = caller(&request, &self.fleet, &self.trust).await?;
        let Some(place) = self.fleet.admit() else {
            self.fleet.metrics.deferred.inc();
            return Err(refusal::too_many("too many hosts are connected"));
        };
        self.catch_up().await?;
        let (to, messages) = mpsc::channel(MESSAGES_MAX);
        let session = Session {
            fleet: Arc::clone(&self.fleet),
            trust: Arc::clone(&self.trust),
            caller,
            to,
            closing: self.closing.clone(),
            place,
        };
        tokio::spawn(session.run(request.into_inner()));
        Ok(Response::new(ReceiverStream::new(messages)))
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let caller = caller(&request, &self.fleet, &self.trust).await?;
        let signing_request = request.into_inner().signing_request;
        let issued = self
            .trust
            .renew(&caller.certificate, &signing_request)
            .await;
        let issued = issued.map_err(|error| refusal::failed(&error))?;
        Ok(Response::new(RenewResponse {
            certificate: issued.certificate_der,
            authority: self.trust.authority().certificate_der().to_vec(),
        }))
    }
}

impl Services {
    /// Waits until the world shows what the store has: a host that was made a moment ago must be in it.
    async fn catch_up(&self) -> Result<(), Status> {
        let revision = self.store.revision().await;
        let revision = revision.map_err(|error| refusal::failed(&error.into()))?;
        let mut revisions = self.fleet.world.revisions();
        let seen = revisions.wait_for(|present| *present >= revision);
        match timeout(CATCH_UP_TIME, seen).await {
            Ok(_) => Ok(()),
            Err(_) => Err(refusal::too_many("the manager is behind its store")),
        }
    }
}
