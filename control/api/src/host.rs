//! Hosts: the one whose state this is, and the others of the substrate.

use serde::Serialize;

use crate::{FlowsMax, HostPrefix, InterfaceName, Name, SubstrateMtu};

/// The host whose state this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LocalHost {
    /// Name of the host, by which nodes say that they are here.
    pub name: Name,
    /// The /64 of the substrate that is this host's.
    pub prefix: HostPrefix,
    /// Interfaces to the substrate: 1 to [`UPLINKS_MAX`](crate::limits::UPLINKS_MAX), each once.
    pub uplinks: Vec<InterfaceName>,
    /// Largest IPv6 packet of the substrate, in bytes.
    pub substrate_mtu: SubstrateMtu,
    /// Least hop limit, within 1..=255, of an inlaid packet that is taken in (RFC 5082's idea).
    pub hop_limit_min: u8,
    /// How the programs are attached.
    pub xdp_mode: XdpMode,
    /// Flows of a port whose node says nothing else.
    pub flows_per_port: FlowsMax,
}

/// How XDP programs are attached to the interfaces of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum XdpMode {
    /// In the driver. An interface whose driver cannot is degraded.
    Native,
    /// In the kernel's generic path: slow, for drivers that have no XDP.
    Generic,
}

/// Another host of the substrate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RemoteHost {
    /// Name of the host, by which nodes say that they are there.
    pub name: Name,
    /// The /64 of the substrate that is that host's.
    pub prefix: HostPrefix,
}
