//! Which host has which address.

use inlay_core::tables::records::NONE;
use serde::Serialize;

use super::Inspection;
use crate::Error;

/// An address.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct MappingView {
    /// Name of the network.
    pub network: Option<String>,
    /// Its number.
    pub vni: u32,
    /// The address.
    pub virtual_ip: String,
    /// Name of the host.
    pub host: Option<String>,
    /// Slot of the host.
    pub host_slot: u32,
    /// The host's /64.
    pub prefix: String,
    /// Name of the port, where it is on this host.
    pub port: Option<String>,
    /// Slot of that.
    pub port_slot: Option<u32>,
    /// The node's set of security groups: their names, or the set's number.
    pub groups: String,
}

impl Inspection {
    /// All mappings, by network and address.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn mappings(&self) -> Result<Vec<MappingView>, Error> {
        let hosts = self.maps.hosts.all()?;
        let mut all = self.maps.mappings.all()?;
        all.sort_unstable_by_key(|(key, _)| (key.tag.vni(), key.virtual_ip.number()));
        let view = |(key, record): (
            inlay_core::tables::MappingKey,
            inlay_core::tables::MappingRecord,
        )| {
            let port_slot = (record.port != NONE).then_some(record.port);
            let vni = key.tag.vni().number();
            let network = self.labels.network_of_vni(vni);
            MappingView {
                groups: self.report.groups(network.as_deref(), record.groups),
                network,
                vni,
                virtual_ip: key.virtual_ip.to_string(),
                host: self.labels.host(record.host),
                host_slot: record.host,
                prefix: hosts
                    .get(record.host as usize)
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                port: port_slot.and_then(|slot| self.labels.port(slot)),
                port_slot,
            }
        };
        Ok(all.into_iter().map(view).collect())
    }
}
