//! Problems as HTTP answers (RFC 9457).

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use inlay_api::objects::{FieldProblem, Problem};

/// Media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// A problem, and the header that goes with it.
#[derive(Debug)]
pub(crate) struct Failure(Box<Parts>);

#[derive(Debug)]
struct Parts {
    problem: Problem,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A failure of the problem type `word`.
pub(crate) fn failure(
    status: StatusCode,
    word: &str,
    title: &str,
    detail: impl Into<String>,
) -> Failure {
    Failure::from(Problem {
        problem_type: format!("urn:inlay:problem:{word}"),
        title: title.to_owned(),
        status: status.as_u16(),
        detail: detail.into(),
        errors: Vec::new(),
    })
}

/// The request is not understood: parameters, headers or a body that is no JSON.
pub(crate) fn malformed(detail: impl Into<String>) -> Failure {
    failure(
        StatusCode::BAD_REQUEST,
        "malformed",
        "The request is not understood",
        detail,
    )
}

/// Parameters or headers are wrong, each named.
pub(crate) fn wrong_fields(errors: Vec<FieldProblem>) -> Failure {
    let detail = errors
        .iter()
        .map(|error| format!("{}: {}", error.field, error.message))
        .collect::<Vec<_>>()
        .join("; ");
    let mut failure = malformed(detail);
    failure.0.problem.errors = errors;
    failure
}

/// One parameter or header is wrong.
pub(crate) fn wrong_field(field: &str, message: impl Into<String>) -> Failure {
    wrong_fields(vec![FieldProblem {
        field: field.to_owned(),
        message: message.into(),
    }])
}

/// There is nothing at the path.
pub(crate) fn not_found(detail: impl Into<String>) -> Failure {
    failure(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
}

/// The manager made a mistake.
pub(crate) fn internal() -> Failure {
    failure(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "The manager failed",
        "this is a mistake of the manager; its log says more",
    )
}

/// The manager has too much to do; nothing was done.
pub(crate) fn overloaded(detail: &str, retry_after_s: u64) -> Failure {
    failure(
        StatusCode::SERVICE_UNAVAILABLE,
        "overloaded",
        "The manager is busy",
        detail,
    )
    .with_header(header::RETRY_AFTER, HeaderValue::from(retry_after_s))
}

impl Failure {
    /// Answers a header besides.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Whatever else the client sends on this connection is not read.
    pub(crate) fn closing(self) -> Self {
        self.with_header(header::CONNECTION, HeaderValue::from_static("close"))
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(Box::new(Parts {
            problem,
            headers: Vec::new(),
        }))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Parts { problem, headers } = *self.0;
        // A problem whose status is none is a mistake of this program.
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, super::answer::encode(&problem)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response.headers_mut().extend(headers);
        response
    }
}
