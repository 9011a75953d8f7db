//! Every decision that Inlay makes about a packet, without I/O.
//!
//! Packets flow down: `pipeline` parses, authorizes, locates and describes the rewrite, reading a
//! [`tables::Tables`]; [`linear`] applies what was described to a buffer whose head can be moved. The same
//! source runs in the kernel over BPF maps, and in tests and fuzzing over ordinary maps.
//!
//! Nothing here allocates, panics on any input, or takes longer for more rules.

#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]
#![allow(
    clippy::inline_always,
    reason = "the verifier follows packet pointers within one function"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "narrowing picks a field out of a word; `try_from` would leave a panic behind"
)]
#![allow(
    clippy::missing_errors_doc,
    reason = "the error is a DropReason, which says what each of them means"
)]
#![allow(
    clippy::many_single_char_names,
    reason = "the octets of an address have no better names"
)]

pub mod checksum;
pub mod drop_reason;
pub mod event;
pub mod flow;
pub mod ids;
pub mod linear;
pub mod packet;
pub mod pipeline;
mod pod;
pub mod policy;
pub mod rewrite;
pub mod substrate;
pub mod tables;
pub mod wire;
