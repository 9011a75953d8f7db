//! The link address of a node.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::InvalidValue;
use crate::invalid_value::quoted;

/// Link address of one node: 6 bytes in wire order, not zero, not a group address.
///
/// Text is six pairs of hex digits with `:` between; JSON holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress([u8; 6]);

impl MacAddress {
    /// The address of these bytes, in wire order.
    ///
    /// # Errors
    /// Refuses zero, and addresses with the group bit (broadcast is one).
    pub fn new(octets: [u8; 6]) -> Result<Self, InvalidValue> {
        let address = Self(octets);
        if octets == [0; 6] || octets[0] & 1 == 1 {
            return Err(InvalidValue::MacScope {
                found: address.to_string(),
            });
        }
        Ok(address)
    }

    /// The bytes, in wire order.
    #[must_use]
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for MacAddress {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let octets = parse_octets(text).ok_or_else(|| InvalidValue::MacForm {
            found: quoted(text),
        })?;
        Self::new(octets)
    }
}

fn parse_octets(text: &str) -> Option<[u8; 6]> {
    let mut octets = [0; 6];
    let mut pairs = text.split(':');
    for octet in &mut octets {
        let pair = pairs.next()?;
        let is_pair = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
        *octet = u8::from_str_radix(pair, 16).ok().filter(|_| is_pair)?;
    }
    pairs.next().is_none().then_some(octets)
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|octet| write!(f, ":{octet:02x}"))
    }
}

impl Serialize for MacAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
