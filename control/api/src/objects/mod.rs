//! What clients read and write over the API `/v1`: objects of one shape.
//!
//! ```text
//! { "kind": "network",
//!   "metadata": { "project": "acme", "name": "main", "labels": {}, "uid": …, "revision": …, "created_at": …, "updated_at": … },
//!   "spec":     { what the client wants },
//!   "status":   { what the system decided and observed } }
//! ```
//!
//! A spec holds text and numbers as they were written; the manager validates them, so that every problem of a
//! request is told at once, each with its field. Unknown fields are refused.

mod acl;
mod audit;
mod host;
mod kind;
mod metadata;
mod network;
mod node;
mod peering;
mod port;
mod problem;
mod project;
mod route_table;
mod security_group;
mod status;
mod subnet;
mod token;
mod trace;

pub use crate::validate::objects as validate;
pub use acl::{Acl, AclSpec, AclStatus};
pub use audit::{AuditAction, AuditEntry};
pub use host::{Host, HostCondition, HostNodeType, HostSpec, HostStatus, JoinToken};
pub use kind::{Kind, ObjectKind, ObjectOf, Scope};
pub use metadata::{Labels, Metadata};
pub use network::{Network, NetworkSpec, NetworkStatus};
pub use node::{MoveRequest, Node, NodeSpec, NodeState, NodeStatus, NodeType, Placement};
pub use peering::{Peering, PeeringSpec, PeeringState, PeeringStatus};
pub use port::{Port, PortSpec, PortStatus};
pub use problem::{Applied, FieldProblem, HostPending, Plan, PlanAction, PlanStep, Problem};
pub use project::{Project, ProjectSpec, ProjectStatus, Quota, Usage};
pub use route_table::{RouteTable, RouteTableSpec, RouteTableStatus};
pub use security_group::{SecurityGroup, SecurityGroupSpec, SecurityGroupStatus};
pub use status::{HostSummary, SystemStatus};
pub use subnet::{Subnet, SubnetSpec, SubnetStatus};
pub use token::{IssuedToken, Role, Token, TokenSpec, TokenStatus};
pub use trace::{Trace, TraceDirection, TraceStep};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An object of the API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Object<S, T> {
    /// What it is, in the singular, like `security-group`. May be left out in requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its identity.
    #[serde(default)]
    pub metadata: Metadata,
    /// What the client wants.
    pub spec: S,
    /// What the system decided and observed. Ignored in requests.
    #[serde(default)]
    pub status: T,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// In the order of their names.
    pub items: Vec<T>,
    /// Give it as `page_token` for what follows; left out on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}
