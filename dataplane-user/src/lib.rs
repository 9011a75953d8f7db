//! Loads, attaches, upgrades and inspects the BPF programs and maps.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod image;

/// The BPF object, aligned for the ELF parser.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/inlay-xdp"));
