//! The audit log: who changed what, when.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One change that was made, or something that happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AuditEntry {
    /// The store's revision of the change. Entries are in the order of time.
    pub revision: u64,
    /// RFC 3339, UTC.
    pub at: String,
    /// Name of the token; `manager` for what happened by itself.
    pub actor: String,
    /// What was done.
    pub action: AuditAction,
    /// Kind of the object.
    pub kind: String,
    /// See `Metadata`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub project: String,
    /// See `Metadata`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub network: String,
    /// See `Metadata`.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What was done.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum AuditAction {
    /// An object was made.
    #[default]
    Created,
    /// An object was changed.
    Updated,
    /// An object was deleted.
    Deleted,
    /// A host joined, a node moved, a host was refused: see `detail`.
    Event,
}
