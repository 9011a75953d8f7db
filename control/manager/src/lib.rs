//! Central control: clients' objects in a store, compiled to what each host must hold, streamed to the agents.
//!
//! ```text
//! client --HTTP--> api --validate, place, commit--> store --watch--> world (scopes) --gRPC--> agents
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod agents;
mod certificates;
pub mod config;
pub mod hosts;
mod housekeeping;
pub mod http;
pub mod init;
pub mod keys;
mod listeners;
pub mod metrics;
mod names;
pub mod run;
pub mod service;
pub mod store;
pub mod trust;
pub mod world;
