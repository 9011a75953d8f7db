//! Keeps a host's dataplane in step with its desired state.
//!
//! ```text
//! source --Desired--> reconcile (compile, compare) --Plan--> apply --> maps, links, files
//!    file | manager              pure                          host
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod agent;
mod apply;
pub mod compile;
mod file_source;
pub mod host;
pub mod interface;
mod kernel;
mod link_events;
mod packet_log;
mod readable;
pub mod reconcile;
mod run;
pub mod run_directory;
pub mod source;
pub mod status;

pub use agent::{Agent, PinsGone};
pub use file_source::{FileSource, revision};
pub use run::{StaticOptions, run_static};
