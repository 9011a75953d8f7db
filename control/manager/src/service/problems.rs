//! Why a request is not done: the problems of RFC 9457, one function for each type.

use inlay_api::objects::{FieldProblem, Kind, Problem};

use crate::store::StoreError;

use super::request::Target;

fn problem(word: &str, title: &str, status: u16, detail: impl Into<String>) -> Problem {
    Problem {
        problem_type: format!("urn:inlay:problem:{word}"),
        title: title.to_owned(),
        status,
        detail: detail.into(),
        errors: Vec::new(),
    }
}

/// Fields are wrong.
pub(super) fn invalid(errors: Vec<FieldProblem>) -> Problem {
    let detail = match errors.as_slice() {
        [one] => format!("{}: {}", one.field, one.message),
        many => format!("{} fields are wrong; see errors", many.len()),
    };
    Problem {
        errors,
        ..problem("invalid", "The request is not valid", 422, detail)
    }
}

/// One field or parameter is wrong.
pub(super) fn invalid_field(field: impl Into<String>, message: impl Into<String>) -> Problem {
    invalid(vec![FieldProblem {
        field: field.into(),
        message: message.into(),
    }])
}

pub(super) fn forbidden(detail: impl Into<String>) -> Problem {
    problem("forbidden", "The token may not do this", 403, detail)
}

/// What a field asks for is somebody else's to do.
pub(super) fn forbidden_field(field: impl Into<String>, message: impl Into<String>) -> Problem {
    let (field, message) = (field.into(), message.into());
    Problem {
        errors: vec![FieldProblem {
            field: field.clone(),
            message: message.clone(),
        }],
        ..forbidden(format!("{field}: {message}"))
    }
}

/// There is no such object, or none that the token may know of: the answer is the same.
pub(super) fn not_found(kind: Kind, name: &str) -> Problem {
    let what = words(kind);
    let detail = format!("there is no {what} {name} here; see what there is with a list");
    problem("not-found", "There is no such object", 404, detail)
}

pub(super) fn target_not_found(target: &Target) -> Problem {
    not_found(target.kind, &target.name)
}

pub(super) fn exists(kind: Kind, name: &str) -> Problem {
    let what = words(kind);
    let detail = format!("{what} {name} exists already; change it, or choose another name");
    problem("exists", "The object exists already", 409, detail)
}

pub(super) fn conflict(detail: impl Into<String>) -> Problem {
    problem(
        "conflict",
        "The request does not fit what is there",
        409,
        detail,
    )
}

/// As `conflict`, of one field.
pub(super) fn conflict_field(field: impl Into<String>, message: impl Into<String>) -> Problem {
    let (field, message) = (field.into(), message.into());
    Problem {
        errors: vec![FieldProblem {
            field: field.clone(),
            message: message.clone(),
        }],
        ..conflict(format!("{field}: {message}"))
    }
}

pub(super) fn precondition_failed(present: u64) -> Problem {
    let detail = format!("the object is at revision {present} by now; read it, and try again");
    problem("precondition-failed", "The object has changed", 412, detail)
}

pub(super) fn quota(detail: impl Into<String>) -> Problem {
    problem("quota", "A quota is used up", 403, detail)
}

pub(super) fn in_use(kind: Kind, name: &str, by: &str) -> Problem {
    let detail = format!(
        "{} {name} is used by {by}; change or delete these first",
        words(kind)
    );
    problem("in-use", "The object is in use", 409, detail)
}

pub(super) fn no_room(detail: impl Into<String>) -> Problem {
    problem("no-room", "No host has room", 409, detail)
}

pub(super) fn idempotency_mismatch() -> Problem {
    let detail =
        "this Idempotency-Key was used for another request; use a key for one request only";
    problem(
        "idempotency-mismatch",
        "The idempotency key belongs to another request",
        422,
        detail,
    )
}

pub(super) fn too_large(detail: impl Into<String>) -> Problem {
    problem("too-large", "The request is too large", 413, detail)
}

pub(super) fn unavailable(detail: impl Into<String>) -> Problem {
    problem("unavailable", "The manager cannot do this now", 503, detail)
}

/// An error of the store, as a client is told.
pub(super) fn of_store(error: StoreError) -> Problem {
    match error {
        StoreError::Refused { what } => too_large(what),
        other => {
            tracing::error!(error = %other, "the store does not answer");
            unavailable("the store does not answer; try again, and see the manager's log")
        }
    }
}

/// A kind in the words of a sentence.
pub(super) fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::SecurityGroup => "security group",
        Kind::Acl => "access control list",
        Kind::RouteTable => "route table",
        other => other.name(),
    }
}

/// A page token that no page ended with.
pub(super) fn bad_page_token() -> Problem {
    invalid_field("page_token", "it is not one of this list; begin without it")
}
