//! Checks of the specs of objects: what can be said of a request without knowing what else is stored, and what is
//! told to the function. Every problem is found, each with its way from the body's root (`spec.inbound[3].ports`).
//!
//! Whether what a spec refers to is there, is for the service to say; it adds to the same problems.

mod fields;
mod host;
mod network;
mod node;
mod policy;

pub use fields::{FieldProblems, description, labels, name, shape_message};
pub use host::{Capacity, HostValues, host};
pub use network::{SubnetContext, SubnetValues, network, subnet};
pub use node::{NodeContext, NodeValues, node};
pub use policy::{acl, route_table, security_group};
