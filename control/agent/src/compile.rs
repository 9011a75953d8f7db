//! From what is desired to what the maps must hold. Pure: the same state, interfaces and images before
//! give the same image.
//!
//! What stays keeps its slots and places, so that a change touches what it is about; and what an image
//! before refers to is never overwritten, so that a packet that is being decided reads either the state
//! before or the one after.

mod classifier;
mod content;
pub(crate) mod epochs;
mod error;
mod free_ranges;
mod groups;
mod ids;
mod mappings;
mod network;
mod placement;
mod pool;
mod ports;
mod references;
mod rings;
mod routes;
mod rules;
mod slot_plan;
mod slots;
mod steps;
mod tables;

use std::collections::BTreeMap;

use inlay_api::HostState;
use inlay_core::tables::records::Config;
use inlay_dataplane::{image::Image, labels::Labels};

pub use error::CompileError;

use crate::{interface::Interfaces, status::Status};
use content::Content;
use placement::Placement;
use slot_plan::SlotPlan;

/// What the maps must hold, and what goes with it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Compiled {
    /// The maps' content.
    pub image: Image,
    /// Names for its numbers.
    pub labels: Labels,
    /// What is known of its working so far.
    pub status: Status,
    /// Where the programs must be attached.
    pub attachments: BTreeMap<u32, Attachment>,
}

/// An interface that a program must be attached to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attachment {
    /// Its name.
    pub interface: String,
    /// Which program.
    pub role: Role,
}

/// What an interface is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// The host's way to the substrate.
    Uplink,
    /// The host's side of a port.
    Port,
}

/// Compiles `desired` for the host that has `interfaces`. `previous` begins with what the maps hold now;
/// older images follow whose content a packet may still be reading.
///
/// # Errors
/// Names what of the state does not fit the maps.
pub fn compile(
    desired: &HostState,
    interfaces: &Interfaces,
    previous: &[&Image],
) -> Result<Compiled, CompileError> {
    let empty = Image::default();
    let actual = previous.first().copied().unwrap_or(&empty);
    let placement = Placement::of(desired, interfaces, actual);
    let slots = SlotPlan::of(desired, &placement, previous)?;
    let mut content = Content::new(previous);
    let mut compiled = Compiled {
        image: image_of_host(desired, &placement, &slots),
        labels: Labels {
            hosts: host_names(desired, &slots),
            ..Labels::default()
        },
        status: status_of_host(desired, &placement, &slots),
        attachments: attachments(&placement),
    };
    for network in network::sorted(desired) {
        if let Some(&slot) = slots.networks.get(&ids::tag(network.vni)) {
            let scope = network::Scope {
                desired,
                network,
                slot,
                slots: &slots,
                placement: &placement,
            };
            scope.compile(&mut content, &mut compiled)?;
        }
    }
    ports::set_rings(&mut compiled.image.ports, &placement, &slots, actual)?;
    content.write_to(&mut compiled.image);
    epochs::set(&mut compiled.image, previous);
    Ok(compiled)
}

fn image_of_host(desired: &HostState, placement: &Placement<'_>, slots: &SlotPlan) -> Image {
    let host = desired.host();
    let ports = placement
        .ports
        .iter()
        .filter_map(|(key, port)| Some((port.interface.index, *slots.ports.get(key)?)));
    let uplinks = slots
        .uplinks
        .iter()
        .map(|(index, device)| (*index, *device));
    Image {
        config: Config {
            prefix: ids::host_prefix(host.prefix),
            virtual_mtu: u32::from(host.substrate_mtu.virtual_mtu()),
            hop_limit_min: u32::from(host.hop_limit_min),
        },
        devices: ports.chain(uplinks).collect(),
        hosts: slots
            .hosts
            .iter()
            .map(|(prefix, slot)| (*slot, *prefix))
            .collect(),
        ..Image::default()
    }
}

fn host_names(desired: &HostState, slots: &SlotPlan) -> BTreeMap<u32, String> {
    let own = desired.host();
    let remote = desired.hosts().iter().map(|host| (host.prefix, &host.name));
    let hosts = remote.chain([(own.prefix, &own.name)]);
    let slot = |prefix| slots.hosts.get(&ids::host_prefix(prefix)).copied();
    hosts
        .filter_map(|(prefix, name)| Some((slot(prefix)?, name.to_string())))
        .collect()
}

fn status_of_host(desired: &HostState, placement: &Placement<'_>, slots: &SlotPlan) -> Status {
    let uplinks = placement.uplinks.iter().filter_map(|uplink| {
        Some((
            *slots.uplinks.get(&uplink.interface.index)?,
            uplink.name.to_owned(),
        ))
    });
    Status {
        host: desired.host().name.to_string(),
        uplinks: uplinks.collect(),
        degraded: placement.degraded.clone(),
        ..Status::default()
    }
}

fn attachments(placement: &Placement<'_>) -> BTreeMap<u32, Attachment> {
    let attachment = |interface: &str, role| Attachment {
        interface: interface.to_owned(),
        role,
    };
    let uplinks = placement.uplinks.iter().map(|uplink| {
        (
            uplink.interface.index,
            attachment(uplink.name, Role::Uplink),
        )
    });
    let ports = placement.ports.values().map(|port| {
        let name = port.local.port.interface.as_str();
        (port.interface.index, attachment(name, Role::Port))
    });
    uplinks.chain(ports).collect()
}
