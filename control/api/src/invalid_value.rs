//! Why a single value is refused, and what to write instead.
//!
//! The constructors of this crate's types return it. Problems that need more than one value to be
//! seen (overlaps, duplicates, references) are found by validation.

use ipnet::{Ipv4Net, Ipv6Net};

use crate::Name;

/// A value outside what its type allows. Each text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidValue {
    /// Not a [`Name`](crate::Name).
    #[error("{found} is not a name; use 1 to 63 of a-z, 0-9 and -, with no - at either end")]
    Name {
        /// What was given, quoted.
        found: String,
    },
    /// Not an [`InterfaceName`](crate::InterfaceName).
    #[error(
        "{found} is not an interface name; use 1 to 15 visible ASCII characters other than / and :"
    )]
    InterfaceName {
        /// What was given, quoted.
        found: String,
    },
    /// A number outside its range.
    #[error("{what} {found} is outside {min}..={max}; choose one inside")]
    OutOfRange {
        /// What the number is.
        what: &'static str,
        /// What was given.
        found: u64,
        /// The least that is allowed.
        min: u64,
        /// The most that is allowed.
        max: u64,
    },
    /// A number of flows that is no power of two.
    #[error("{found} flows are not a power of two; choose {meant}")]
    FlowsMax {
        /// What was given.
        found: u64,
        /// The next power of two in the range.
        meant: u64,
    },
    /// Not an IPv6 prefix of 64 bits.
    #[error("{found} is not an IPv6 prefix of 64 bits; write one like 2001:db8:0:1::/64")]
    HostPrefixForm {
        /// What was given, quoted.
        found: String,
    },
    /// A prefix whose last 64 bits are not zero.
    #[error("{found} has bits set past its first 64; write {meant}")]
    HostPrefixBits {
        /// What was given.
        found: Ipv6Net,
        /// The same with those bits zero.
        meant: Ipv6Net,
    },
    /// A prefix that no host can own.
    #[error(
        "{found} is unspecified, loopback, link-local or multicast; \
         use a /64 that the fabric routes to the host"
    )]
    HostPrefixScope {
        /// What was given.
        found: Ipv6Net,
    },
    /// Not a MAC address.
    #[error(
        "{found} is not a MAC address; write six pairs of hex digits, like \"02:00:00:00:00:01\""
    )]
    MacForm {
        /// What was given, quoted.
        found: String,
    },
    /// A MAC address that no single node can have.
    #[error(
        "{found} is zero or a group address; use one whose first byte is even, like \"02:00:00:00:00:01\""
    )]
    MacScope {
        /// What was given.
        found: String,
    },
    /// Not an IPv4 address.
    #[error("{found} is not an IPv4 address; write one like 10.0.1.10")]
    Address {
        /// What was given, quoted.
        found: String,
    },
    /// Not an IPv4 CIDR.
    #[error("{found} is not an IPv4 CIDR; write one like 10.0.1.0/24")]
    CidrForm {
        /// What was given, quoted.
        found: String,
    },
    /// An IPv4 address without its prefix length.
    #[error("{found} has no prefix length; write {found}/32 for this one address")]
    CidrLength {
        /// What was given.
        found: std::net::Ipv4Addr,
    },
    /// A CIDR with bits set after its prefix.
    #[error("{found} has bits set past its prefix; write {meant}")]
    CidrBits {
        /// What was given.
        found: Ipv4Net,
        /// The same with those bits zero.
        meant: Ipv4Net,
    },
    /// Not a range of transport ports.
    #[error("{found} is not a port or a range of ports; write 80 or 80-90, within 0-65535")]
    L4Ports {
        /// What was given, quoted.
        found: String,
    },
    /// Not a protocol.
    #[error("{found} is not a protocol; use all, tcp, udp, icmp or a number within 0..=255")]
    Protocol {
        /// What was given, quoted.
        found: String,
    },
}

/// `text`, cut where it is long.
pub(crate) fn shortened(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 64;
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// `text` as it is shown in a message: quoted, escaped, and cut where it is long.
pub(crate) fn quoted(text: &str) -> String {
    format!("{:?}", shortened(text))
}

/// `name` as it is shown in a message: as it is, or quoted where it is not a [`Name`].
pub(crate) fn shown(name: &str) -> String {
    name.parse::<Name>()
        .map_or_else(|_| quoted(name), |name| name.to_string())
}

/// `found` if it lies within `range`.
pub(crate) fn in_range(
    what: &'static str,
    found: u64,
    range: &std::ops::RangeInclusive<u64>,
) -> Result<u64, InvalidValue> {
    if range.contains(&found) {
        return Ok(found);
    }
    Err(InvalidValue::OutOfRange {
        what,
        found,
        min: *range.start(),
        max: *range.end(),
    })
}
