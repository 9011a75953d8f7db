//! The /64 of the substrate that a host owns.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use ipnet::Ipv6Net;
use serde::Serialize;

use crate::InvalidValue;
use crate::invalid_value::quoted;

/// A host's /64 of the substrate: 64 bits of prefix, 64 of zero. Unicast, not link-local.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct HostPrefix(Ipv6Net);

impl HostPrefix {
    /// Length of every host prefix, in bits.
    pub const LEN_BITS: u8 = 64;

    /// The host that owns `prefix`.
    ///
    /// # Errors
    /// Refuses another length than 64, bits set past the prefix, and what is not unicast.
    pub fn new(prefix: Ipv6Net) -> Result<Self, InvalidValue> {
        if prefix.prefix_len() != Self::LEN_BITS {
            return Err(InvalidValue::HostPrefixForm {
                found: prefix.to_string(),
            });
        }
        let meant = prefix.trunc();
        if prefix != meant {
            return Err(InvalidValue::HostPrefixBits {
                found: prefix,
                meant,
            });
        }
        let first = prefix.network();
        let scoped = first.is_multicast() || first.is_unicast_link_local();
        if scoped || first.is_unspecified() {
            return Err(InvalidValue::HostPrefixScope { found: prefix });
        }
        Ok(Self(prefix))
    }

    /// The first address of the prefix; its last 64 bits are zero.
    #[must_use]
    pub fn network(self) -> Ipv6Addr {
        self.0.network()
    }

    /// The first 8 bytes of every address of the prefix, in network byte order.
    #[must_use]
    pub fn octets(self) -> [u8; 8] {
        let network = self.network().to_bits() >> (128 - u32::from(Self::LEN_BITS));
        // 64 bits are left, so nothing is lost.
        u64::try_from(network).unwrap_or_default().to_be_bytes()
    }
}

impl FromStr for HostPrefix {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let prefix = text
            .parse::<Ipv6Net>()
            .map_err(|_| InvalidValue::HostPrefixForm {
                found: quoted(text),
            })?;
        Self::new(prefix)
    }
}

impl From<HostPrefix> for Ipv6Net {
    fn from(prefix: HostPrefix) -> Self {
        prefix.0
    }
}

impl fmt::Display for HostPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
