//! Why a port or uplink does not work as it should: it lacks a condition of XDP that nobody else reports.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{
    Error, Mode, netlink,
    offload::{self, Feature, OtherEnd},
};

/// A condition that an interface does not meet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Degraded {
    /// The interface is not there.
    Missing,
    /// The interface is down.
    Down,
    /// No program is attached.
    NotAttached,
    /// The program runs in the kernel's generic path.
    GenericMode,
    /// The interface's MTU is below what packets need.
    Mtu {
        /// What it is.
        mtu: u32,
        /// What it must be.
        mtu_min: u32,
    },
    /// The other end of the veth has neither GRO nor an XDP program: what is sent to it is lost.
    PeerWithoutGro {
        /// The other end's name.
        peer: String,
    },
    /// The other end of the veth leaves checksums to be filled in, which nobody does: TCP does not connect.
    PeerWithTransmitChecksum {
        /// The other end's name.
        peer: String,
    },
    /// The other end is in a network namespace that was not found.
    PeerUnknown,
    /// The kernel was asked, and did not tell.
    Unknown {
        /// What was asked.
        what: String,
    },
}

impl fmt::Display for Degraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("its interface is not there"),
            Self::Down => f.write_str("its interface is down: type `ip link set NAME up`"),
            Self::NotAttached => f.write_str("no program is attached to its interface"),
            Self::GenericMode => {
                f.write_str("its program runs in generic mode, which is slow: ask for native")
            }
            Self::Mtu { mtu, mtu_min } => {
                write!(f, "the MTU of its interface is {mtu}, below {mtu_min}: what is larger is lost")
            }
            Self::PeerWithoutGro { peer } => write!(
                f,
                "{peer}, the other end, has no GRO, and loses what is sent to it: type `ethtool -K {peer} gro on` there"
            ),
            Self::PeerWithTransmitChecksum { peer } => write!(
                f,
                "{peer}, the other end, leaves out checksums, and TCP does not connect: type `ethtool -K {peer} tx off` there"
            ),
            Self::PeerUnknown => f.write_str(
                "its other end is in a network namespace that was not found: GRO must be on there, and tx off",
            ),
            Self::Unknown { what } => f.write_str(what),
        }
    }
}

impl Serialize for Degraded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Bytes that a packet grows by at most on the substrate.
const GROWTH_MAX: u32 = 28;

/// What is wrong with a port's interface, which is to carry packets of `virtual_mtu` bytes.
#[must_use]
pub fn port(interface_index: u32, virtual_mtu: u32) -> Vec<Degraded> {
    check(interface_index, virtual_mtu, |end, found| {
        if let OtherEnd::Peer(peer) = end {
            match peer.get(Feature::TransmitChecksum) {
                Ok(false) => {}
                Ok(true) => found.push(Degraded::PeerWithTransmitChecksum {
                    peer: peer.interface.name.clone(),
                }),
                Err(error) => found.push(unknown(&error)),
            }
        }
    })
}

/// What is wrong with an uplink, which is to carry packets of `virtual_mtu` bytes and their growth.
#[must_use]
pub fn uplink(interface_index: u32, virtual_mtu: u32) -> Vec<Degraded> {
    check(interface_index, virtual_mtu + GROWTH_MAX, |_, _| {})
}

fn check(
    interface_index: u32,
    mtu_min: u32,
    further: impl Fn(&OtherEnd, &mut Vec<Degraded>),
) -> Vec<Degraded> {
    let Ok(interface) = netlink::interface(interface_index) else {
        return vec![Degraded::Missing];
    };
    let mut found = Vec::new();
    if !interface.is_up {
        found.push(Degraded::Down);
    }
    match interface.mode() {
        Some(Mode::Native) => {}
        Some(Mode::Generic) => found.push(Degraded::GenericMode),
        None => found.push(Degraded::NotAttached),
    }
    if interface.mtu < mtu_min {
        found.push(Degraded::Mtu {
            mtu: interface.mtu,
            mtu_min,
        });
    }
    match offload::other_end(interface_index) {
        Ok(end) => {
            redirects(&end, &mut found);
            further(&end, &mut found);
        }
        Err(error) => found.push(unknown(&error)),
    }
    found
}

fn redirects(end: &OtherEnd, found: &mut Vec<Degraded>) {
    match (offload::redirects(end), end) {
        (Some(true), _) => {}
        (Some(false), OtherEnd::Peer(peer)) => {
            found.push(Degraded::PeerWithoutGro {
                peer: peer.interface.name.clone(),
            });
        }
        (Some(false) | None, _) => found.push(Degraded::PeerUnknown),
    }
}

fn unknown(error: &Error) -> Degraded {
    Degraded::Unknown {
        what: error.to_string(),
    }
}
