//! ARP for IPv4 over Ethernet (RFC 826).
//!
//! ```text
//!  14 hardware 1, 16 protocol 0x0800, 18 lengths 6 and 4, 20 operation,
//!  22 sender MAC, 28 sender IP, 32 target MAC, 38 target IP; offsets from the frame's start
//! ```

use super::ethernet::{self, ether_type};
use crate::{
    ids::{MacAddress, VirtualIp},
    packet::Packet,
};

/// Bytes of the frame.
pub const FRAME: usize = ethernet::LEN + 28;

const ETHERNET_IPV4: u64 = u64::from_ne_bytes([0, 1, 8, 0, 6, 4, 0, 1]);
const REPLY: u16 = 2;

/// A request: who asks, for which address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request {
    /// The asker's Ethernet address.
    pub sender_mac: MacAddress,
    /// The asker's address; 0.0.0.0 in a probe (RFC 5227).
    pub sender: VirtualIp,
    /// The address asked for.
    pub target: VirtualIp,
}

impl Request {
    /// The request in a frame of type ARP. `None` for a reply and for other hardware.
    #[inline(always)]
    #[must_use]
    pub fn read(packet: &mut Packet<'_>) -> Option<Self> {
        let window = packet.window::<FRAME>(0)?;
        if window.u64::<14>() != ETHERNET_IPV4 {
            return None;
        }
        Some(Self {
            sender_mac: MacAddress::from_words(window.u32::<22>(), window.u16::<26>()),
            sender: VirtualIp(window.u32::<28>()),
            target: VirtualIp(window.u32::<38>()),
        })
    }
}

/// Turns the request of a frame into the reply that `mac` has `request.target`.
#[inline(always)]
#[must_use]
pub fn write_reply(packet: &mut Packet<'_>, request: &Request, mac: MacAddress) -> Option<()> {
    let mut window = packet.window::<FRAME>(0)?;
    let ethernet = ethernet::Header {
        destination: request.sender_mac,
        source: mac,
        ether_type: ether_type::ARP,
    };
    ethernet.write(&mut window);
    window.set_be16::<20>(REPLY);
    window.set_u32::<22>(mac.first());
    window.set_u16::<26>(mac.last());
    window.set_u32::<28>(request.target.0);
    window.set_u32::<32>(request.sender_mac.first());
    window.set_u16::<36>(request.sender_mac.last());
    window.set_u32::<38>(request.sender.0);
    Some(())
}
