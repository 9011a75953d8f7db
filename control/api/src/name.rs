//! Names: of the things in a state, and of network interfaces.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::InvalidValue;
use crate::invalid_value::quoted;

/// Name of a host, network, subnet, route table, security group, access control list or node.
///
/// 1 to 63 of `a-z`, `0-9` and `-`, with no `-` at either end (a DNS label in lower case). It is
/// unique among the things of its kind: hosts and networks in a state, the others in a network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// Longest name, in bytes.
    pub const LEN_BYTES_MAX: usize = 63;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let length_ok = (1..=Self::LEN_BYTES_MAX).contains(&text.len());
        let bytes_ok = text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        let ends_ok = !text.starts_with('-') && !text.ends_with('-');
        if length_ok && bytes_ok && ends_ok {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidValue::Name {
            found: quoted(text),
        })
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Name of a network interface of a host, as Linux allows it.
///
/// 1 to 15 visible ASCII characters other than `/` and `:`, and not `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct InterfaceName(String);

impl InterfaceName {
    /// Longest name, in bytes: `IFNAMSIZ` less its terminating zero.
    pub const LEN_BYTES_MAX: usize = 15;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InterfaceName {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let length_ok = (1..=Self::LEN_BYTES_MAX).contains(&text.len());
        let bytes_ok = text
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'/' && b != b':');
        if length_ok && bytes_ok && text != "." && text != ".." {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidValue::InterfaceName {
            found: quoted(text),
        })
    }
}

impl Borrow<str> for InterfaceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
