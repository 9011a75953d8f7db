//! Who reaches whom between two hosts and two tenants: one list of rows, which `cargo xtask run` prints and the
//! tests assert. The same in the topology `two-hosts`, whose agents read files, and in `managed`, whose agents
//! follow a manager.

mod attack;
mod drops;
mod reach;
pub mod substrate;

use std::{net::Ipv4Addr, path::Path, time::Instant};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use inlay_dataplane::{PIN_ROOT, inspect::Inspection};
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

/// How the two hosts are told what to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Topology {
    /// Each agent reads a file (`netns-scripts/two-hosts.sh`).
    TwoHosts,
    /// Agents follow a manager, which made the nodes (`netns-scripts/managed.sh`).
    Managed,
}

/// A tenant's network as a host has it.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its name in labels.
    pub network: String,
    /// Its number.
    pub vni: u32,
}

/// Two hosts with the nodes of two tenants.
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
    /// Red's network.
    pub red: Tenant,
    /// Blue's network.
    pub blue: Tenant,
}

impl TwoHosts {
    /// Opens them.
    ///
    /// # Errors
    /// Where the topology is not up.
    pub fn open(topology: Topology) -> Result<Self> {
        let node = |host: &str, tenant: &str, letter: &str| {
            Namespace::open(&match topology {
                Topology::TwoHosts => format!("inlay-{tenant}-{letter}"),
                Topology::Managed => format!("{host}.{tenant}.main.{letter}"),
            })
        };
        let tenant = |name: &str, vni: u32| match topology {
            Topology::TwoHosts => Ok(Tenant {
                network: name.to_owned(),
                vni,
            }),
            Topology::Managed => Tenant::on("host1", &format!("{name}/main")),
        };
        Ok(Self {
            fabric: Namespace::open("inlay-fabric")?,
            host1: Namespace::open("inlay-host1")?,
            host2: Namespace::open("inlay-host2")?,
            red_a: node("host1", "red", "a")?,
            red_b: node("host2", "red", "b")?,
            red_c: node("host2", "red", "c")?,
            red_d: node("host1", "red", "d")?,
            blue_a: node("host1", "blue", "a")?,
            blue_b: node("host2", "blue", "b")?,
            red: tenant("red", 100)?,
            blue: tenant("blue", 200)?,
        })
    }
}

impl Tenant {
    /// The network of a label as the agent of `instance` named it.
    fn on(instance: &str, network: &str) -> Result<Self> {
        let inspection = Inspection::open(Path::new(PIN_ROOT), instance)?;
        let labels = &inspection.labels.networks;
        let label = labels.values().find(|label| label.name == network);
        let label = label.with_context(|| format!("{instance} has no network {network}"))?;
        Ok(Self {
            network: network.to_owned(),
            vni: label.vni,
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
