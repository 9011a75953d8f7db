//! What all objects have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Labels: at most 16; keys of 1 to 63 and values of 0 to 63 letters, digits, `-`, `_`, `.` and `/`.
pub type Labels = BTreeMap<String, String>;

/// The identity of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Metadata {
    /// The project that owns it; empty for what belongs to the operator. From the path, in requests.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub project: String,
    /// The network it is part of, where it is part of one. From the path, in requests.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub network: String,
    /// 1 to 63 of `a-z`, `0-9` and `-`; unique among its kind in its project and network.
    pub name: String,
    /// For the client's own use, and to filter lists by.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: Labels,
    /// Tells it from one of the same name before or after it (UUID, version 7). Decided by the manager.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// The store's revision at its last change; its `ETag` is the same in quotes. Decided by the manager.
    #[serde(skip_serializing_if = "is_zero")]
    pub revision: u64,
    /// RFC 3339, UTC. Decided by the manager.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub created_at: String,
    /// RFC 3339, UTC. Decided by the manager.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub updated_at: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
