//! Nodes become real: each test has a network namespace that stands for a host. Without root they are skipped,
//! and say so.

#![allow(clippy::unwrap_used, reason = "tests")]

mod bed;
mod device;
mod dhcp;
mod netns;
mod tap;
mod wire;
