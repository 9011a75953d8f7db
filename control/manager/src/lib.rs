//! Central control: clients' objects in a store, compiled to what each host must hold, streamed to the agents.
//!
//! ```text
//! client --HTTP--> api --validate, place, commit--> store --watch--> world (scopes) --gRPC--> agents
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod hosts;
pub mod keys;
pub mod service;
pub mod store;
