//! Loads, attaches, upgrades and inspects the BPF programs and maps.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod apply;
mod dataplane;
pub mod degraded;
mod error;
pub mod events;
pub mod explain;
pub mod image;
pub mod inspect;
pub mod labels;
mod load;
pub mod maps;
pub mod namespace;
pub mod netlink;
pub mod offload;
mod options;
mod pins;
mod read;
pub mod schema;
mod sys;

pub use dataplane::{Dataplane, INBOUND, OUTBOUND, PASS};
pub use error::Error;
pub use options::{LogLevel, Mode, Options};
pub use pins::{PIN_ROOT, run_directory};

/// The BPF object, aligned for the ELF parser.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/inlay-xdp"));

/// The programs that measure those of [`OBJECT`].
pub static BENCH_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/inlay-bench-xdp"));
