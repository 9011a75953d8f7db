//! What is seen of every request: one line of the log, and the metrics. Also the limits of its head, so that what they
//! refuse is seen too.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt as _;

use super::{
    Api,
    handle::Caller,
    problems::{Failure, failure, internal},
};

/// Bytes of the longest path and query.
const URI_BYTES_MAX: usize = 8 * 1024;
/// Bytes of all header fields.
const HEADERS_BYTES_MAX: usize = 16 * 1024;
/// Header fields of a request.
const HEADERS_MAX: usize = 64;

/// Passes a request on, and tells of it.
pub(crate) async fn observe(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let _in_flight = api.metrics.in_flight();
    let seen = Seen::new(&request);
    let mut response = match check_head(&request) {
        Ok(()) => run(request, next).await,
        Err(refused) => refused.into_response(),
    };
    let caller = response.extensions_mut().remove::<Caller>();
    seen.answered(&api, &response, caller.as_ref());
    response
}

/// Answers a request, also where that panics: whatever it held is dropped, and nobody else is concerned.
async fn run(request: Request, next: Next) -> Response {
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answered.unwrap_or_else(|_| internal().into_response())
}

/// A request that is not yet answered.
struct Seen {
    began: Instant,
    method: &'static str,
    route: Option<MatchedPath>,
    is_answered: bool,
}

impl Seen {
    fn new(request: &Request) -> Self {
        Self {
            began: Instant::now(),
            method: method_name(request.method()),
            route: request.extensions().get::<MatchedPath>().cloned(),
            is_answered: false,
        }
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or("", MatchedPath::as_str)
    }

    fn answered(mut self, api: &Api, response: &Response, caller: Option<&Caller>) {
        self.is_answered = true;
        let (method, route) = (self.method, self.route());
        let (status, time) = (response.status().as_u16(), self.began.elapsed());
        api.metrics.answered(route, method, status, time);
        let token = caller.map_or("", |caller| caller.0.as_str());
        let duration_ms = milliseconds(time);
        tracing::info!(method, route, status, duration_ms, token, "request");
    }
}

impl Drop for Seen {
    /// Whoever does not wait for the answer is told of too.
    fn drop(&mut self) {
        if !self.is_answered {
            let (method, route) = (self.method, self.route());
            let duration_ms = milliseconds(self.began.elapsed());
            tracing::info!(
                method,
                route,
                duration_ms,
                "request without answer: the client is gone"
            );
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The method as a label; whoever invents methods makes no series of his own.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

fn check_head(request: &Request) -> Result<(), Failure> {
    let uri_bytes = request.uri().path().len() + request.uri().query().map_or(0, str::len);
    if uri_bytes > URI_BYTES_MAX {
        return Err(failure(
            StatusCode::URI_TOO_LONG,
            "uri-too-long",
            "The path is too long",
            format!("path and query have more than {URI_BYTES_MAX} bytes, the most that is taken"),
        ));
    }
    let headers = request.headers();
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if headers.len() > HEADERS_MAX || bytes > HEADERS_BYTES_MAX {
        return Err(failure(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers-too-large",
            "The header is too large",
            format!("at most {HEADERS_MAX} fields of {HEADERS_BYTES_MAX} bytes together are taken"),
        ));
    }
    Ok(())
}
