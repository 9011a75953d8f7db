//! What an agent says of itself, for whoever shows it to people: what it has applied, and what does not
//! work as it should. Names for the numbers in the maps are `inlay_dataplane::labels`.

use std::collections::{BTreeMap, BTreeSet};

use inlay_dataplane::labels::Labels;
use serde::{Deserialize, Serialize};

/// What an agent leaves beside the labels, as JSON.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Status {
    /// What tells the state that was applied from others.
    pub revision: String,
    /// Name of this host.
    pub host: String,
    /// Interfaces to the substrate by device number.
    pub uplinks: BTreeMap<u32, String>,
    /// Sets of security groups.
    pub group_sets: Vec<GroupSet>,
    /// What does not work as it should: also ports that have no slot, since their interface is not there.
    pub degraded: Vec<Degraded>,
}

/// A set of security groups, as mappings name it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct GroupSet {
    /// Name of the network.
    pub network: String,
    /// Its number, unique in the network.
    pub number: u32,
    /// Names of the groups.
    pub groups: BTreeSet<String>,
}

/// A port or uplink that does not work as it should.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(default)]
pub struct Degraded {
    /// Name of the interface.
    pub interface: String,
    /// Name of the network, of a port.
    pub network: Option<String>,
    /// Name of the node behind it, of a port.
    pub node: Option<String>,
    /// Why, and what to do.
    pub reason: String,
}

impl Status {
    /// Adds what is wrong with `interface`, to the label of its port too where it has one.
    pub(crate) fn add_degraded(&mut self, labels: &mut Labels, interface: &str, reason: String) {
        let mut degraded = Degraded {
            interface: interface.to_owned(),
            reason,
            ..Degraded::default()
        };
        if let Some(port) = labels
            .ports
            .values_mut()
            .find(|port| port.interface == interface)
        {
            port.degraded.push(degraded.reason.clone());
            degraded.network = Some(port.network.clone());
            degraded.node = Some(port.name.clone());
        }
        self.degraded.push(degraded);
    }
}
