//! The dataplane against the kernel: needs root and bpffs, and says so where it has not.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

mod bed;
mod lifetime;
mod question;
mod state;
mod views;
