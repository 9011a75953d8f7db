//! The number of a virtual network.

use std::fmt;

use serde::Serialize;

use crate::InvalidValue;
use crate::invalid_value::in_range;

/// Number of a virtual network: 24 bits, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Vni(u32);

impl Vni {
    /// The greatest VNI.
    pub const MAX: u32 = 0xff_ffff;

    /// The VNI of this number.
    ///
    /// # Errors
    /// Refuses 0 and what takes more than 24 bits.
    pub fn new(vni: u32) -> Result<Self, InvalidValue> {
        in_range("VNI", u64::from(vni), &(1..=u64::from(Self::MAX)))?;
        Ok(Self(vni))
    }

    /// The number, within `1..=0xff_ffff`, in host byte order.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u64> for Vni {
    type Error = InvalidValue;

    fn try_from(vni: u64) -> Result<Self, InvalidValue> {
        let max = u64::from(Self::MAX);
        let narrow = u32::try_from(vni).map_err(|_| InvalidValue::OutOfRange {
            what: "VNI",
            found: vni,
            min: 1,
            max,
        })?;
        Self::new(narrow)
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
