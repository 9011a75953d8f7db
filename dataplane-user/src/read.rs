//! Reads an image back from the maps: what is in use, and of intervals, rows and targets what something in
//! use refers to.

use std::collections::{BTreeMap, BTreeSet};

use inlay_core::{ids::HostPrefix, tables::records::Span};

use crate::{Error, image::Image, maps::Maps};

pub(crate) fn image(maps: &Maps) -> Result<Image, Error> {
    let mut image = Image {
        config: maps.config.get(0)?,
        devices: devices(maps)?,
        ports: maps.ports.used(|port| port.interface_index != 0)?,
        networks: maps.networks.used(|network| network.tag.0 != 0)?,
        subnets: maps.subnets.used(|subnet| subnet.tag.0 != 0)?,
        mappings: maps.mappings.all()?.into_iter().collect(),
        forwarders: maps.forwarders.all()?.into_iter().collect(),
        hosts: maps.hosts.used(|prefix| *prefix != HostPrefix(0))?,
        policies: maps.policies.used(|policy| policy.rules != 0)?,
        ..Image::default()
    };
    image.intervals = maps.intervals.at(indexes(image.spans()))?;
    image.rows = maps.rows.at(image.referenced_rows())?;
    image.route_targets = maps.route_targets.at(image.referenced_targets())?;
    Ok(image)
}

/// Every index of `spans`, ascending.
fn indexes(spans: impl Iterator<Item = Span>) -> BTreeSet<u32> {
    spans
        .flat_map(|span| span.base..span.base.saturating_add(span.count))
        .collect()
}

/// Interfaces that packets come from *and* are sent to: an interface that was made anew has lost its entry
/// in the device map.
fn devices(maps: &Maps) -> Result<BTreeMap<u32, u32>, Error> {
    let mut devices = BTreeMap::new();
    for record in maps
        .interfaces
        .used(|record| record.interface_index != 0)?
        .into_values()
    {
        if maps.devices.get(record.device)? == Some(record.interface_index) {
            devices.insert(record.interface_index, record.device);
        }
    }
    Ok(devices)
}
