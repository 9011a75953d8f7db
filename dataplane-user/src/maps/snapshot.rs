//! Records that the dataplane writes word by word, as plain values.

use inlay_core::{
    ids::{MacAddress, Tick},
    tables::records::{NextHop, PortState},
};

/// A [`NextHop`], read.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NextHopSnapshot {
    destination_and_device: u64,
    /// The source Ethernet address.
    pub source: MacAddress,
    /// The tick in which it was renewed.
    pub renewed: u32,
    /// 1 where it can be used.
    pub usable: u32,
}

impl NextHopSnapshot {
    /// The destination Ethernet address.
    #[must_use]
    pub const fn destination(&self) -> MacAddress {
        MacAddress(self.destination_and_device & 0xffff_ffff_ffff)
    }

    /// The device index.
    #[must_use]
    pub const fn device(&self) -> u32 {
        (self.destination_and_device >> 48) as u32
    }

    /// When it was renewed.
    #[must_use]
    pub const fn tick(&self) -> Tick {
        Tick(self.renewed)
    }
}

/// A [`PortState`], read.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PortStateSnapshot {
    /// The next place of its ring.
    pub ring_head: u64,
    /// Flows that the node started in the window.
    pub started_outbound: u64,
    /// Flows that its peers started in the window.
    pub started_inbound: u64,
    /// The window in which flows are counted.
    pub window: u32,
    reserved: u32,
}

const _: () = assert!(size_of::<NextHopSnapshot>() == size_of::<NextHop>());
const _: () = assert!(size_of::<PortStateSnapshot>() == size_of::<PortState>());

// SAFETY: `repr(C)` over integers, without padding: its size is that of its fields.
unsafe impl aya::Pod for NextHopSnapshot {}
// SAFETY: as above.
unsafe impl aya::Pod for PortStateSnapshot {}
