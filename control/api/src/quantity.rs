//! Numbers with a unit and a range of their own.

use serde::Serialize;

use crate::InvalidValue;
use crate::invalid_value::in_range;
use crate::limits::{INLAY_BYTES_MAX, PORT_FLOWS, SUBSTRATE_MTUS};

/// Flows that one port may hold at a time: a power of two within [`PORT_FLOWS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FlowsMax(u32);

impl FlowsMax {
    /// The limit of this many flows.
    ///
    /// # Errors
    /// Refuses what is outside [`PORT_FLOWS`] or no power of two.
    pub fn new(flows: u64) -> Result<Self, InvalidValue> {
        in_range("number of flows", flows, &PORT_FLOWS)?;
        match u32::try_from(flows) {
            Ok(narrow) if narrow.is_power_of_two() => Ok(Self(narrow)),
            _ => Err(InvalidValue::FlowsMax {
                found: flows,
                meant: flows.next_power_of_two(),
            }),
        }
    }

    /// The number of flows.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Largest IPv6 packet that every link of the substrate carries, in bytes, within
/// [`SUBSTRATE_MTUS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SubstrateMtu(u16);

impl SubstrateMtu {
    /// The MTU of this many bytes.
    ///
    /// # Errors
    /// Refuses what is outside [`SUBSTRATE_MTUS`].
    pub fn new(mtu_bytes: u64) -> Result<Self, InvalidValue> {
        in_range("substrate MTU", mtu_bytes, &SUBSTRATE_MTUS)?;
        // The range ends where u16 does.
        Ok(Self(u16::try_from(mtu_bytes).unwrap_or(u16::MAX)))
    }

    /// Bytes of the largest IPv6 packet.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Bytes of the largest IPv4 packet of a node: the substrate's less the 28 that inlaying a
    /// fragment adds.
    #[must_use]
    pub const fn virtual_mtu(self) -> u16 {
        self.0 - INLAY_BYTES_MAX
    }
}
