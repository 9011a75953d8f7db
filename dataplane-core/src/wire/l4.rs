//! What Inlay reads of transport headers: ports, TCP's flags (RFC 9293), ICMP's type and identifier
//! (RFC 792); and where TCP and UDP hold their checksums.

use crate::packet::Packet;

/// ICMP's protocol number.
pub const ICMP: u8 = 1;
/// TCP's protocol number.
pub const TCP: u8 = 6;
/// UDP's protocol number.
pub const UDP: u8 = 17;

/// Offset of TCP's checksum in its header.
pub const TCP_CHECKSUM: usize = 16;
/// Offset of UDP's checksum in its header.
pub const UDP_CHECKSUM: usize = 6;

/// TCP's flags.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: u8 = 1;
    /// Synchronize.
    pub const SYN: u8 = 2;
    /// Reset.
    pub const RST: u8 = 4;
    /// The acknowledgement counts.
    pub const ACK: u8 = 16;

    /// Whether `flag` is set.
    #[inline(always)]
    #[must_use]
    pub const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// Whether a connection's state cannot change by it, once established.
    #[inline(always)]
    #[must_use]
    pub const fn is_plain(self) -> bool {
        self.0 & (Self::FIN | Self::SYN | Self::RST) == 0
    }
}

/// What a flow is found by, and what moves its state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Transport {
    /// Source port then destination port in memory order; for ICMP see [`Transport::icmp`].
    pub ports: u32,
    /// TCP's flags; 0 for others.
    pub flags: TcpFlags,
    /// What kind of message an ICMP packet is.
    pub icmp: Icmp,
}

/// In place of the second port of an echo whose request the sender of the packet makes; in a flow's key,
/// the local side. A type of 255, which is reserved, so that no other message has it.
pub const SENDER_ASKS: u16 = u16::from_ne_bytes([255, 1]);
/// As [`SENDER_ASKS`], for the other side.
pub const RECEIVER_ASKS: u16 = u16::from_ne_bytes([255, 2]);

/// Kinds of ICMP messages.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Icmp {
    /// Not ICMP.
    #[default]
    Not,
    /// Echo request: `ports` is the identifier, then [`SENDER_ASKS`].
    EchoRequest,
    /// Echo reply: `ports` is the identifier, then [`RECEIVER_ASKS`].
    EchoReply,
    /// Destination unreachable, time exceeded or parameter problem: it quotes a packet. `ports` is as
    /// for `Other`.
    Error,
    /// Anything else: `ports` is 0xffff, then type and code, in both directions.
    Other,
}

impl Transport {
    /// Reads what is at `offset`. `None` where the packet ends before it.
    #[inline(always)]
    #[must_use]
    pub fn read(packet: &mut Packet<'_>, offset: usize, protocol: u8) -> Option<Self> {
        match protocol {
            TCP => {
                let window = packet.window::<14>(offset)?;
                Some(Self {
                    ports: window.u32::<0>(),
                    flags: TcpFlags(window.u8::<13>()),
                    icmp: Icmp::Not,
                })
            }
            UDP => {
                let window = packet.window::<8>(offset)?;
                Some(Self {
                    ports: window.u32::<0>(),
                    ..Self::default()
                })
            }
            ICMP => {
                let window = packet.window::<8>(offset)?;
                Some(Self::of_icmp(
                    window.u8::<0>(),
                    window.u16::<0>(),
                    window.u16::<4>(),
                ))
            }
            _ => Some(Self::default()),
        }
    }

    #[inline(always)]
    const fn of_icmp(kind: u8, type_and_code: u16, identifier: u16) -> Self {
        let identifier = identifier as u32;
        let (ports, icmp) = match kind {
            8 => (identifier | (SENDER_ASKS as u32) << 16, Icmp::EchoRequest),
            0 => (identifier | (RECEIVER_ASKS as u32) << 16, Icmp::EchoReply),
            // One place for all codes of the reserved type, two of which stand for echoes.
            255 => (u32::MAX, Icmp::Other),
            3 | 4 | 11 | 12 => (0xffff | (type_and_code as u32) << 16, Icmp::Error),
            _ => (0xffff | (type_and_code as u32) << 16, Icmp::Other),
        };
        Self {
            ports,
            flags: TcpFlags(0),
            icmp,
        }
    }
}

/// The ports as the other side has them: whoever was first is second. What is known of an ICMP message but
/// who asks is the same for both.
#[inline(always)]
#[must_use]
pub const fn swap_ports(protocol: u8, ports: u32) -> u32 {
    if protocol != ICMP {
        return ports.rotate_left(16);
    }
    let kind = (ports >> 16) as u16;
    if kind != SENDER_ASKS && kind != RECEIVER_ASKS {
        return ports;
    }
    ports ^ ((SENDER_ASKS ^ RECEIVER_ASKS) as u32) << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_swap_and_swap_back() {
        let echo = u32::from(SENDER_ASKS) << 16 | 7;
        let asked = u32::from(RECEIVER_ASKS) << 16 | 7;
        for (protocol, ports, swapped) in [
            (TCP, 0x1111_2222, 0x2222_1111),
            (UDP, 0x0001_0000, 0x0000_0001),
            (ICMP, echo, asked),
            (ICMP, 0x0d00_ffff, 0x0d00_ffff),
        ] {
            assert_eq!(swap_ports(protocol, ports), swapped);
            assert_eq!(swap_ports(protocol, swapped), ports);
        }
    }

    #[test]
    fn a_reserved_type_is_no_echo() {
        for code in [1, 2, 255] {
            let mut bytes = [255, code, 0, 0, 0, 7, 0, 0];
            let transport = Transport::read(&mut Packet::new(&mut bytes), 0, ICMP).unwrap();
            assert_eq!(swap_ports(ICMP, transport.ports), transport.ports);
        }
    }
}
