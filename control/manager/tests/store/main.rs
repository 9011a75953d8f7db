//! The store: what every engine must do, and what the embedded one promises besides.

#![allow(clippy::unwrap_used)]

mod backup;
mod conformance;
mod crash;
mod model;
mod sqlite;
mod support;
