//! ICMP messages that the virtual router makes (RFC 792, RFC 1191), and the ICMPv6 errors of the
//! substrate that they are made from (RFC 4443).

/// Bytes of an ICMP or ICMPv6 error before what it quotes.
pub const LEN: usize = 8;

/// An ICMP error of a node's packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Error {
    /// Type 3 code 1: the other host is not reachable.
    HostUnreachable,
    /// Type 3 code 3: nothing listens there.
    PortUnreachable,
    /// Type 3 code 4 with the MTU: too big, and DF is set.
    FragmentationNeeded(u16),
    /// Type 11 code 0: TTL ran out on the way.
    TimeExceeded,
    /// Type 12 code 0 with the offset of the octet: options are not carried.
    ParameterProblem(u8),
}

impl Error {
    /// Type and code in memory order, and the word after the checksum in memory order.
    #[inline(always)]
    #[must_use]
    pub const fn words(self) -> (u16, u32) {
        match self {
            Self::HostUnreachable => (u16::from_ne_bytes([3, 1]), 0),
            Self::PortUnreachable => (u16::from_ne_bytes([3, 3]), 0),
            Self::FragmentationNeeded(mtu) => (u16::from_ne_bytes([3, 4]), (mtu as u32).to_be()),
            Self::TimeExceeded => (u16::from_ne_bytes([11, 0]), 0),
            Self::ParameterProblem(at) => (
                u16::from_ne_bytes([12, 0]),
                u32::from_ne_bytes([at, 0, 0, 0]),
            ),
        }
    }

    /// The matching error of an ICMPv6 error that quotes an inlaid packet, which was
    /// `header_growth` bytes longer than the node's. `None` for messages that are no errors.
    ///
    /// `word` is what follows the checksum, as a number: Packet Too Big's MTU.
    #[inline(always)]
    #[must_use]
    pub const fn from_icmpv6(kind: u8, word: u32, header_growth: u16) -> Option<Self> {
        match kind {
            // Destination unreachable, whatever the code: the substrate's reasons are its own.
            // Time exceeded and parameter problem are faults of the fabric, and as unreachable.
            1 | 3 | 4 => Some(Self::HostUnreachable),
            2 => {
                // No less than 1280 is ever right (RFC 8200 section 5), no more than fits IPv4.
                let mtu = if word < 1280 { 1280 } else { word };
                let mtu = if mtu > 0xffff { 0xffff } else { mtu as u16 };
                Some(Self::FragmentationNeeded(mtu - header_growth))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mtu_of_the_substrate_is_less_the_growth() {
        let error = |mtu| Error::from_icmpv6(2, mtu, 20);
        assert_eq!(error(1500), Some(Error::FragmentationNeeded(1480)));
        assert_eq!(error(0), Some(Error::FragmentationNeeded(1260)));
        assert_eq!(
            error(u32::MAX),
            Some(Error::FragmentationNeeded(0xffff - 20))
        );
        assert_eq!(Error::from_icmpv6(128, 0, 20), None);
    }
}
