//! What the tests that cross crates share: tables in memory, packets, a small world and the fixture rows.
//!
//! A row is run through the core in user space (`tests/rows_core.rs`) and through the loaded programs
//! (`tests/rows_kernel.rs`); both must give the verdict, the bytes and the counters that it says.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a failed unwrap is a failed test"
)]

pub mod dataplane;
pub mod fuzz;
pub mod kernel;
pub mod memory;
pub mod netns;
pub mod nodes;
pub mod packet;
pub mod policy;
pub mod row;
pub mod rows;
pub mod scenario;
pub mod user_space;
pub mod world;
