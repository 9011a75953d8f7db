//! The HTTP API `/v1`: requests taken apart and admitted, handed to the service beneath, answered. Nothing is decided
//! here about objects; docs/api.md says what clients have to know.
//!
//! ```text
//! server --connection--> observe --> handle: authenticate, admit, query, headers, body --> Verbs --> answer
//! ```

mod admission;
mod answer;
mod body;
mod door;
mod handle;
mod headers;
mod json;
mod mutate;
mod observe;
mod openapi;
mod problems;
mod query;
mod routes;
mod server;
mod stall;
mod status;
mod target;
mod tls;
mod trace;
mod verbs;

use std::{fmt, sync::Arc};

use axum::{
    Router,
    extract::{RawPathParams, Request, rejection::RawPathParamsRejection},
    http::{Method, StatusCode},
    middleware,
    routing::{MethodFilter, MethodRouter},
};
use tokio::sync::watch;

pub use admission::RequestLimits;
pub use body::BODY_BYTES_MAX;
pub use openapi::{document, document_text};

pub use server::{ConnectionLimits, serve, serve_plain};
pub use tls::{ServedCertificate, server_config};
pub use verbs::{Answer, AuditQuery, Verbs};

use crate::{hosts::Hosts, metrics::HttpMetrics};

/// What the API answers with.
pub struct Api {
    verbs: Arc<dyn Verbs>,
    hosts: Arc<dyn Hosts>,
    admission: admission::Admission,
    metrics: HttpMetrics,
    ready: watch::Receiver<bool>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("admission", &self.admission)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// `ready` says whether requests can be answered: `/readyz` tells it to whoever distributes them.
    #[must_use]
    pub fn new(
        verbs: Arc<dyn Verbs>,
        hosts: Arc<dyn Hosts>,
        limits: RequestLimits,
        metrics: HttpMetrics,
        ready: watch::Receiver<bool>,
    ) -> Self {
        Self {
            verbs,
            hosts,
            admission: admission::Admission::new(limits),
            metrics,
            ready,
        }
    }
}

/// The API as a service of HTTP requests, to be given to [`serve`].
///
/// # Panics
/// Never: the table of routes is tested.
pub fn router(api: Api) -> Router {
    let api = Arc::new(api);
    let mut router = Router::new();
    for route in routes::routes() {
        router = router.route(&route.path, method_router(&api, &route));
    }
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_with_this_method)
        .layer(middleware::from_fn_with_state(api, observe::observe))
}

fn method_router(api: &Arc<Api>, route: &routes::Route) -> MethodRouter {
    let filter = match route.method {
        Method::POST => MethodFilter::POST,
        Method::PUT => MethodFilter::PUT,
        Method::DELETE => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    };
    let (api, operation) = (Arc::clone(api), route.operation);
    let handler = move |path: Result<RawPathParams, RawPathParamsRejection>, request: Request| {
        handle::handle(Arc::clone(&api), operation, path, request)
    };
    MethodRouter::new().on(filter, handler)
}

async fn nothing_here() -> problems::Failure {
    problems::not_found("there is nothing at this path; /v1/openapi.json has all paths")
}

/// The header `Allow` is the router's to add.
async fn not_with_this_method() -> problems::Failure {
    problems::failure(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "Method not allowed",
        "this path has other methods, see the header Allow",
    )
}
