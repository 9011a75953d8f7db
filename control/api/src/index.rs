//! Resolved references: places in the lists of a state.
//!
//! Indexes and not borrows, so that a state owns itself. An index means something in the state it
//! came from only.

use std::fmt;

use serde::Serialize;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(usize);

        impl $name {
            pub(crate) const fn new(place: usize) -> Self {
                Self(place)
            }

            /// The place in the list, from 0.
            #[must_use]
            pub const fn get(self) -> usize {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

index!(
    /// A host in [`HostState::hosts`](crate::HostState::hosts).
    HostIndex
);
index!(
    /// A subnet in the `subnets` of its [`Network`](crate::Network).
    SubnetIndex
);
index!(
    /// A route table in the `route_tables` of its [`Network`](crate::Network).
    RouteTableIndex
);
index!(
    /// A security group in the `security_groups` of its [`Network`](crate::Network).
    GroupIndex
);
index!(
    /// An access control list in the `acls` of its [`Network`](crate::Network).
    AclIndex
);
index!(
    /// A node in the `nodes` of its [`Network`](crate::Network).
    NodeIndex
);
