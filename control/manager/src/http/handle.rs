//! One request: authenticated, admitted, understood, done.

use std::sync::Arc;

use axum::{
    extract::{RawPathParams, Request, rejection::RawPathParamsRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use inlay_api::objects::Role;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Api,
    admission::ProjectRequest,
    answer, headers, mutate, openapi,
    problems::{Failure, failure, not_found},
    query::{self, Query},
    routes::Operation,
    status,
    target::{self, Path},
    trace,
};
use crate::{
    http::AuditQuery,
    service::{Actor, Listing},
};

/// Name of the token that asked, for the log: it travels with the response.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) String);

/// A request that may be worked on.
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) actor: Actor,
    pub(crate) path: Path,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
}

/// The room that a request takes.
pub(crate) struct Room {
    /// Among those of its project, until it is answered.
    pub(crate) project: Option<ProjectRequest>,
    /// Among all, while it is worked on.
    pub(crate) running: OwnedSemaphorePermit,
}

/// Answers a request.
pub(crate) async fn handle(
    api: Arc<Api>,
    operation: Operation,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Response {
    if operation.is_public() {
        return public(&api, operation, request.uri()).unwrap_or_else(Failure::into_response);
    }
    let actor = match authenticate(&api, request.headers()).await {
        Ok(actor) => actor,
        Err(refused) => return refused.into_response(),
    };
    let caller = Caller(actor.token.clone());
    let answered = admitted(&api, operation, actor, path, request).await;
    let mut response = answered.unwrap_or_else(Failure::into_response);
    response.extensions_mut().insert(caller);
    response
}

fn public(api: &Api, operation: Operation, uri: &axum::http::Uri) -> Result<Response, Failure> {
    query::parse(operation, uri)?;
    Ok(match operation {
        Operation::Document => openapi_document(),
        Operation::Ready if !*api.ready.borrow() => failure(
            StatusCode::SERVICE_UNAVAILABLE,
            "not-ready",
            "Not ready",
            "the manager reads its store; ask again",
        )
        .with_header(header::RETRY_AFTER, HeaderValue::from(1))
        .into_response(),
        _ => answer::json(StatusCode::OK, &serde_json::json!({"status": "ok"})),
    })
}

fn openapi_document() -> Response {
    let media_type = (header::CONTENT_TYPE, "application/json");
    ([media_type], openapi::served()).into_response()
}

/// Who asks. What is wrong with a token is told to nobody, and a request without one costs as much as one with a
/// wrong one.
async fn authenticate(api: &Api, headers: &HeaderMap) -> Result<Actor, Failure> {
    let secret = headers::bearer(headers);
    let actor = api.verbs.authenticate(secret.unwrap_or_default()).await;
    match (secret, actor) {
        (Some(_), Some(actor)) => Ok(actor),
        (Some(_), None) => Err(unauthorized(
            "Bearer realm=\"inlay\", error=\"invalid_token\"",
        )),
        (None, _) => Err(unauthorized("Bearer realm=\"inlay\"")),
    }
}

fn unauthorized(challenge: &'static str) -> Failure {
    failure(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "Not authenticated",
        "give a token that is valid: `Authorization: Bearer TOKEN`",
    )
    .with_header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(challenge),
    )
}

/// The problem of a token that may not do what it asks.
pub(crate) fn forbidden(detail: &str) -> Failure {
    failure(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
}

async fn admitted(
    api: &Arc<Api>,
    operation: Operation,
    actor: Actor,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Result<Response, Failure> {
    let project = actor.project.as_deref();
    let room = Room {
        project: project.map(|it| api.admission.count(it)).transpose()?,
        running: api.admission.run().await?,
    };
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let parameters = path.map_err(|_| not_found("the path is no UTF-8 text"))?;
    let call = Call {
        operation,
        actor,
        path: target::read(&parameters)?,
        query: query::parse(operation, &uri)?,
        headers,
    };
    if operation.is_mutation() {
        mutate::answer(api, call, body, room).await
    } else {
        let answered = read(api, call).await;
        drop(room);
        answered
    }
}

async fn read(api: &Api, call: Call) -> Result<Response, Failure> {
    match call.operation {
        Operation::List(kind) | Operation::ListAll(kind) => {
            let listing = Listing {
                actor: call.actor,
                target: target::target(call.operation, kind, call.path),
                labels: call.query.labels,
                limit: call.query.limit,
                page_token: call.query.page_token,
            };
            let list = api.verbs.list(listing).await?;
            Ok(answer::json(StatusCode::OK, &list))
        }
        Operation::ProjectEvents | Operation::Events => events(api, call).await,
        Operation::Status => {
            if call.actor.role != Role::Admin {
                return Err(forbidden("the system's status is the operator's to see"));
            }
            let status = status::read(&*api.verbs, &call.actor).await?;
            Ok(answer::json(StatusCode::OK, &status))
        }
        Operation::Trace => {
            let trace = trace::trace(api, &call).await?;
            Ok(answer::json(StatusCode::OK, &trace))
        }
        operation => {
            let kind = operation
                .kind()
                .ok_or_else(|| not_found("no such object"))?;
            let target = target::target(operation, kind, call.path);
            let object = api.verbs.read(&call.actor, &target).await?;
            Ok(answer::object(StatusCode::OK, &object))
        }
    }
}

async fn events(api: &Api, call: Call) -> Result<Response, Failure> {
    let of_project = call.operation == Operation::ProjectEvents;
    let list = api.verbs.audit(AuditQuery {
        actor: call.actor,
        project: of_project.then_some(call.path.project),
        limit: call.query.limit,
        page_token: call.query.page_token,
    });
    Ok(answer::json(StatusCode::OK, &list.await?))
}
