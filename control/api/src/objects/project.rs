//! Projects: the accounts that own networks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Kind, Object, ObjectKind};

/// An account that owns networks.
pub type Project = Object<ProjectSpec, ProjectStatus>;

/// What is wanted of a project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectSpec {
    /// For people; at most 255 bytes of one line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The most that it may have. Only the operator may change it.
    pub quota: Quota,
}

/// The most that a project may have of everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Quota {
    pub networks: u64,
    /// Of each network.
    pub subnets_per_network: u64,
    /// Of each network.
    pub nodes_per_network: u64,
    /// Of all networks together.
    pub nodes: u64,
    /// Of each network.
    pub security_groups_per_network: u64,
    /// Rules of one security group, or entries of one access control list, both directions together.
    pub rules_per_group: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            networks: 50,
            subnets_per_network: 200,
            nodes_per_network: 10_000,
            nodes: 20_000,
            security_groups_per_network: 500,
            rules_per_group: 1_000,
        }
    }
}

/// What is known of a project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ProjectStatus {
    /// How much of its quota is used.
    pub usage: Usage,
}

/// How much a project has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Usage {
    pub networks: u64,
    pub nodes: u64,
}

impl ObjectKind for ProjectSpec {
    const KIND: Kind = Kind::Project;
    type Status = ProjectStatus;
}
