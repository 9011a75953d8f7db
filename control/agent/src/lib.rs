//! Keeps a host's dataplane in step with its desired state.
//!
//! ```text
//! source --Desired--> reconcile (compile, compare) --Plan--> apply --> maps, links, files
//!    file | manager              pure                          host
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod agent;
mod apply;
pub mod backend;
pub mod compile;
pub mod config;
pub mod disk;
mod file_source;
pub mod host;
pub mod identity;
pub mod interface;
pub mod join;
mod kernel;
mod link_events;
mod managed;
pub mod manager;
pub mod metrics;
mod packet_log;
mod readable;
pub mod reconcile;
mod renew;
mod run;
pub mod run_directory;
pub mod source;
pub mod status;
mod tls;

pub use agent::{Agent, PinsGone};
pub use file_source::{FileSource, revision};
pub use managed::{Follower, ManagedOptions, run_managed};
pub use run::{MachineEvent, MachineEvents, StaticOptions, run_static};
