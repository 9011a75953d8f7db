//! Requests that change something: preconditions, dry runs, and waiting until the hosts have it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use inlay_api::objects::{Applied, Kind};
use serde_json::{Value, json};

use super::{
    Api,
    admission::ProjectRequest,
    answer, body,
    handle::{Call, Room},
    headers::{self, Precondition},
    problems::{Failure, failure, internal, malformed, not_found},
    routes::Operation,
    target::{location, target},
};
use crate::{
    service::{Action, Actor, Mutation, Outcome, Target},
    store::Revision,
};

/// Whether all hosts concerned had the change when the request was answered: `complete` or `incomplete`.
const INLAY_APPLIED: HeaderName = HeaderName::from_static("inlay-applied");

/// Does what is asked, and answers.
pub(crate) async fn answer(
    api: &Arc<Api>,
    call: Call,
    body: Body,
    room: Room,
) -> Result<Response, Failure> {
    let kind = call
        .operation
        .kind()
        .ok_or_else(|| not_found("no such object"))?;
    let target = target(call.operation, kind, call.path.clone());
    let idempotency_key = headers::idempotency_key(&call.headers)?;
    let precondition = headers::if_match(&call.headers)?;
    let action = action(api, &call, body).await?;
    let wait = call.query.wait.filter(|_| !call.query.dry_run);
    let waiting = wait.map(|_| api.admission.wait()).transpose()?;
    let mutation = Mutation {
        actor: call.actor.clone(),
        target: target.clone(),
        if_match: if_match(api, &call, &target, precondition).await?,
        action,
        dry_run: call.query.dry_run,
        idempotency_key,
    };
    let (outcome, _project) = do_it(api, mutation, room).await?;
    let done = match outcome {
        Outcome::Planned(plan) => return Ok(answer::json(StatusCode::OK, &plan)),
        Outcome::Done {
            revision,
            status,
            body,
        } => Done {
            revision,
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
            body,
            target,
        },
    };
    let Some(time) = wait else {
        return Ok(done.response());
    };
    let response = done.applied(api, &call, time).await;
    drop(waiting);
    Ok(response)
}

/// The action of a request, with its body where it has one.
async fn action(api: &Api, call: &Call, body: Body) -> Result<Action, Failure> {
    Ok(match call.operation {
        Operation::Create(_) => Action::Create {
            body: required(api, &call.headers, body).await?,
            count: call.query.count,
        },
        Operation::Replace(_) => Action::Replace {
            body: required(api, &call.headers, body).await?,
        },
        Operation::MoveNode => Action::Move {
            body: optional(api, &call.headers, body).await?,
        },
        Operation::Delete(_) => Action::Delete,
        Operation::AcceptPeering => Action::Accept,
        Operation::RejectPeering => Action::Reject,
        Operation::IssueJoinToken => Action::IssueJoinToken,
        _ => return Err(not_found("nothing is changed here")),
    })
}

async fn required(api: &Api, headers: &HeaderMap, body: Body) -> Result<Value, Failure> {
    let bytes = body::read(headers, body, api.admission.limits().body_time).await?;
    if bytes.is_empty() {
        return Err(malformed(
            "the body is empty; it has to be the object as JSON",
        ));
    }
    object(body::parse(headers, &bytes)?)
}

/// No body means an object that says nothing.
async fn optional(api: &Api, headers: &HeaderMap, body: Body) -> Result<Value, Failure> {
    let bytes = body::read(headers, body, api.admission.limits().body_time).await?;
    if bytes.is_empty() {
        return Ok(json!({}));
    }
    object(body::parse(headers, &bytes)?)
}

fn object(value: Value) -> Result<Value, Failure> {
    if value.is_object() {
        return Ok(value);
    }
    Err(malformed("the body is no JSON object"))
}

/// The revision that the object has to be at. What matches no object is passed on as revision 0, at which none is:
/// a request that was done before is answered by its idempotency key, which is known below.
async fn if_match(
    api: &Api,
    call: &Call,
    target: &Target,
    precondition: Precondition,
) -> Result<Option<Revision>, Failure> {
    let is_creation = matches!(call.operation, Operation::Create(_));
    match precondition {
        Precondition::None => Ok(None),
        _ if is_creation => Err(failure(
            StatusCode::PRECONDITION_FAILED,
            "precondition-failed",
            "Precondition failed",
            "If-Match: what is to be created is not there yet; leave it out",
        )),
        // Without the object the action itself is refused.
        Precondition::Exists => Ok(None),
        Precondition::OneOf(tags) => match tags[..] {
            [] => Ok(Some(0)),
            [one] => Ok(Some(one)),
            [first, ..] => {
                let object = api.verbs.read(&call.actor, target).await?;
                let revision = object["metadata"]["revision"].as_u64();
                let matching = revision.filter(|revision| tags.contains(revision));
                Ok(Some(matching.unwrap_or(first)))
            }
        },
    }
}

/// Changes what is asked, to its end also where the client is gone meanwhile: it takes its room until then. What it
/// takes of its project's is returned.
async fn do_it(
    api: &Arc<Api>,
    mutation: Mutation,
    room: Room,
) -> Result<(Outcome, Option<ProjectRequest>), Failure> {
    let api = Arc::clone(api);
    let task = tokio::spawn(async move {
        let began = Instant::now();
        let is_commit = !mutation.dry_run;
        let outcome = api.verbs.mutate(mutation).await;
        if is_commit && outcome.is_ok() {
            api.metrics.committed(began.elapsed());
        }
        drop(room.running);
        outcome.map(|outcome| (outcome, room.project))
    });
    match task.await {
        Ok(done) => Ok(done?),
        Err(panicked) => {
            tracing::error!(%panicked, "a request failed");
            Err(internal())
        }
    }
}

/// What was done, to be answered.
struct Done {
    revision: Revision,
    status: StatusCode,
    body: Value,
    target: Target,
}

impl Done {
    fn response(&self) -> Response {
        if self.body.is_null() {
            return StatusCode::NO_CONTENT.into_response();
        }
        let mut response = answer::object(self.status, &self.body);
        let location = self.location();
        if let Some(location) = location.filter(|_| self.status == StatusCode::CREATED) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }

    fn location(&self) -> Option<HeaderValue> {
        let name = self.body.get("metadata")?.get("name")?.as_str()?;
        HeaderValue::from_str(&location(&self.target, name)).ok()
    }

    /// Waits for the hosts, at most so long.
    async fn applied(mut self, api: &Api, call: &Call, time: Duration) -> Response {
        let deadline = Instant::now() + time;
        let applied = api
            .hosts
            .wait_applied(self.revision, &self.target, deadline);
        let applied = applied.await;
        self.refresh(api, &call.actor).await;
        if !applied.complete {
            self.tell(&applied);
        }
        let text = if applied.complete {
            "complete"
        } else {
            "incomplete"
        };
        let mut response = self.response();
        response
            .headers_mut()
            .insert(INLAY_APPLIED, HeaderValue::from_static(text));
        response
    }

    /// The object as it is after the wait: a node is ready. What was made once, like a token, stays as it is.
    async fn refresh(&mut self, api: &Api, actor: &Actor) {
        let named = self.body["metadata"]["name"].as_str().map(str::to_owned);
        let Some(name) = named.filter(|_| self.target.kind != Kind::Token) else {
            return;
        };
        let target = Target {
            name,
            ..self.target.clone()
        };
        if let Ok(object) = api.verbs.read(actor, &target).await {
            self.body = object;
        }
    }

    fn tell(&mut self, applied: &Applied) {
        self.status = StatusCode::ACCEPTED;
        if !self.body.is_object() {
            self.body = json!({});
        }
        self.body["applied"] = json!(applied);
    }
}
