//! Ports, and what passed them.

use std::{collections::BTreeMap, os::fd::AsFd as _};

use inlay_core::tables::records::PortRecord;
use serde::Serialize;

use super::Inspection;
use crate::{Error, sys};

/// A port.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PortView {
    /// Its slot.
    pub slot: u32,
    /// Its name, where it is known.
    pub name: Option<String>,
    /// Name of its network.
    pub network: Option<String>,
    /// The network's number.
    pub vni: u32,
    /// Name of the host's side of its interface.
    pub interface: Option<String>,
    /// Its number.
    pub interface_index: u32,
    /// The node's Ethernet address.
    pub mac: String,
    /// The node's addresses, the first one first.
    pub addresses: Vec<String>,
    /// Name of its subnet.
    pub subnet: Option<String>,
    /// Whether the program is attached.
    pub is_attached: bool,
    /// Flows in the table.
    pub flows: u64,
    /// Flows it may have.
    pub flows_max: u64,
    /// Why it does not work as it should.
    pub degraded: Vec<String>,
}

impl PortView {
    /// Whether a person may mean it by `name`.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let is = |field: &Option<String>| field.as_deref() == Some(name);
        is(&self.name) || is(&self.interface) || self.full_name() == name
    }

    /// Network and name.
    #[must_use]
    pub fn full_name(&self) -> String {
        let network = self.network.clone().unwrap_or_else(|| self.vni.to_string());
        let name = self.name.clone().unwrap_or_else(|| self.slot.to_string());
        format!("{network}/{name}")
    }
}

/// What passed a port.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CounterView {
    /// The port's slot.
    pub slot: u32,
    /// Its name, where it is known.
    pub name: Option<String>,
    /// Name of its network.
    pub network: Option<String>,
    /// Packets from the node.
    pub outbound_packets: u64,
    /// Bytes of those, as IPv4 packets.
    pub outbound_bytes: u64,
    /// Packets to the node.
    pub inbound_packets: u64,
    /// Bytes of those, as IPv4 packets.
    pub inbound_bytes: u64,
}

impl Inspection {
    fn used_ports(&self) -> Result<BTreeMap<u32, PortRecord>, Error> {
        self.maps.ports.used(|port| port.interface_index != 0)
    }

    /// All ports, by slot.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn ports(&self) -> Result<Vec<PortView>, Error> {
        let mut flows = BTreeMap::<u32, u64>::new();
        for (_, record) in self.maps.flows.all()? {
            *flows.entry(record.port).or_default() += 1;
        }
        let mut addresses = BTreeMap::<u32, Vec<_>>::new();
        for (key, record) in self.maps.mappings.all()? {
            addresses
                .entry(record.port)
                .or_default()
                .push(key.virtual_ip);
        }
        let view = |(slot, record): (u32, PortRecord)| {
            let label = self.labels.ports.get(&slot);
            let mut others = addresses.remove(&slot).unwrap_or_default();
            others.retain(|address| *address != record.virtual_ip);
            others.sort_by_key(|address| address.number());
            others.insert(0, record.virtual_ip);
            PortView {
                slot,
                name: self.labels.port(slot),
                network: self.labels.network(record.network),
                vni: record.tag.vni().number(),
                interface: label.map(|label| label.interface.clone()),
                interface_index: record.interface_index,
                mac: record.mac.to_string(),
                addresses: others.iter().map(ToString::to_string).collect(),
                subnet: self.labels.subnet(record.subnet),
                is_attached: self.is_attached(record.interface_index),
                flows: flows.get(&slot).copied().unwrap_or(0),
                flows_max: u64::from(record.ring_mask) + 1,
                degraded: label
                    .map(|label| label.degraded.clone())
                    .unwrap_or_default(),
            }
        };
        Ok(self.used_ports()?.into_iter().map(view).collect())
    }

    fn is_attached(&self, interface_index: u32) -> bool {
        let link = self.pins.open_link(interface_index).ok().flatten();
        let info = link.and_then(|link| sys::link_info(link.as_fd()).ok());
        info.is_some_and(|info| info.interface_index == interface_index)
    }

    /// What passed each port, by slot.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn counters(&self) -> Result<Vec<CounterView>, Error> {
        let view = |(slot, record): (u32, PortRecord)| {
            let values = self.maps.port_counters.get(slot)?;
            let packets = |at: usize| values.iter().map(|value| value.packets[at]).sum();
            let bytes = |at: usize| values.iter().map(|value| value.bytes[at]).sum();
            Ok(CounterView {
                slot,
                name: self.labels.port(slot),
                network: self.labels.network(record.network),
                outbound_packets: packets(0),
                outbound_bytes: bytes(0),
                inbound_packets: packets(1),
                inbound_bytes: bytes(1),
            })
        };
        self.used_ports()?.into_iter().map(view).collect()
    }
}
