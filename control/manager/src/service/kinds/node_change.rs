//! Changing, moving and deleting nodes.
//!
//! A move sets `status.next_host`, and the rest follows: once that host holds the node, it is its host. Whoever asks
//! again in between changes where it goes; asking for the host that it is on ends the move.

use inlay_api::limits::FLOWS_MAX;
use inlay_api::objects::validate::FieldProblems;
use inlay_api::objects::{
    AuditAction, Kind, MoveRequest, NodeSpec, NodeStatus, NodeType, Problem, SubnetSpec,
};
use serde_json::Value;

use crate::keys;

use super::super::draft::{Decision, Draft, Stored, rfc3339};
use super::super::request::{Mutation, Target};
use super::super::{Service, body, load, problems};
use super::node_allocate::Placing;
use super::replacement;

impl Service {
    pub(super) async fn replace_node(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let within = self.in_network(target).await?;
        let before = self.changing::<NodeSpec>(mutation).await?;
        let (mut body, mut problems) = replacement::<NodeSpec>(mutation, value)?;
        let (old, mut status) = (&before.object.spec, before.object.status.clone());
        self.check_node(target, &body.spec, &mut problems).await?;
        refuse_immutable(old, &mut body.spec, &status, &mut problems);
        body::finish(problems)?;
        if old.forwarding && !body.spec.forwarding {
            self.refuse_routed(target, |tables| {
                problems::conflict_field(
                    "spec.forwarding",
                    format!("{tables} lead to it; change them first"),
                )
            })
            .await?;
        }
        self.refuse_many_flows(&status, old.flows_max, body.spec.flows_max)?;
        let mut draft = Draft::default();
        if body.spec.placement.host != old.placement.host
            && let Some(host) = body.spec.placement.host.clone()
        {
            self.redirect(target, &body.spec, &mut status, Some(&host))
                .await?;
            draft.hosts.insert(host.into());
        }
        self.add_subscribers(within.network.object.status.vni, &mut draft);
        self.replaced(
            mutation,
            before,
            body.metadata.labels,
            body.spec,
            status,
            draft,
        )
    }

    pub(in crate::service) async fn move_node(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let before = self.changing::<NodeSpec>(mutation).await?;
        let within = self.in_network(target).await?;
        let request: MoveRequest = body::parse(value)?;
        let host = request.host.as_deref();
        if let Some(host) = host {
            let mut problems = FieldProblems::default();
            self.check_host(host, "host", &mut problems).await?;
            body::finish(problems)?;
        }
        let mut object = before.object.clone();
        self.redirect(target, &before.object.spec, &mut object.status, host)
            .await?;
        if object.status == before.object.status {
            return Ok(Decision::unchanged(target, before.entry));
        }
        let next = destination(&object.status).to_owned();
        // What was asked for in the spec stays true.
        if object.spec.placement.host.is_some() {
            object.spec.placement.host = Some(next.clone());
        }
        object.metadata.updated_at = rfc3339(self.now());
        let detail = format!("from host {} to host {next}", before.object.status.host);
        let mut draft = Draft::default();
        let put = draft.update(&before, &object, detail.clone())?;
        self.add_subscribers(within.network.object.status.vni, &mut draft);
        draft.hosts.insert(next.into());
        Ok(Decision {
            detail,
            ..Decision::of(target, draft, AuditAction::Updated, put)
        })
    }

    /// Sends a node to `host`, or to another one that fits.
    async fn redirect(
        &self,
        target: &Target,
        spec: &NodeSpec,
        status: &mut NodeStatus,
        host: Option<&str>,
    ) -> Result<(), Problem> {
        if host == Some(&status.host) {
            status.next_host.clear();
            return Ok(());
        }
        if host.is_some_and(|host| host == status.next_host) {
            return Ok(());
        }
        if spec.node_type == NodeType::Device {
            let detail = "a device is behind an interface of its host and cannot be moved; \
                          delete it, and make it where it is";
            return Err(problems::conflict(detail));
        }
        let store = self.store.as_ref();
        let subnet =
            load::find::<SubnetSpec>(store, &target.project, &target.network, &spec.subnet);
        let subnet = subnet.await?;
        let subnet = subnet.ok_or_else(|| problems::not_found(Kind::Subnet, &spec.subnet))?;
        let here = [status.host.as_str(), status.next_host.as_str()];
        let placing = Placing {
            count: 1,
            addresses: 0,
            host,
            not_hosts: &here,
        };
        let chosen = self.place(target, spec, &subnet.object.spec, &placing)?;
        if let Some(chosen) = chosen.first() {
            status.next_host = chosen.to_string();
        }
        Ok(())
    }

    pub(super) async fn delete_node(&self, mutation: &Mutation) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let within = self.in_network(target).await?;
        let stored = self.changing::<NodeSpec>(mutation).await?;
        self.refuse_routed(target, |tables| {
            problems::in_use(Kind::Node, &target.name, &tables)
        })
        .await?;
        let vni = within.network.object.status.vni;
        let mut draft = Draft::default();
        let object = draft.delete(&stored);
        self.give_up(vni, &stored, &mut draft)?;
        self.add_subscribers(vni, &mut draft);
        Ok(Decision::of(target, draft, AuditAction::Deleted, object))
    }

    /// Gives up what a node has.
    fn give_up(&self, vni: u32, node: &Stored<NodeSpec>, draft: &mut Draft) -> Result<(), Problem> {
        let (spec, status) = (&node.object.spec, &node.object.status);
        let addresses = status.addresses.iter().filter_map(|text| text.parse().ok());
        for address in addresses {
            let key = keys::address_claim(vni, address);
            draft.release(key, &node.object.metadata.uid, self.now())?;
        }
        let mac = spec.mac.as_ref().and_then(|mac| mac.parse().ok());
        if let Some(mac) = mac.map(inlay_api::MacAddress::octets) {
            draft.unclaim(keys::mac_claim(vni, mac));
        }
        if let Some(interface) = &spec.interface {
            draft.unclaim(keys::interface_claim(&status.host, interface));
        }
        Ok(())
    }

    /// Refuses where routes lead to the node.
    async fn refuse_routed(
        &self,
        node: &Target,
        problem: impl FnOnce(String) -> Problem,
    ) -> Result<(), Problem> {
        let tables = self.tables_to(node).await?;
        if tables.is_empty() {
            return Ok(());
        }
        Err(problem(load::told("route tables", &tables, 0)))
    }

    /// Refuses a number of flows that a host of the node has not left.
    fn refuse_many_flows(
        &self,
        status: &NodeStatus,
        old: Option<u64>,
        new: Option<u64>,
    ) -> Result<(), Problem> {
        if old == new {
            return Ok(());
        }
        let index = self.index.read();
        for name in [&status.host, &status.next_host] {
            let Some((host, facts)) = index
                .host(name)
                .and_then(|it| Some((it, it.facts.as_ref()?)))
            else {
                continue;
            };
            let default = facts.values.flows_per_port.get();
            let of = |flows: Option<u64>| flows.unwrap_or(default.into());
            let after = host.flows(default).saturating_sub(of(old)) + of(new);
            if after > FLOWS_MAX {
                // How many those of others have is not for everybody to know.
                let detail = format!(
                    "spec.flows_max: nodes of host {name} would have more than {FLOWS_MAX} flows together; \
                     choose fewer, or move the node"
                );
                return Err(problems::no_room(detail));
            }
        }
        Ok(())
    }
}

/// The host that a node is on, or goes to.
fn destination(status: &NodeStatus) -> &str {
    if status.next_host.is_empty() {
        &status.host
    } else {
        &status.next_host
    }
}

/// What a node cannot change. Addresses and MAC address that were chosen for it may be written as they are; they
/// stay what the manager chose.
fn refuse_immutable(
    old: &NodeSpec,
    new: &mut NodeSpec,
    status: &NodeStatus,
    problems: &mut FieldProblems,
) {
    let kind = Kind::Node;
    if old.addresses.is_empty() && new.addresses == status.addresses {
        new.addresses.clear();
    }
    if old.mac.is_none() && new.mac.as_ref() == Some(&status.mac) {
        new.mac = None;
    }
    body::unchanged("spec.type", &old.node_type, &new.node_type, kind, problems);
    body::unchanged("spec.subnet", &old.subnet, &new.subnet, kind, problems);
    body::unchanged(
        "spec.addresses",
        &old.addresses,
        &new.addresses,
        kind,
        problems,
    );
    body::unchanged("spec.mac", &old.mac, &new.mac, kind, problems);
    body::unchanged(
        "spec.interface",
        &old.interface,
        &new.interface,
        kind,
        problems,
    );
    let count = |spec: &NodeSpec| spec.address_count.unwrap_or(1);
    let listed = !new.addresses.is_empty();
    if !listed {
        body::unchanged(
            "spec.address_count",
            &count(old),
            &count(new),
            kind,
            problems,
        );
    }
}
