//! Who reaches whom in the topology `two-hosts`: one list of rows, which `cargo xtask run` prints and the
//! tests assert.

mod attack;
mod drops;
mod reach;
pub mod substrate;

use std::{net::Ipv4Addr, time::Instant};

use anyhow::Result;
use serde::Serialize;

use crate::netns::Namespace;
pub use drops::{Drops, flows_of};

/// What a row saw.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What should be.
    pub expected: String,
    /// What was.
    pub observed: String,
    /// The reason of the drop, where one was expected and counted.
    pub drop_reason: Option<String>,
    /// Whether they are the same.
    pub passed: bool,
}

/// A finished row.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was tried.
    pub name: &'static str,
    /// How it went.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took.
    pub took_ms: u128,
}

/// A row: a name, and how to find out.
pub struct Row {
    /// What is tried.
    pub name: &'static str,
    run: fn(&TwoHosts) -> Result<Outcome>,
}

impl Row {
    /// Finds out. An error is an outcome too.
    #[must_use]
    pub fn run(&self, topology: &TwoHosts) -> Report {
        let start = Instant::now();
        let outcome = (self.run)(topology).unwrap_or_else(|error| Outcome {
            expected: "no error".to_owned(),
            observed: format!("{error:#}"),
            drop_reason: None,
            passed: false,
        });
        Report {
            name: self.name,
            outcome,
            took_ms: start.elapsed().as_millis(),
        }
    }
}

/// The namespaces of `netns-scripts/two-hosts.sh`.
#[derive(Debug)]
pub struct TwoHosts {
    /// Between the hosts.
    pub fabric: Namespace,
    /// The hosts.
    pub host1: Namespace,
    /// See `host1`.
    pub host2: Namespace,
    /// Red on host 1, 10.0.1.10.
    pub red_a: Namespace,
    /// Red on host 2, 10.0.1.11.
    pub red_b: Namespace,
    /// Red on host 2, in another subnet, 10.0.2.10.
    pub red_c: Namespace,
    /// Red on host 1, 10.0.1.12.
    pub red_d: Namespace,
    /// Blue on host 1, with red-a's address.
    pub blue_a: Namespace,
    /// Blue on host 2, with red-b's address.
    pub blue_b: Namespace,
}

impl TwoHosts {
    /// Opens them.
    ///
    /// # Errors
    /// Where the topology is not up.
    pub fn open() -> Result<Self> {
        Ok(Self {
            fabric: Namespace::open("inlay-fabric")?,
            host1: Namespace::open("inlay-host1")?,
            host2: Namespace::open("inlay-host2")?,
            red_a: Namespace::open("inlay-red-a")?,
            red_b: Namespace::open("inlay-red-b")?,
            red_c: Namespace::open("inlay-red-c")?,
            red_d: Namespace::open("inlay-red-d")?,
            blue_a: Namespace::open("inlay-blue-a")?,
            blue_b: Namespace::open("inlay-blue-b")?,
        })
    }
}

/// Addresses of the nodes.
pub const A: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 10);
/// See [`A`].
pub const B: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 11);
/// See [`A`].
pub const C: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 10);
/// See [`A`].
pub const D: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 12);
/// The virtual router in the first subnet.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);

/// Every row, in the order in which they are shown.
#[must_use]
pub fn rows() -> Vec<Row> {
    let mut rows = reach::rows();
    rows.extend(attack::rows());
    rows
}

fn row(name: &'static str, run: fn(&TwoHosts) -> Result<Outcome>) -> Row {
    Row { name, run }
}

/// An outcome of two texts that must be the same.
fn same(expected: impl Into<String>, observed: impl Into<String>) -> Outcome {
    let (expected, observed) = (expected.into(), observed.into());
    let passed = expected == observed;
    Outcome {
        expected,
        observed,
        drop_reason: None,
        passed,
    }
}

/// An outcome of silence, with the drop that explains it.
fn silent(is_silent: bool, reason: &str, counted: u64) -> Outcome {
    let observed = match (is_silent, counted) {
        (true, 0) => "nothing arrives, and nothing is counted".to_owned(),
        (true, _) => "nothing arrives".to_owned(),
        (false, _) => "it arrives".to_owned(),
    };
    Outcome {
        expected: "nothing arrives".to_owned(),
        passed: is_silent && counted > 0,
        observed,
        drop_reason: (counted > 0).then(|| format!("{reason} ({counted})")),
    }
}
