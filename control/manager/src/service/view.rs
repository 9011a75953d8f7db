//! Objects as clients see them: what is stored, and what is known of it at this moment.

use std::collections::HashMap;

use inlay_api::objects::{
    AclSpec, HostCondition, HostSpec, HostStatus, Kind, NetworkSpec, Node, NodeSpec, NodeState,
    ObjectKind, ObjectOf, PeeringSpec, Port, PortSpec, PortStatus, Problem, ProjectSpec,
    RouteTableSpec, SecurityGroupSpec, SubnetSpec, TokenSpec, Usage,
};
use jiff::Timestamp;
use serde_json::Value;

use crate::hosts::HostView;
use crate::keys;
use crate::store::{Entry, Revision};

use super::draft::rfc3339;
use super::index::{HostUse, NetworkUse};
use super::mutate::unwritable;
use super::{Service, load, problems};

/// Hosts that are told as not having a node yet.
const LAGGING_TOLD_MAX: usize = 5;

/// Looks at objects for one answer: what it has asked of a host or a network once, it does not ask again.
pub(super) struct View<'a> {
    service: &'a Service,
    /// Whether there is one object, worth a closer look.
    closely: bool,
    held: HashMap<u32, Revision>,
    hosts: HashMap<String, HostView>,
}

impl<'a> View<'a> {
    pub(super) fn new(service: &'a Service, closely: bool) -> Self {
        Self {
            service,
            closely,
            held: HashMap::new(),
            hosts: HashMap::new(),
        }
    }

    /// The object of an entry.
    pub(super) fn object(&mut self, entry: &Entry) -> Result<Value, Problem> {
        let unknown = || problems::unavailable("what is stored is of no known kind");
        let (kind, _) = keys::parse_object(&entry.key).ok_or_else(unknown)?;
        match kind {
            Kind::Project => self.with::<ProjectSpec>(entry, Self::project),
            Kind::Host => self.with::<HostSpec>(entry, Self::host),
            Kind::Token => self.with::<TokenSpec>(entry, |_, _| {}),
            Kind::Network => self.with::<NetworkSpec>(entry, Self::network),
            Kind::Peering => self.with::<PeeringSpec>(entry, |_, _| {}),
            Kind::Subnet => self.with::<SubnetSpec>(entry, Self::subnet),
            Kind::Node => self.with::<NodeSpec>(entry, Self::node),
            Kind::SecurityGroup => self.with::<SecurityGroupSpec>(entry, Self::security_group),
            Kind::Acl => self.with::<AclSpec>(entry, Self::acl),
            Kind::RouteTable => self.with::<RouteTableSpec>(entry, Self::route_table),
            Kind::Port => Err(unknown()),
        }
    }

    fn with<S: ObjectKind>(
        &mut self,
        entry: &Entry,
        add: impl FnOnce(&mut Self, &mut ObjectOf<S>),
    ) -> Result<Value, Problem> {
        let mut object = load::decode::<S>(entry.clone())?.object;
        object.metadata.revision = entry.modified;
        add(self, &mut object);
        serde_json::to_value(object).map_err(unwritable)
    }

    /// The port of a stored node.
    pub(super) fn port(&mut self, entry: &Entry) -> Result<Value, Problem> {
        let mut node = load::decode::<NodeSpec>(entry.clone())?.object;
        node.metadata.revision = entry.modified;
        let degraded = self.degraded(&node);
        let name = node.metadata.name.clone();
        let groups = node.spec.security_groups;
        let port = Port {
            kind: Some(Kind::Port.name().to_owned()),
            metadata: node.metadata,
            spec: PortSpec {
                node: name,
                subnet: node.spec.subnet,
                security_groups: groups.unwrap_or_else(|| vec!["default".to_owned()]),
                forwarding: node.spec.forwarding,
            },
            status: PortStatus {
                host: node.status.host,
                interface: node.status.interface,
                addresses: node.status.addresses,
                mac: node.status.mac,
                degraded,
            },
        };
        serde_json::to_value(port).map_err(unwritable)
    }

    fn project(&mut self, project: &mut ObjectOf<ProjectSpec>) {
        let index = self.service.index.read();
        let mut usage = Usage::default();
        for (_, network) in index.networks_of(&project.metadata.name) {
            usage.networks += 1;
            usage.nodes += network.nodes();
        }
        project.status.usage = usage;
    }

    fn host(&mut self, host: &mut ObjectOf<HostSpec>) {
        let name = &host.metadata.name;
        let index = self.service.index.read();
        let nodes = index.host(name).map_or(0, HostUse::nodes_total);
        let view = self.service.hosts.host(name);
        let time = |ms: i64| {
            Timestamp::from_millisecond(ms)
                .map(rfc3339)
                .unwrap_or_default()
        };
        host.status = HostStatus {
            state: view.state,
            nodes: nodes.into(),
            agent_version: view.agent_version,
            seen_at: view.seen_ms.map(time).unwrap_or_default(),
            desired_revision: view.desired_revision,
            applied_revision: view.applied_revision,
            lag_ms: view.lag_ms,
            degraded: view.degraded,
            clock_skew_ms: view.clock_skew_ms,
            certificate_ends_at: view
                .certificate_ends_s
                .map(|ends| time(ends.saturating_mul(1_000)))
                .unwrap_or_default(),
        };
    }

    fn network(&mut self, network: &mut ObjectOf<NetworkSpec>) {
        let index = self.service.index.read();
        let metadata = &network.metadata;
        if let Some(known) = index.network(&metadata.project, &metadata.name) {
            network.status.nodes = known.nodes();
            network.status.hosts = known.hosts();
        }
    }

    fn subnet(&mut self, subnet: &mut ObjectOf<SubnetSpec>) {
        let index = self.service.index.read();
        let metadata = &subnet.metadata;
        let network = index.network(&metadata.project, &metadata.network);
        if let (Some(network), Ok(cidr)) = (network, subnet.spec.cidr.parse()) {
            let counts = index.address_counts(network.vni, cidr);
            subnet.status.addresses_used = counts.used;
            subnet.status.addresses_free = counts.free;
        }
    }

    fn security_group(&mut self, group: &mut ObjectOf<SecurityGroupSpec>) {
        let index = self.service.index.read();
        let metadata = &group.metadata;
        let network = index.network(&metadata.project, &metadata.network);
        let nodes = network.map_or(0, |network| network.nodes_of_group(&metadata.name));
        group.status.nodes = nodes.into();
    }

    fn acl(&mut self, acl: &mut ObjectOf<AclSpec>) {
        let index = self.service.index.read();
        let metadata = &acl.metadata;
        let network = index.network(&metadata.project, &metadata.network);
        acl.status.subnets = network.map_or(0, |network| network.subnets_of_acl(&metadata.name));
    }

    fn route_table(&mut self, table: &mut ObjectOf<RouteTableSpec>) {
        let index = self.service.index.read();
        let metadata = &table.metadata;
        let network = index.network(&metadata.project, &metadata.network);
        table.status.subnets =
            network.map_or(0, |network| network.subnets_of_table(&metadata.name));
    }

    fn node(&mut self, node: &mut Node) {
        let index = self.service.index.read();
        let metadata = &node.metadata;
        let network = index.network(&metadata.project, &metadata.network);
        let vni = network.map_or(0, |network: &NetworkUse| network.vni);
        drop(index);
        let (state, reason) = self.node_state(node, vni);
        node.status.state = state;
        node.status.reason = reason;
    }

    fn node_state(&mut self, node: &Node, vni: u32) -> (NodeState, String) {
        let status = &node.status;
        let host = self.view_of(&status.host).clone();
        if host.state == HostCondition::Unreachable {
            let reason = format!(
                "host {} is not connected; it goes on with what it has; see inlay host show {0}",
                status.host
            );
            return (NodeState::Unreachable, reason);
        }
        if !status.next_host.is_empty() {
            let reason = format!(
                "it moves from host {} to host {}",
                status.host, status.next_host
            );
            return (NodeState::Moving, reason);
        }
        if !status.former_host.is_empty() {
            let reason = format!(
                "it is on host {}, which some hosts do not know yet",
                status.host
            );
            return (NodeState::Moving, reason);
        }
        let degraded = self.degraded(node);
        if !degraded.is_empty() {
            return (NodeState::Degraded, degraded.join("; "));
        }
        let wanted = node.metadata.revision;
        let service = self.service;
        let held = *self
            .held
            .entry(vni)
            .or_insert_with(|| service.hosts.held(vni));
        if host.state == HostCondition::Ready && !host.lacks(wanted) && held >= wanted {
            return (NodeState::Ready, String::new());
        }
        (NodeState::Pending, self.why_pending(&host, node, vni))
    }

    fn why_pending(&mut self, host: &HostView, node: &Node, vni: u32) -> String {
        let name = &node.status.host;
        if host.state == HostCondition::Expected {
            return format!("host {name} has not joined; make it join: inlay host token {name}");
        }
        if !self.closely {
            return "not every host that has to know it does".to_owned();
        }
        let wanted = node.metadata.revision;
        let subscribers = self.service.hosts.subscribers(vni);
        let lags = |host: &str| self.service.hosts.host(host).lacks(wanted);
        let lagging = subscribers.iter().filter(|host| lags(host));
        let lagging: Vec<&str> = lagging.take(LAGGING_TOLD_MAX).map(AsRef::as_ref).collect();
        format!(
            "these hosts have not applied revision {wanted}: {}",
            lagging.join(", ")
        )
    }

    fn view_of(&mut self, host: &str) -> &HostView {
        if !self.hosts.contains_key(host) {
            let view = self.service.hosts.host(host);
            self.hosts.insert(host.to_owned(), view);
        }
        self.hosts.entry(host.to_owned()).or_default()
    }

    fn degraded(&self, node: &Node) -> Vec<String> {
        let metadata = &node.metadata;
        let network = format!("{}/{}", metadata.project, metadata.network);
        let hosts = &self.service.hosts;
        hosts.degraded(&node.status.host, &network, &metadata.name)
    }
}
