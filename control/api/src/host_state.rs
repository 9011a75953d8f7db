//! The desired state of one host, validated.

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::problem::Problems;
use crate::raw::RawState;
use crate::{
    HostIndex, HostPrefix, LocalHost, Network, Node, Place, Port, Refusal, RemoteHost, Subnet, Vni,
    validate,
};

/// All that one host's dataplane must hold. Two equal states need equal maps.
///
/// It is made by [`HostState::from_raw`], [`read_yaml`](crate::read_yaml) and
/// [`read_file`](crate::read_file) only, and cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostState {
    pub(crate) host: LocalHost,
    pub(crate) hosts: Vec<RemoteHost>,
    pub(crate) networks: Vec<Network>,
}

/// Where a virtual address is: the substrate prefix that packets for it go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Mapping {
    /// The network of the address.
    pub vni: Vni,
    /// The address in that network.
    pub virtual_address: Ipv4Addr,
    /// The /64 of the host that has its node.
    pub prefix: HostPrefix,
}

/// A node of this host, or one that is about to move here, with what surrounds it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct LocalPort<'a> {
    /// The network that the port joins.
    pub network: &'a Network,
    /// The subnet that the node's addresses are in.
    pub subnet: &'a Subnet,
    /// The node behind the port.
    pub node: &'a Node,
    /// The port itself.
    pub port: &'a Port,
}

impl HostState {
    /// The state that `raw` describes, if it is right in everything.
    ///
    /// # Errors
    /// A refusal that lists every problem found; its problems have paths and no lines.
    pub fn from_raw(raw: &RawState) -> Result<Self, Refusal> {
        let mut problems = Problems::default();
        match validate::validate(raw, &mut problems) {
            Some(state) if problems.is_empty() => Ok(state),
            _ => Err(problems.into_refusal()),
        }
    }

    /// The host whose state this is.
    #[must_use]
    pub fn host(&self) -> &LocalHost {
        &self.host
    }

    /// The other hosts, in the order written.
    #[must_use]
    pub fn hosts(&self) -> &[RemoteHost] {
        &self.hosts
    }

    /// The networks, in the order written.
    #[must_use]
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// The other host at `index`, which came from this state.
    ///
    /// # Panics
    /// If `index` came from another state that has more hosts.
    #[must_use]
    pub fn remote_host(&self, index: HostIndex) -> &RemoteHost {
        &self.hosts[index.get()]
    }

    /// Whether `node` is on this host.
    #[must_use]
    pub fn is_local(&self, node: &Node) -> bool {
        matches!(node.place, Place::Local(_))
    }

    /// The /64 of the host that has `node`.
    #[must_use]
    pub fn prefix_of(&self, node: &Node) -> HostPrefix {
        match node.place {
            Place::Local(_) => self.host.prefix,
            Place::Remote(index) => self.remote_host(index).prefix,
        }
    }

    /// Every address of every node, local ones included, with the host it is on. At most
    /// [`MAPPINGS_MAX`](crate::limits::MAPPINGS_MAX); a pair of network and address is there once.
    pub fn mappings(&self) -> impl Iterator<Item = Mapping> {
        self.networks.iter().flat_map(move |network| {
            network.nodes.iter().flat_map(move |node| {
                let prefix = self.prefix_of(node);
                node.addresses()
                    .iter()
                    .map(move |&virtual_address| Mapping {
                        vni: network.vni,
                        virtual_address,
                        prefix,
                    })
            })
        })
    }

    /// The ports on this host, those of nodes that are about to move here included, at most [`LOCAL_PORTS_MAX`](crate::limits::LOCAL_PORTS_MAX).
    pub fn local_ports(&self) -> impl Iterator<Item = LocalPort<'_>> {
        self.networks.iter().flat_map(|network| {
            network.nodes.iter().filter_map(move |node| {
                Some(LocalPort {
                    network,
                    subnet: network.subnet(node.subnet),
                    node,
                    port: node.local_port()?,
                })
            })
        })
    }
}
