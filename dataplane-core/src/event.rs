//! What is told of a sampled drop.

use crate::{flow::FlowKey, ids::VirtualIp};

/// A drop, as it goes through the ring buffer. Addresses are those of the packet, not of a port.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DropEvent {
    /// Nanoseconds since boot, as the kernel's coarse clock has them.
    pub time_ns: u64,
    /// The flow, as far as it was known; `via` is 0.
    pub key: FlowKey,
    /// Slot of the port, or `NONE`.
    pub port: u32,
    /// Slot of the network; 0 where unknown.
    pub network: u32,
    /// The interface that the packet came from.
    pub interface_index: u32,
    /// Number of the rule that decided, or `NONE`.
    pub rule: u32,
    /// The network's epoch.
    pub epoch: u32,
    /// Bytes of the frame.
    pub len_bytes: u32,
    /// A [`crate::drop_reason::DropReason`].
    pub reason: u8,
    /// A [`crate::tables::Direction`].
    pub direction: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

impl DropEvent {
    /// Source and destination of the packet.
    #[must_use]
    pub const fn addresses(&self) -> (VirtualIp, VirtualIp) {
        if self.direction == 0 {
            (self.key.local, self.key.remote)
        } else {
            (self.key.remote, self.key.local)
        }
    }
}

const _: () = assert!(size_of::<DropEvent>() == 56);
