//! How resources are named.

use super::agent::Kind;

/// The scope of what concerns the host itself, beside those of networks, which are named by their VNI.
pub const HOST_SCOPE: u32 = 0;

/// A resource of a scope. Ordered by kind, then key: in an update too.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ResourceId {
    /// What it is.
    pub kind: Kind,
    /// Which of its kind.
    pub key: Box<str>,
}
