//! Which ports and uplinks can be written: those whose interface is there.

use std::{cmp::Reverse, collections::BTreeMap};

use inlay_api::{HostState, InterfaceName, LocalPort};
use inlay_core::{ids::VirtualIp, substrate::Tag};
use inlay_dataplane::image::Image;

use super::ids;
use crate::{
    interface::{Interface, Interfaces},
    status::Degraded,
};

/// What makes a port the same one: its network and its node's first address.
pub(super) type PortKey = (Tag, VirtualIp);

/// A port whose interface is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlacedPort<'a> {
    pub(super) local: LocalPort<'a>,
    pub(super) interface: Interface,
}

/// An uplink that is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlacedUplink<'a> {
    pub(super) name: &'a str,
    pub(super) interface: Interface,
}

/// The ports and uplinks of this host.
#[derive(Debug, Default)]
pub(super) struct Placement<'a> {
    pub(super) ports: BTreeMap<PortKey, PlacedPort<'a>>,
    pub(super) uplinks: Vec<PlacedUplink<'a>>,
    pub(super) degraded: Vec<Degraded>,
    /// Names of interfaces by the low 16 bits of their numbers, which is how the dataplane finds them.
    names: BTreeMap<u16, &'a str>,
}

impl<'a> Placement<'a> {
    pub(super) fn of(desired: &'a HostState, interfaces: &Interfaces, actual: &Image) -> Self {
        let mut placement = Self::default();
        let mut uplinks: Vec<_> = desired
            .host()
            .uplinks
            .iter()
            .map(InterfaceName::as_str)
            .collect();
        uplinks.sort_unstable();
        for name in uplinks {
            placement.add_uplink(name, interfaces);
        }
        let mut ports: Vec<_> = desired.local_ports().collect();
        // Of two whose numbers collide, the one that is in use stays.
        ports.sort_by_key(|local| (Reverse(is_used(local, interfaces, actual)), key(local)));
        for local in ports {
            placement.add_port(local, interfaces);
        }
        placement.degraded.sort_unstable();
        placement
    }

    fn add_uplink(&mut self, name: &'a str, interfaces: &Interfaces) {
        match self.claim(name, interfaces) {
            Ok(interface) => self.uplinks.push(PlacedUplink { name, interface }),
            Err(reason) => {
                let interface = name.to_owned();
                self.degraded.push(Degraded {
                    interface,
                    reason,
                    ..Degraded::default()
                });
            }
        }
    }

    fn add_port(&mut self, local: LocalPort<'a>, interfaces: &Interfaces) {
        let name = local.port.interface.as_str();
        match self.claim(name, interfaces) {
            Ok(interface) => {
                self.ports
                    .insert(key(&local), PlacedPort { local, interface });
            }
            Err(reason) => self.degraded.push(Degraded {
                interface: name.to_owned(),
                network: Some(local.network.full_name()),
                node: Some(local.node.name.to_string()),
                reason,
            }),
        }
    }

    /// The interface of `name`, or why it cannot be used.
    fn claim(&mut self, name: &'a str, interfaces: &Interfaces) -> Result<Interface, String> {
        let Some(interface) = interfaces.get(name) else {
            return Err(format!("there is no interface {name}; create it"));
        };
        let other = *self.names.entry(low_bits(interface.index)).or_insert(name);
        if other == name {
            return Ok(*interface);
        }
        Err(format!(
            "the number of interface {name}, {}, ends in the same 16 bits as that of {other}; \
             re-create the interface",
            interface.index
        ))
    }
}

pub(super) fn key(local: &LocalPort<'_>) -> PortKey {
    (
        ids::tag(local.network.vni),
        ids::virtual_ip(local.node.primary_address()),
    )
}

fn is_used(local: &LocalPort<'_>, interfaces: &Interfaces, actual: &Image) -> bool {
    let interface = interfaces.get(local.port.interface.as_str());
    interface.is_some_and(|interface| actual.devices.contains_key(&interface.index))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low bits are what is asked for"
)]
fn low_bits(interface_index: u32) -> u16 {
    interface_index as u16
}
