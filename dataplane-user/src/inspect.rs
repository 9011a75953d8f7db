//! Looks at an instance from outside: its pinned maps, opened for reading, with names where the agent left
//! some. Every view is a value that can be serialized; nothing is changed.

mod drops;
mod flows;
mod keys;
mod list;
mod mappings;
mod next_hops;
mod policies;
mod ports;
mod programs;
mod records;

use std::{path::Path, time::Duration};

use inlay_core::ids::Tick;
use serde::Serialize;
use serde_json::Value;

pub use drops::{DropCount, DropView};
pub use flows::FlowView;
pub use list::MapView;
pub(crate) use list::Table;
pub(crate) use list::type_name;
pub use mappings::MappingView;
pub use next_hops::NextHopView;
pub use policies::{PolicyView, RuleView};
pub use ports::{CounterView, PortView};
pub use programs::ProgramView;
pub(crate) use records::route_kind;

use crate::{
    Error,
    events::Events,
    labels::{Labels, Report},
    maps::Maps,
    pins::{MapSet, Pins},
    sys::Access,
};

/// An instance that is looked at.
#[derive(Debug)]
pub struct Inspection {
    pub(crate) pins: Pins,
    pub(crate) set: MapSet,
    pub(crate) maps: Maps,
    /// Names for slots.
    pub labels: Labels,
    /// What else the agent tells.
    pub report: Report,
}

/// An entry of a map.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct EntryView {
    /// The key, as `get` takes it.
    pub key: String,
    /// The record's fields.
    pub value: Value,
}

impl Inspection {
    /// Opens the instance's maps for reading.
    ///
    /// # Errors
    /// `NotLoaded` where there are none.
    pub fn open(pin_root: &Path, instance: &str) -> Result<Self, Error> {
        Self::open_for(pin_root, instance, Access::Read)
    }

    pub(crate) fn open_for(pin_root: &Path, instance: &str, access: Access) -> Result<Self, Error> {
        let pins = Pins::new(pin_root, instance)?;
        let not_loaded = || Error::NotLoaded {
            instance: instance.to_owned(),
        };
        let set = pins
            .current()
            .filter(|set| set.directory.is_dir())
            .ok_or_else(not_loaded)?;
        let maps = Maps::open(&set.directory, access).map_err(Error::for_others)?;
        let (labels, report) = (Labels::read(instance)?, Report::read(instance)?);
        Ok(Self {
            pins,
            set,
            maps,
            labels,
            report,
        })
    }

    /// The drop events: first those that nobody has read.
    ///
    /// # Errors
    /// Where somebody else reads them, or the ring buffer cannot be mapped.
    pub fn drop_events(&self) -> Result<Events, Error> {
        Events::open(&self.set.directory, &self.pins.instance)
    }

    /// What the entries of a map are, by name: those that are used.
    ///
    /// # Errors
    /// Where there is no such map, or it has no entries to show.
    pub fn dump(&self, name: &str) -> Result<Vec<EntryView>, Error> {
        self.table(name)?.dump()
    }

    /// One entry of a map. `None` where there is none.
    ///
    /// # Errors
    /// Where there is no such map, or `key` is no key of it.
    pub fn get(&self, name: &str, key: &str) -> Result<Option<EntryView>, Error> {
        self.table(name)?.get(key)
    }

    fn table(&self, name: &str) -> Result<&dyn Table, Error> {
        let wanted = name.to_ascii_uppercase().replace('-', "_");
        self.maps.table(&wanted).ok_or_else(|| {
            let what = match wanted.as_str() {
                "EVENTS" => "EVENTS is a ring buffer: type `inlay drops --follow`".to_owned(),
                "WORK" => {
                    "WORK is scratch memory of the programs: there is nothing to show".to_owned()
                }
                _ => format!("there is no map {name}: `inlay maps list` shows them"),
            };
            Error::Input { what }
        })
    }

    /// The slot of the port that a person means: its slot, its name, `NETWORK/NAME`, or its interface.
    ///
    /// # Errors
    /// Where there is none, or more than one.
    pub fn port_slot(&self, meant: &str) -> Result<u32, Error> {
        let ports = self.ports()?;
        let by_slot = |port: &&PortView| meant.parse() == Ok(port.slot);
        let by_name = |port: &&PortView| port.is_called(meant);
        let found: Vec<&PortView> = match ports.iter().find(by_slot) {
            Some(port) => vec![port],
            None => ports.iter().filter(by_name).collect(),
        };
        match found.as_slice() {
            [port] => Ok(port.slot),
            [] => Err(Error::Input {
                what: format!("there is no port {meant}: `inlay ports` shows them"),
            }),
            several => {
                let names: Vec<String> = several.iter().map(|port| port.full_name()).collect();
                let what = format!(
                    "{meant} is one of several ports: say which, {}",
                    names.join(" or ")
                );
                Err(Error::Input { what })
            }
        }
    }
}

/// Time since boot, as the programs' clock has it.
pub(crate) fn since_boot() -> Duration {
    let since_boot = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC_COARSE);
    since_boot.map(Duration::from).unwrap_or_default()
}

/// The kernel's tick.
pub(crate) fn now() -> Tick {
    Tick::from_nanoseconds(u64::try_from(since_boot().as_nanos()).unwrap_or(u64::MAX))
}

/// Seconds from `tick` to `now`; 0 where it is ahead, as another CPU's clock may be.
pub(crate) fn age_s(tick: Tick, now: Tick) -> u64 {
    let ticks = now.since(tick);
    if ticks > u32::MAX / 2 {
        0
    } else {
        (u64::from(ticks) << 24) / 1_000_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_seconds() {
        assert_eq!(age_s(Tick(100), Tick(100 + 60)), 1);
        assert_eq!(age_s(Tick(100), Tick(99)), 0);
        assert_eq!(age_s(Tick(u32::MAX), Tick(599)), 10);
    }
}
