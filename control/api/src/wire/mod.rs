//! What travels between manager and agents: the messages of `proto/agent.proto`, and what both ends must
//! compute alike.

mod digest;
mod follower;
mod scope;

pub use digest::{Digest, resource_digest};
pub use follower::{FollowError, Follower, HeldScope, Keep};
pub use scope::{HOST_SCOPE, ResourceId};

/// The generated messages, client and server.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::all,
    reason = "generated; the schema has the documentation"
)]
pub mod agent {
    tonic::include_proto!("inlay.agent.v1");
}
