//! One network on this host: its policies, subnets, mappings and ports.

use std::collections::{BTreeMap, BTreeSet};

use inlay_api::{HostState, Network, Node, Subnet};
use inlay_core::tables::{
    limits::FORWARDERS_MAX,
    records::{NONE, NetworkRecord, Span, SubnetRecord},
};
use inlay_dataplane::labels::{NetworkLabel, PolicyLabel, PortLabel};

use super::{
    CompileError, Compiled,
    classifier::Classifier,
    content::Content,
    groups::GroupSets,
    ids, mappings,
    placement::{PlacedPort, Placement},
    ports, routes,
    rules::Rules,
    slot_plan::{SlotPlan, subnet_key},
    steps::Steps,
};
use crate::status::GroupSet;

/// The networks of `desired` in an order of their own.
pub(super) fn sorted(desired: &HostState) -> Vec<&Network> {
    let mut networks: Vec<_> = desired.networks().iter().collect();
    networks.sort_by_key(|network| network.vni);
    networks
}

/// A network that has a port here, and what surrounds it.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) desired: &'a HostState,
    pub(super) network: &'a Network,
    pub(super) slot: u32,
    pub(super) slots: &'a SlotPlan,
    pub(super) placement: &'a Placement<'a>,
}

impl Scope<'_> {
    /// Adds the network to `compiled`, its epoch and its ports' rings yet to be set.
    pub(super) fn compile(
        &self,
        content: &mut Content,
        compiled: &mut Compiled,
    ) -> Result<(), CompileError> {
        let sets = GroupSets::of(self.network);
        self.subnets(content, compiled)?;
        self.ports(&sets, content, compiled)?;
        self.mappings(&sets, compiled)?;
        let subnets = content.slots(&self.object("network", ""), &self.subnet_steps())?;
        let tag = ids::tag(self.network.vni);
        compiled.image.networks.insert(
            self.slot,
            NetworkRecord {
                tag,
                epoch: 0,
                subnets,
            },
        );
        self.label(&sets, compiled);
        Ok(())
    }

    fn object(&self, kind: &str, name: &str) -> String {
        match name {
            "" => format!("{kind} {}", self.network.full_name()),
            _ => format!("{kind} {name} of network {}", self.network.full_name()),
        }
    }

    /// The network's subnets that have a slot: all of them, by address.
    fn subnet_slots(&self) -> impl Iterator<Item = (&Subnet, u32)> {
        let mut subnets: Vec<_> = self.network.subnets.iter().collect();
        subnets.sort_by_key(|subnet| subnet.cidr);
        subnets.into_iter().filter_map(|subnet| {
            Some((
                subnet,
                *self.slots.subnets.get(&subnet_key(self.network, subnet))?,
            ))
        })
    }

    /// Slots of subnets along the line of addresses.
    fn subnet_steps(&self) -> Steps<u32> {
        let mut steps = Steps::all(NONE);
        for (subnet, slot) in self.subnet_slots() {
            let (first, last) = ids::ends(subnet.cidr);
            steps.set_from(first, slot);
            last.checked_add(1)
                .into_iter()
                .for_each(|after| steps.set_from(after, NONE));
        }
        steps
    }

    fn subnets(&self, content: &mut Content, compiled: &mut Compiled) -> Result<(), CompileError> {
        let (mut acls, mut tables) = (BTreeMap::new(), BTreeMap::new());
        for (subnet, slot) in self.subnet_slots() {
            let acl = match acls.get(&subnet.acl) {
                Some(acl) => *acl,
                None => self.acl(subnet, content, compiled)?,
            };
            acls.insert(subnet.acl, acl);
            let routes = match tables.get(&subnet.route_table) {
                Some(routes) => *routes,
                None => self.routes(subnet, content)?,
            };
            tables.insert(subnet.route_table, routes);
            let record = SubnetRecord {
                tag: ids::tag(self.network.vni),
                network: self.slot,
                virtual_ip: ids::virtual_ip(subnet.cidr.network()),
                mask: ids::mask(subnet.cidr),
                gateway: ids::virtual_ip(subnet.gateway),
                acl,
                routes,
            };
            compiled.image.subnets.insert(slot, record);
            compiled
                .labels
                .subnets
                .insert(slot, subnet.name.to_string());
        }
        Ok(())
    }

    fn routes(&self, subnet: &Subnet, content: &mut Content) -> Result<Span, CompileError> {
        let steps = routes::steps(self.network, self.network.routes(subnet));
        content.routes(
            &self.object("the route table of subnet", subnet.name.as_str()),
            &steps,
        )
    }

    fn acl(
        &self,
        subnet: &Subnet,
        content: &mut Content,
        compiled: &mut Compiled,
    ) -> Result<u32, CompileError> {
        let Some(acl) = self.network.acl_of(subnet) else {
            return Ok(NONE);
        };
        let rules = Rules::of_acl(acl);
        place_policy(
            &self.object("ACL", acl.name.as_str()),
            &rules,
            content,
            compiled,
        )
    }

    fn ports(
        &self,
        sets: &GroupSets<'_>,
        content: &mut Content,
        compiled: &mut Compiled,
    ) -> Result<(), CompileError> {
        let mut policies = BTreeMap::new();
        let tag = ids::tag(self.network.vni);
        for (key, port) in self.placement.ports.iter().filter(|(key, _)| key.0 == tag) {
            let local = port.local;
            let subnet = self
                .slots
                .subnets
                .get(&subnet_key(self.network, local.subnet));
            let (Some(&slot), Some(&subnet)) = (self.slots.ports.get(key), subnet) else {
                continue;
            };
            let groups = group_names(self.network, local.node);
            let policy = match policies.get(&groups) {
                Some(policy) => *policy,
                None => self.port_policy(local.node, sets, content, compiled)?,
            };
            policies.insert(groups, policy);
            let host_prefix = self.desired.host().prefix;
            let context = ports::Context {
                host_prefix,
                network: self.slot,
                subnet,
                policy,
            };
            compiled
                .image
                .ports
                .insert(slot, ports::record(port, &context));
            compiled.labels.ports.insert(slot, port_label(port));
        }
        Ok(())
    }

    fn port_policy(
        &self,
        node: &Node,
        sets: &GroupSets<'_>,
        content: &mut Content,
        compiled: &mut Compiled,
    ) -> Result<u32, CompileError> {
        let rules = Rules::of_groups(self.network, sets, self.network.groups_of(node));
        let names: Vec<String> = group_names(self.network, node).into_iter().collect();
        let object = self.object("security groups", &names.join("+"));
        place_policy(&object, &rules, content, compiled)
    }

    fn mappings(&self, sets: &GroupSets<'_>, compiled: &mut Compiled) -> Result<(), CompileError> {
        let image = &mut compiled.image;
        let mappings = mappings::of_network(self.desired, self.network, sets, self.slots);
        image.mappings.extend(mappings);
        let forwarders = mappings::forwarders(self.desired, self.network, self.slots, self.slot);
        image.forwarders.extend(forwarders);
        if image.forwarders.len() > FORWARDERS_MAX as usize {
            let object = self.object("network", "");
            let what = "hosts whose nodes forward";
            return Err(CompileError::NoRoom {
                object,
                what,
                max: FORWARDERS_MAX,
            });
        }
        Ok(())
    }

    fn label(&self, sets: &GroupSets<'_>, compiled: &mut Compiled) {
        let name = self.network.full_name();
        let label = NetworkLabel {
            name: name.clone(),
            vni: self.network.vni.get(),
        };
        compiled.labels.networks.insert(self.slot, label);
        compiled
            .status
            .group_sets
            .extend(sets.iter().map(|(groups, number)| GroupSet {
                network: name.clone(),
                number,
                groups: groups.iter().map(|&group| group.to_owned()).collect(),
            }));
    }
}

/// The slot of the policy of `rules`, which `object` says it is the owner of.
fn place_policy(
    object: &str,
    rules: &Rules,
    content: &mut Content,
    compiled: &mut Compiled,
) -> Result<u32, CompileError> {
    let slot = content.policy(object, &Classifier::of(&rules.rules))?;
    let label = compiled
        .labels
        .policies
        .entry(slot)
        .or_insert_with(|| PolicyLabel {
            name: String::new(),
            rules: rules.labels.iter().map(ToString::to_string).collect(),
        });
    // Policies that come to the same are one, with the names of all.
    if !label.name.is_empty() {
        label.name.push_str(", ");
    }
    label.name.push_str(object);
    Ok(slot)
}

fn group_names(network: &Network, node: &Node) -> BTreeSet<String> {
    network
        .groups_of(node)
        .map(|group| group.name.to_string())
        .collect()
}

fn port_label(port: &PlacedPort<'_>) -> PortLabel {
    let local = port.local;
    PortLabel {
        name: local.node.name.to_string(),
        network: local.network.full_name(),
        interface: local.port.interface.to_string(),
        degraded: Vec::new(),
    }
}
