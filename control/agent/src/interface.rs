//! What the agent knows of the host's network interfaces.

use std::collections::BTreeMap;

/// An interface of this host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Interface {
    /// Its number, which a re-created interface has anew.
    pub index: u32,
    /// Bytes of the largest packet that it takes.
    pub mtu: u32,
    /// Whether it is up.
    pub is_up: bool,
}

/// The interfaces of this host by name.
pub type Interfaces = BTreeMap<String, Interface>;
