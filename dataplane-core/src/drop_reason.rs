//! Why a packet was dropped. Every drop has one reason, and every reason one counter.

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $name:ident $text:literal,)*) => {
        /// Why a packet was dropped. The number is the counter's index.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[doc = $doc])+ $name,)*
        }

        impl DropReason {
            /// The reason of the number `number`, the first one for a number that none has: a
            /// comparison and no table, for the kernel.
            #[inline(always)]
            #[must_use]
            pub const fn from_number_or_first(number: u8) -> Self {
                $(if number == Self::$name as u8 {
                    return Self::$name;
                })*
                Self::Truncated
            }

            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name for people and in JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it means and what to look at, in a sentence or two.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)* }
            }
        }
    };
}

drop_reasons! {
    /// The frame ends before its headers do.
    Truncated "truncated",
    /// A node sent something that is neither IPv4 nor ARP.
    NotIpv4 "not-ipv4",
    /// The IPv4 header is wrong: version, header length, total length or checksum.
    BadIpv4Header "bad-ipv4-header",
    /// The IPv4 header has options; the node was sent a parameter problem.
    Ipv4Options "ipv4-options",
    /// The protocol's number stands for an extension header in IPv6, or for ICMPv6.
    ReservedProtocol "reserved-protocol",
    /// The IPv4 header's reserved flag is set.
    ReservedFlag "reserved-flag",
    /// A node sent from a MAC address that is not its port's.
    SpoofedMac "spoofed-mac",
    /// A node sent from a virtual address that is not its port's.
    SpoofedAddress "spoofed-address",
    /// Broadcast and multicast are not carried.
    NotUnicast "not-unicast",
    /// The frame came from an interface that is no port.
    UnknownPort "unknown-port",
    /// An ARP request for an address that nobody in the subnet has, or a malformed one.
    ArpUnanswered "arp-unanswered",
    /// The virtual router answers ping and nothing else.
    NotForRouter "not-for-router",
    /// No rule of the port's security groups allows it.
    SecurityGroup "security-group",
    /// The subnet's access list denies it.
    Acl "acl",
    /// The subnet's route table has no route to the destination.
    NoRoute "no-route",
    /// The route's target is a black hole.
    Blackhole "blackhole",
    /// Nobody in the network has the destination address.
    UnknownDestination "unknown-destination",
    /// The destination address belongs to no port of this host: the sender's mapping is stale.
    NotHere "not-here",
    /// Nobody in the network has the source address.
    UnknownSource "unknown-source",
    /// The sending host does not hold the source address: a forged packet, or a stale mapping here.
    ForgedSource "forged-source",
    /// The source and destination of a substrate packet are of different networks.
    CrossNetwork "cross-network",
    /// A substrate address of a kind that is not in use.
    BadKind "bad-kind",
    /// The hop limit is below the host's minimum: the packet came from further away than the fabric is wide.
    HopLimit "hop-limit",
    /// The IPv6 header is wrong: version or payload length, or an extension header other than Fragment.
    BadIpv6Header "bad-ipv6-header",
    /// A fragment whose first fragment was not seen, was denied, or is too long ago.
    FragmentUnknown "fragment-unknown",
    /// A fragment that overlaps the transport header, or is not a multiple of eight bytes long.
    BadFragment "bad-fragment",
    /// Larger than the virtual MTU; where DF is set the node was told the MTU.
    TooBig "too-big",
    /// The TTL ran out at the virtual router; the node was told.
    TtlExceeded "ttl-exceeded",
    /// The port makes new flows faster than its limit.
    NewFlowRate "new-flow-rate",
    /// The flow table took no new entry.
    FlowTableFull "flow-table-full",
    /// A TCP segment that can start no flow: RST, or SYN with FIN.
    BadTcpFlags "bad-tcp-flags",
    /// An answer to nothing under way: an ICMP error, an echo reply or a SYN+ACK without its flow.
    Unsolicited "unsolicited",
    /// The substrate has no route to the other host.
    HostUnreachable "host-unreachable",
    /// The kernel would not make room for the header.
    NoHeadroom "no-headroom",
    /// The outgoing interface is not there: the agent has not attached it, or it is gone.
    NoDevice "no-device",
}

impl DropReason {
    /// Counters a direction holds: room for every reason, a power of two so that an index is masked.
    pub const COUNTERS: usize = 64;

    /// The reason of the number `number`.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

const _: () = assert!(DropReason::ALL.len() <= DropReason::COUNTERS);

impl core::fmt::Display for DropReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_texts_are_one_to_one() {
        for (number, &reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(reason as usize, number);
            assert_eq!(DropReason::from_number(number as u8), Some(reason));
            assert_eq!(
                DropReason::ALL
                    .iter()
                    .filter(|r| r.name() == reason.name())
                    .count(),
                1
            );
            assert!(reason.explanation().ends_with('.'), "{reason}");
        }
        assert_eq!(DropReason::from_number(63), None);
    }
}
