//! What a node is given: hosts, addresses.

use std::net::Ipv4Addr;
use std::sync::Arc;

use inlay_api::objects::validate::NodeContext;
use inlay_api::objects::{NodeSpec, NodeType, Problem, SubnetSpec};

use crate::keys::{self, Claim};
use crate::store::Entry;

use super::super::draft::Stored;
use super::super::index::{HostUse, Index, NetworkUse, type_place};
use super::super::place::{self, Candidate, Wanted};
use super::super::request::Target;
use super::super::{Cursors, Service, problems};

/// Subnets whose cursor is remembered; beyond that all begin anew. 16 bytes each.
const CURSORS_MAX: usize = 100_000;

/// What there is to be placed, beside what its spec says.
pub(super) struct Placing<'a> {
    pub(super) count: u32,
    /// Addresses of each that are new to the network.
    pub(super) addresses: u64,
    pub(super) host: Option<&'a str>,
    pub(super) not_hosts: &'a [&'a str],
}

impl Service {
    /// A host for each node.
    ///
    /// # Errors
    /// `no-room`, with how many hosts are ruled out by what.
    pub(super) fn place(
        &self,
        target: &Target,
        spec: &NodeSpec,
        subnet: &SubnetSpec,
        placing: &Placing<'_>,
    ) -> Result<Vec<Arc<str>>, Problem> {
        let index = self.index.read();
        let network = index.network(&target.project, &target.network);
        let wanted = Wanted {
            count: placing.count,
            addresses: placing.addresses,
            flows: spec.flows_max.and_then(|flows| u32::try_from(flows).ok()),
            host: placing.host,
            not_hosts: placing.not_hosts,
            locations: [&subnet.location, &spec.placement.location]
                .into_iter()
                .flatten()
                .map(String::as_str)
                .collect(),
            labels: &spec.placement.host_labels,
            network_addresses: network.map_or(0, NetworkUse::addresses),
        };
        let candidates = self.candidates(&index, network, spec.node_type);
        place::place(&wanted, &candidates).map_err(|no_room| problems::no_room(no_room.to_string()))
    }

    fn candidates(
        &self,
        index: &Index,
        network: Option<&NetworkUse>,
        node_type: NodeType,
    ) -> Vec<Candidate> {
        let candidate = |(number, host): (u16, &HostUse)| {
            let facts = host.facts.as_ref()?;
            let network_nodes = network.map_or(0, |network| network.nodes_on(number));
            let own = network.filter(|_| network_nodes > 0);
            let flows_per_port = facts.values.flows_per_port.get();
            Some(Candidate {
                name: host.name.clone(),
                state: self.hosts.host(&host.name).state,
                cordoned: facts.cordoned,
                location: facts.location.clone(),
                labels: facts.labels.clone(),
                capacity: facts.values.capacity.of(node_type),
                nodes_of_type: host.nodes[type_place(node_type)],
                nodes: host.nodes_total(),
                network_nodes,
                other_networks: host.networks - u32::from(own.is_some()),
                other_mappings: host
                    .mappings
                    .saturating_sub(own.map_or(0, NetworkUse::addresses)),
                mappings_max: facts.values.mappings_max.into(),
                flows: host.flows(flows_per_port),
                flows_per_port,
            })
        };
        index.hosts().filter_map(candidate).collect()
    }

    /// `count` free addresses of a subnet.
    ///
    /// # Errors
    /// `no-room` where there are fewer.
    pub(super) fn allocate(
        &self,
        vni: u32,
        subnet: &Stored<SubnetSpec>,
        context: NodeContext,
        count: usize,
        cursors: &Cursors,
    ) -> Result<Vec<Ipv4Addr>, Problem> {
        let NodeContext { cidr, gateway } = context;
        let cursor = cursors.addresses.get(&(vni, cidr.network().to_bits()));
        let cursor = cursor.copied().unwrap_or(0);
        let index = self.index.read();
        let found = index.free_addresses(vni, cidr, gateway, cursor, count);
        if found.len() == count {
            return Ok(found);
        }
        let counts = index.address_counts(vni, cidr);
        let name = &subnet.object.metadata.name;
        let resting = index.resting(vni, cidr);
        let detail = format!(
            "subnet {name} ({cidr}) has {} free addresses, and {count} are needed; {resting} are in quarantine; \
             add a subnet, or delete nodes",
            counts.free
        );
        Err(problems::no_room(detail))
    }

    /// Where the next search begins.
    pub(super) fn advance(
        cursors: &mut Cursors,
        vni: u32,
        context: NodeContext,
        given: &[Ipv4Addr],
    ) {
        let Some(last) = given.last() else {
            return;
        };
        if cursors.addresses.len() >= CURSORS_MAX {
            cursors.addresses.clear();
        }
        let subnet = (vni, context.cidr.network().to_bits());
        cursors
            .addresses
            .insert(subnet, last.to_bits().saturating_add(1));
    }

    /// The claim on an address that a client asks for, if it is there and can be taken.
    ///
    /// # Errors
    /// `conflict`, where a node has it or it is in quarantine.
    pub(super) async fn claimable(
        &self,
        vni: u32,
        address: Ipv4Addr,
        field: &str,
    ) -> Result<Option<Entry>, Problem> {
        let key = keys::address_claim(vni, address);
        let Some(entry) = self.store.get(&key).await.map_err(problems::of_store)? else {
            return Ok(None);
        };
        let claim: Claim = serde_json::from_slice(&entry.value).unwrap_or_default();
        let Some(since) = claim.released_s else {
            let message = format!(
                "{address} is an address of node {} already; choose another",
                claim.node
            );
            return Err(problems::conflict_field(field, message));
        };
        let rest = since + i64::from(self.settings.quarantine_s) - self.now().as_second();
        if rest > 0 {
            let message = format!(
                "{address} was another node's, and rests for {rest} seconds more until every host has forgotten \
                 that; choose another, or wait"
            );
            return Err(problems::conflict_field(field, message));
        }
        Ok(Some(entry))
    }
}
