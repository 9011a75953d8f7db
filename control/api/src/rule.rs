//! What traffic may pass: security groups, access control lists, and the rules of both.

use std::fmt;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::Serialize;

use crate::invalid_value::quoted;
use crate::{GroupIndex, InvalidValue, Name};

/// Stateful allow rules of the ports that are in the group. What no rule allows is denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SecurityGroup {
    /// Name of the group, unique in its network.
    pub name: Name,
    /// Who may open flows to a node of the group. The order means nothing.
    pub inbound: Vec<Rule>,
    /// To whom a node of the group may open flows. The order means nothing.
    pub outbound: Vec<Rule>,
}

/// One allow rule of a security group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Rule {
    /// The traffic that is allowed.
    pub traffic: Traffic,
    /// The other end: the source of inbound rules, the destination of outbound ones.
    pub peer: Peer,
    /// For people: at most [`DESCRIPTION_BYTES_MAX`](crate::limits::DESCRIPTION_BYTES_MAX) bytes,
    /// no control characters.
    pub description: Option<String>,
}

/// The other end of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Peer {
    /// Addresses; no bits are set past the prefix.
    Cidr(Ipv4Net),
    /// The nodes of a security group of the same network, by each of their addresses.
    Group(GroupIndex),
}

/// Ordered stateless rules of the subnets that name the list. What no entry matches is denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Acl {
    /// Name of the list, unique in its network.
    pub name: Name,
    /// Entries for packets that enter the subnet, by rising number.
    pub inbound: Vec<AclEntry>,
    /// Entries for packets that leave the subnet, by rising number.
    pub outbound: Vec<AclEntry>,
}

/// One entry of an access control list; the lowest number that matches decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct AclEntry {
    /// Order of the entry, within [`ACL_NUMBERS`](crate::limits::ACL_NUMBERS), unique in its
    /// direction.
    pub number: u16,
    /// What happens to a packet that matches.
    pub action: AclAction,
    /// The traffic that matches.
    pub traffic: Traffic,
    /// The other end: the source of inbound entries, the destination of outbound ones.
    pub peer: Ipv4Net,
}

/// What an access control list does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AclAction {
    /// The packet goes on.
    Allow,
    /// The packet is dropped.
    Deny,
}

/// Traffic by protocol, and by what that protocol has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Traffic {
    /// Every protocol.
    All,
    /// TCP (protocol 6) to these ports.
    Tcp(L4PortRange),
    /// UDP (protocol 17) to these ports.
    Udp(L4PortRange),
    /// ICMP (protocol 1) of these types.
    Icmp(IcmpMatch),
    /// Another protocol, whole.
    Protocol(OtherProtocol),
}

/// Number of an IP protocol that is not ICMP, TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct OtherProtocol(u8);

impl OtherProtocol {
    /// The protocol of this number, or `None` for 1, 6 and 17, which have their own [`Traffic`].
    #[must_use]
    pub const fn new(protocol: u8) -> Option<Self> {
        match protocol {
            1 | 6 | 17 => None,
            _ => Some(Self(protocol)),
        }
    }

    /// The protocol's number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Destination ports of TCP or UDP, both ends included; `first <= last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct L4PortRange {
    first: u16,
    last: u16,
}

impl L4PortRange {
    /// Every port.
    pub const ALL: Self = Self {
        first: 0,
        last: u16::MAX,
    };

    /// The ports from `first` to `last`, both included, in host byte order.
    ///
    /// # Errors
    /// Refuses a range that ends before it begins.
    pub fn new(first: u16, last: u16) -> Result<Self, InvalidValue> {
        if first > last {
            return Err(InvalidValue::L4Ports {
                found: format!("{first}-{last}"),
            });
        }
        Ok(Self { first, last })
    }

    /// The lowest port, in host byte order.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The highest port, in host byte order; it belongs to the range.
    #[must_use]
    pub const fn last(self) -> u16 {
        self.last
    }
}

/// Reads `80` or `80-90`.
impl FromStr for L4PortRange {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || InvalidValue::L4Ports {
            found: quoted(text),
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let first = parse_l4_port(first).ok_or_else(invalid)?;
        let last = parse_l4_port(last).ok_or_else(invalid)?;
        Self::new(first, last)
    }
}

/// Decimal digits only: `u16::from_str` would take a sign as well.
fn parse_l4_port(text: &str) -> Option<u16> {
    let text = text.trim();
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())?
}

impl fmt::Display for L4PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return write!(f, "{}", self.first);
        }
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// ICMP messages (RFC 792).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IcmpMatch {
    /// Every message.
    Any,
    /// Every message of this type.
    Type(u8),
    /// Messages of this type (first) and code (second).
    TypeAndCode(u8, u8),
}
