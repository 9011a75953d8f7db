//! The manager as the source of what is desired.
//!
//! ```text
//! link --Update--> collect --Batch--> held --build--> RawState --validate--> HostState --> agent
//!   ^  one stream    until complete    what it sent     settle: leaves out what is refused   |
//!   +------------------------------ Acknowledgement, Report, Answer <-----------------------+
//! ```
//!
//! Everything but [`link`] is without I/O. What the manager sent is held as it was sent, so that digests agree,
//! also where something of it is refused; what is in force instead is kept beside it.

pub mod answer;
pub mod backend;
pub mod backoff;
mod blame;
pub mod collect;
pub mod held;
pub mod link;
pub mod session;
pub mod settle;
pub mod state;
