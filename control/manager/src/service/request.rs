//! What clients ask of the service, and what it answers, without HTTP.

use inlay_api::objects::{Kind, Labels, Plan, Role};
use serde_json::Value;

use crate::store::Revision;

/// Who asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Actor {
    /// Name of the token.
    pub token: String,
    /// What it may do.
    pub role: Role,
    /// The one project that it is for; `None` for the operator's.
    pub project: Option<String>,
}

/// Which object; or which list, where the name is empty. Scopes that the kind has not are empty. An empty project or
/// network of a list means all of them, which is the operator's to ask.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Target {
    /// What it is.
    pub kind: Kind,
    /// Its project.
    pub project: String,
    /// Its network.
    pub network: String,
    /// Its name.
    pub name: String,
}

/// What is to be done to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Makes it: the body is an object, whose name may be in the target or in the body.
    Create {
        /// The object as it was sent.
        body: Value,
        /// Of nodes: make so many, `NAME-1` to `NAME-COUNT`.
        count: Option<u32>,
    },
    /// Replaces labels and spec.
    Replace {
        /// The object as it was sent.
        body: Value,
    },
    /// Deletes it.
    Delete,
    /// Of a node: moves it. The body is a `MoveRequest`.
    Move {
        /// As it was sent.
        body: Value,
    },
    /// Of a peering, by the project that is asked.
    Accept,
    /// As `Accept`.
    Reject,
    /// Of a host: a one-time join token.
    IssueJoinToken,
}

/// A request that changes something.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutation {
    /// Who asks.
    pub actor: Actor,
    /// What about.
    pub target: Target,
    /// What is to be done.
    pub action: Action,
    /// Only if the object is at this revision (RFC 9110, If-Match).
    pub if_match: Option<Revision>,
    /// Answer what would be done, and do nothing.
    pub dry_run: bool,
    /// The same request is done once.
    pub idempotency_key: Option<String>,
}

/// What came of a mutation.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was done, now or when the same idempotency key was seen first.
    Done {
        /// The revision that did it.
        revision: Revision,
        /// The HTTP status: 201 for what was made, 200 else.
        status: u16,
        /// The body: the object; an `IssuedToken`; a `JoinToken`; for a count, a `List`.
        body: Value,
    },
    /// What would be done.
    Planned(Plan),
}

/// A request for a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listing {
    /// Who asks.
    pub actor: Actor,
    /// Which list.
    pub target: Target,
    /// Only objects that have all these labels.
    pub labels: Labels,
    /// At most so many, 1 to 1,000.
    pub limit: usize,
    /// Where the page before ended.
    pub page_token: Option<String>,
}
