//! Names for the numbers in the maps, for whoever shows them to people. The agent writes them beside its
//! state; the dataplane never reads them, and without them there are numbers.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{
    Error,
    pins::{create_directory, run_directory},
};

/// What the slots of an instance stand for.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Labels {
    /// Ports by slot.
    pub ports: BTreeMap<u32, PortLabel>,
    /// Networks by slot.
    pub networks: BTreeMap<u32, NetworkLabel>,
    /// Subnets by slot.
    pub subnets: BTreeMap<u32, String>,
    /// Hosts by slot.
    pub hosts: BTreeMap<u32, String>,
    /// Policies by slot.
    pub policies: BTreeMap<u32, PolicyLabel>,
}

/// A port.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct PortLabel {
    /// Name of the port, unique in its network.
    pub name: String,
    /// Name of its network.
    pub network: String,
    /// Name of the host's side of its interface.
    pub interface: String,
    /// Why it does not work as it should; empty where it does.
    pub degraded: Vec<String>,
}

/// A network.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct NetworkLabel {
    /// Its name.
    pub name: String,
    /// Its number.
    pub vni: u32,
}

/// A policy.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct PolicyLabel {
    /// Whose rules they are.
    pub name: String,
    /// The rules as they were written, by number.
    pub rules: Vec<String>,
}

/// Something that is desired and does not work as it should: also a port that has no slot, since its
/// interface is not there.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Missing {
    /// Name of the interface.
    pub interface: String,
    /// Name of the network, of a port.
    pub network: Option<String>,
    /// Name of the node behind it, of a port.
    pub node: Option<String>,
    /// Why, and what to do.
    pub reason: String,
}

/// What the agent says of itself, beside the labels.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Report {
    /// What does not work as it should.
    #[serde(rename = "degraded")]
    pub missing: Vec<Missing>,
    /// Interfaces to the substrate by device index.
    pub uplinks: BTreeMap<u32, String>,
    /// Sets of security groups.
    pub group_sets: Vec<GroupSet>,
}

/// A set of security groups.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct GroupSet {
    /// Name of the network.
    pub network: String,
    /// Its number, unique in the network.
    pub number: u32,
    /// Names of the groups.
    pub groups: Vec<String>,
}

impl Report {
    /// The report of an instance's agent; an empty one where there is none.
    ///
    /// # Errors
    /// Where the file is there and cannot be opened; what is in it is no error.
    pub fn read(instance: &str) -> Result<Self, Error> {
        read(&run_directory(instance).join("status.json"))
    }

    /// The groups of a set, like `default+web`; its number where they are not known.
    pub(crate) fn groups(&self, network: Option<&str>, number: u32) -> String {
        let is_meant = |set: &&GroupSet| {
            set.number == number && network.is_none_or(|network| set.network == network)
        };
        match self.group_sets.iter().find(is_meant) {
            Some(set) => set.groups.join("+"),
            None => number.to_string(),
        }
    }
}

/// Reads `T` from a file; its defaults where there is none, or where it holds anything else: a view shows
/// numbers then, which is better than nothing.
fn read<T: Default + for<'a> Deserialize<'a>>(path: &Path) -> Result<T, Error> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        text => text.map_err(Error::file("read", path))?,
    };
    Ok(serde_json::from_slice(&text).unwrap_or_else(|error| {
        warn!(
            file = %path.display(),
            %error,
            "not readable, so there are numbers for names; SIGHUP has the agent write it again"
        );
        T::default()
    }))
}

impl Labels {
    /// Where the labels of an instance are.
    #[must_use]
    pub fn path(instance: &str) -> PathBuf {
        run_directory(instance).join("labels.json")
    }

    /// The labels of an instance; none where nobody wrote any.
    ///
    /// # Errors
    /// Where the file is there and cannot be opened; what is in it is no error.
    pub fn read(instance: &str) -> Result<Self, Error> {
        read(&Self::path(instance))
    }

    /// Writes them whole: who reads meanwhile gets the old ones or these.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self, instance: &str) -> Result<(), Error> {
        create_directory(&run_directory(instance))?;
        let path = Self::path(instance);
        let next = path.with_extension("json.next");
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        text.and_then(|text| fs::write(&next, text))
            .map_err(Error::file("write", &next))?;
        fs::rename(&next, &path).map_err(Error::file("replace", path))
    }

    pub(crate) fn port(&self, slot: u32) -> Option<String> {
        self.ports.get(&slot).map(|port| port.name.clone())
    }

    pub(crate) fn network(&self, slot: u32) -> Option<String> {
        self.networks.get(&slot).map(|network| network.name.clone())
    }

    pub(crate) fn network_of_vni(&self, vni: u32) -> Option<String> {
        self.networks
            .values()
            .find(|network| network.vni == vni)
            .map(|network| network.name.clone())
    }

    pub(crate) fn subnet(&self, slot: u32) -> Option<String> {
        self.subnets.get(&slot).cloned()
    }

    pub(crate) fn host(&self, slot: u32) -> Option<String> {
        self.hosts.get(&slot).cloned()
    }

    pub(crate) fn rule(&self, policy: u32, rule: u32) -> Option<String> {
        self.policies
            .get(&policy)?
            .rules
            .get(rule as usize)
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_optional() {
        let labels: Labels = serde_json::from_str("{}").unwrap();
        assert_eq!(labels, Labels::default());
        let text = r#"{"ports": {"3": {"name": "a", "network": "red"}}, "policies": {"5": {"rules": ["allow"]}}}"#;
        let labels: Labels = serde_json::from_str(text).unwrap();
        assert_eq!(labels.port(3).as_deref(), Some("a"));
        assert_eq!(labels.port(4), None);
        assert_eq!(labels.rule(5, 0).as_deref(), Some("allow"));
        assert_eq!(labels.rule(5, 1), None);
    }

    #[test]
    fn a_file_that_does_not_parse_names_nothing() {
        let path = std::env::temp_dir().join(format!("inlay-labels-{}", std::process::id()));
        for text in ["", "{", "[3]", r#"{"ports": 3}"#] {
            fs::write(&path, text).unwrap();
            assert_eq!(read::<Labels>(&path).unwrap(), Labels::default(), "{text}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(read::<Labels>(&path).unwrap(), Labels::default());
    }

    #[test]
    fn they_read_as_they_were_written() {
        let label = NetworkLabel {
            name: "red".to_owned(),
            vni: 100,
        };
        let labels = Labels {
            networks: BTreeMap::from([(1, label)]),
            ..Labels::default()
        };
        let text = serde_json::to_string(&labels).unwrap();
        assert_eq!(serde_json::from_str::<Labels>(&text).unwrap(), labels);
        assert_eq!(labels.network_of_vni(100).as_deref(), Some("red"));
    }
}
