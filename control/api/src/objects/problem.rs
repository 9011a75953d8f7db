//! What the API answers besides objects: problems (RFC 9457), plans of dry runs, and who has applied what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was not done (RFC 9457, `application/problem+json`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Problem {
    /// `urn:inlay:problem:` and a word that programs may compare, like `invalid`, `not-found`, `conflict`.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// The type, for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// This very problem, and what to do.
    pub detail: String,
    /// Each field that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
}

/// A field that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Its way from the body's root, like `spec.inbound[2].ports`, or the name of a parameter.
    pub field: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// What a mutation would do: the answer to `?dry_run=true`. Nothing was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// Objects that would change, in this order.
    pub steps: Vec<PlanStep>,
    /// Hosts whose maps would change, by name.
    pub hosts: Vec<String>,
}

/// An object that would change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanStep {
    /// What would be done.
    pub action: PlanAction,
    /// Kind of the object.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What was decided, for people: host and addresses of a node.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What would be done to an object.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum PlanAction {
    #[default]
    Create,
    Update,
    Delete,
}

/// Whether the hosts concerned have a revision in their maps: the header `Inlay-Applied` says it too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Applied {
    /// The revision.
    pub revision: u64,
    /// Whether all of them have it.
    pub complete: bool,
    /// Those that have not.
    pub pending: Vec<HostPending>,
}

/// A host that has not applied a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostPending {
    /// Its name.
    pub host: String,
    /// The revision that it has applied.
    pub applied_revision: u64,
    /// Why, and what to do.
    pub reason: String,
}
