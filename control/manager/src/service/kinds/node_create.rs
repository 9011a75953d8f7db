//! Creating nodes: one, or many that are alike.

use std::net::Ipv4Addr;
use std::sync::Arc;

use inlay_api::MacAddress;
use inlay_api::limits::NODE_COUNTS;
use inlay_api::objects::validate::{self, FieldProblems, NodeContext, NodeValues};
use inlay_api::objects::{
    AuditAction, Labels, NodeSpec, NodeStatus, NodeType, Problem, Quota, Role, SubnetSpec,
};
use serde_json::Value;

use crate::keys::{self, Claim};
use crate::store::{Entry, OPERATIONS_MAX};

use super::super::draft::{Answer, Decision, Draft, Stored, identity};
use super::super::request::{Actor, Mutation, Target};
use super::super::{Cursors, Service, body, problems};
use super::node::{CheckedNode, chosen_interface, chosen_mac, node_context};
use super::node_allocate::Placing;
use super::replacement;

/// Operations of a transaction besides those of nodes.
const OTHER_OPERATIONS: usize = 16;

/// What all nodes of a request have in common, and what each is given.
struct NewNodes {
    names: Vec<String>,
    labels: Labels,
    spec: NodeSpec,
    values: NodeValues,
    vni: u32,
    context: NodeContext,
    hosts: Vec<Arc<str>>,
    /// Each node's, one node's after the other's.
    addresses: Vec<Ipv4Addr>,
    /// Claims of former owners on addresses that were asked for.
    former: Vec<Option<Entry>>,
}

impl Service {
    pub(super) async fn create_nodes(
        &self,
        mutation: &Mutation,
        value: &Value,
        count: Option<u32>,
        cursors: &mut Cursors,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let within = self.in_network(target).await?;
        let (body, mut problems) = replacement::<NodeSpec>(mutation, value)?;
        refuse_attaching(&mutation.actor, body.spec.node_type)?;
        let name = body::name(&body, target, &mut problems);
        let checked = self.check_node(target, &body.spec, &mut problems).await?;
        if let Some(count) = count {
            check_count(count, &name, &body.spec, &checked.values, &mut problems);
        }
        body::finish(problems)?;
        let names = names(&name, count);
        self.refuse_beyond_quotas(
            target,
            &within.project.object.spec.quota,
            names.len() as u64,
        )?;
        self.refuse_taken_names(target, &names).await?;
        let CheckedNode { values, subnet } = checked;
        let (subnet, context) = usable(subnet)?;
        let vni = within.network.object.status.vni;
        let hosts = self.place(
            target,
            &body.spec,
            &subnet.object.spec,
            &Placing {
                count: u32::try_from(names.len()).unwrap_or(u32::MAX),
                addresses: values.address_count as u64,
                host: body.spec.placement.host.as_deref(),
                not_hosts: &[],
            },
        )?;
        let asked = !values.addresses.is_empty();
        let addresses = if asked {
            values.addresses.clone()
        } else {
            let count = names.len() * values.address_count;
            self.allocate(vni, &subnet, context, count, cursors)?
        };
        let former = if asked {
            self.former_claims(vni, &addresses).await?
        } else {
            Vec::new()
        };
        if !mutation.dry_run && !asked {
            Self::advance(cursors, vni, context, &addresses);
        }
        let nodes = NewNodes {
            names,
            labels: body.metadata.labels,
            spec: body.spec,
            values,
            vni,
            context,
            hosts,
            addresses,
            former,
        };
        self.draft_nodes(mutation, &name, count, &nodes).await
    }

    async fn former_claims(
        &self,
        vni: u32,
        addresses: &[Ipv4Addr],
    ) -> Result<Vec<Option<Entry>>, Problem> {
        let mut former = Vec::with_capacity(addresses.len());
        for (place, address) in addresses.iter().enumerate() {
            let field = format!("spec.addresses[{place}]");
            former.push(self.claimable(vni, *address, &field).await?);
        }
        Ok(former)
    }

    async fn draft_nodes(
        &self,
        mutation: &Mutation,
        name: &str,
        count: Option<u32>,
        nodes: &NewNodes,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let mut draft = Draft::default();
        self.add_subscribers(nodes.vni, &mut draft);
        draft.hosts.extend(nodes.hosts.iter().cloned());
        self.claim_unique(nodes, &mut draft).await?;
        let mut made = Vec::with_capacity(nodes.names.len());
        let each = nodes.addresses.chunks(nodes.values.address_count.max(1));
        for ((name, host), addresses) in nodes.names.iter().zip(&nodes.hosts).zip(each) {
            made.push(self.draft_node(target, name, host, addresses, nodes, &mut draft)?);
        }
        let (answer, detail, name) = match count {
            None => {
                let (key, value) = made.pop().unwrap_or_default();
                let address = nodes.addresses.first().copied();
                let address = address.unwrap_or(Ipv4Addr::UNSPECIFIED);
                let host = nodes.hosts.first().map_or("", |host| host);
                let detail = format!("{address} on host {host}");
                (Answer::Object(key, value), detail, name.to_owned())
            }
            Some(count) => {
                let detail = format!("{count} nodes, {name}-1 to {name}-{count}");
                (Answer::Objects(made), detail, format!("{name}-1"))
            }
        };
        let nothing = Default::default();
        Ok(Decision {
            answer,
            detail,
            name,
            ..Decision::of(target, draft, AuditAction::Created, nothing)
        })
    }

    fn draft_node(
        &self,
        target: &Target,
        name: &str,
        host: &Arc<str>,
        addresses: &[Ipv4Addr],
        nodes: &NewNodes,
        draft: &mut Draft,
    ) -> Result<(String, bytes::Bytes), Problem> {
        let metadata = identity(target, name, nodes.labels.clone(), self.now());
        for (place, address) in addresses.iter().enumerate() {
            let claim = Claim {
                owner: metadata.uid.clone(),
                node: name.to_owned(),
                released_s: None,
            };
            let former = nodes.former.get(place).and_then(Option::as_ref);
            draft.claim(keys::address_claim(nodes.vni, *address), &claim, former)?;
        }
        let primary = addresses.first().copied();
        let primary = primary.unwrap_or(nodes.context.gateway);
        let mac = match nodes.values.mac {
            Some(mac) => mac.to_string(),
            None => shown_mac(chosen_mac(primary)),
        };
        let interface = match &nodes.values.interface {
            Some(interface) => interface.to_string(),
            None => chosen_interface(&metadata.uid),
        };
        let listed: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let detail = format!("host {host}, addresses {}, MAC {mac}", listed.join(" "));
        let status = NodeStatus {
            host: host.to_string(),
            addresses: listed,
            mac,
            interface,
            ..NodeStatus::default()
        };
        draft.create(metadata, nodes.spec.clone(), status, detail)
    }

    /// Claims what a client chose and nobody else may have: a MAC address in the network, an interface of a host.
    async fn claim_unique(&self, nodes: &NewNodes, draft: &mut Draft) -> Result<(), Problem> {
        let mac = nodes.values.mac.map(MacAddress::octets);
        let mac = mac.map(|mac| ("spec.mac", keys::mac_claim(nodes.vni, mac)));
        let interface = nodes.values.interface.as_ref().zip(nodes.hosts.first());
        let interface = interface.map(|(interface, host)| {
            (
                "spec.interface",
                keys::interface_claim(host, interface.as_str()),
            )
        });
        for (field, key) in [mac, interface].into_iter().flatten() {
            let found = self.store.get(&key).await.map_err(problems::of_store)?;
            if let Some(entry) = found {
                let claim: Claim = serde_json::from_slice(&entry.value).unwrap_or_default();
                // Which network a host's interface is in is not for everybody to know.
                let whose = if field == "spec.mac" {
                    format!("node {}'s", claim.node)
                } else {
                    "another node's".to_owned()
                };
                return Err(problems::conflict_field(
                    field,
                    format!("it is {whose} already; choose another"),
                ));
            }
            let claim = Claim {
                owner: String::new(),
                node: nodes.names.first().cloned().unwrap_or_default(),
                released_s: None,
            };
            draft.claim(key, &claim, None)?;
        }
        Ok(())
    }

    fn refuse_beyond_quotas(
        &self,
        target: &Target,
        quota: &Quota,
        more: u64,
    ) -> Result<(), Problem> {
        let index = self.index.read();
        let own = index.network(&target.project, &target.network);
        let own = own.map_or(0, super::super::index::NetworkUse::nodes);
        let all: u64 = index
            .networks_of(&target.project)
            .map(|(_, it)| it.nodes())
            .sum();
        for (what, present, max) in [
            ("of the network", own, quota.nodes_per_network),
            ("of the project", all, quota.nodes),
        ] {
            if present.saturating_add(more) > max {
                let detail = format!(
                    "there are {present} nodes {what}, and with {more} more they are over its quota of {max}; \
                     delete some, or ask the operator for more"
                );
                return Err(problems::quota(detail));
            }
        }
        Ok(())
    }

    async fn refuse_taken_names(&self, target: &Target, names: &[String]) -> Result<(), Problem> {
        let suspects: Vec<&String> = {
            let index = self.index.read();
            let network = index.network(&target.project, &target.network);
            let there = |name: &&String| network.is_some_and(|it| index.may_have_node(it, name));
            names.iter().filter(there).collect()
        };
        for name in suspects {
            self.refuse_taken::<NodeSpec>(target, name).await?;
        }
        Ok(())
    }
}

/// Which of a host's interfaces a tenant is behind is not the tenant's to say.
fn refuse_attaching(actor: &Actor, node_type: NodeType) -> Result<(), Problem> {
    if node_type != NodeType::Device || actor.role == Role::Admin {
        return Ok(());
    }
    let message = "a device is a machine behind the operator's interface; the operator attaches it";
    Err(problems::forbidden_field("spec.type", message))
}

fn usable(
    subnet: Option<Stored<SubnetSpec>>,
) -> Result<(Stored<SubnetSpec>, NodeContext), Problem> {
    let broken = || problems::unavailable("the subnet cannot be read; see the manager's log");
    let subnet = subnet.ok_or_else(broken)?;
    let context = node_context(&subnet).ok_or_else(broken)?;
    Ok((subnet, context))
}

fn names(name: &str, count: Option<u32>) -> Vec<String> {
    match count {
        None => vec![name.to_owned()],
        Some(count) => (1..=count).map(|nth| format!("{name}-{nth}")).collect(),
    }
}

/// Many nodes cannot have what only one can, and have to fit into one transaction.
fn check_count(
    count: u32,
    name: &str,
    spec: &NodeSpec,
    values: &NodeValues,
    problems: &mut FieldProblems,
) {
    if !NODE_COUNTS.contains(&count.into()) {
        let (min, max) = (NODE_COUNTS.start(), NODE_COUNTS.end());
        problems.add(
            "count",
            format!("{count} is outside {min}..={max}; choose one inside"),
        );
        return;
    }
    let each = 1 + values.address_count;
    let fit = (OPERATIONS_MAX - OTHER_OPERATIONS) / each;
    if count as usize > fit {
        let addresses = values.address_count;
        let message = format!(
            "of nodes with {addresses} addresses at most {fit} are made at once; ask for fewer"
        );
        problems.add("count", message);
    }
    for (field, there) in [
        ("spec.addresses", !spec.addresses.is_empty()),
        ("spec.mac", spec.mac.is_some()),
        ("spec.interface", spec.interface.is_some()),
    ] {
        if there {
            problems.add(
                field,
                "several nodes cannot have the same; take it out, or take count out",
            );
        }
    }
    let last = format!("{name}-{count}");
    if name.parse::<inlay_api::Name>().is_ok() {
        validate::name(&last, "metadata.name", problems);
    }
}

fn shown_mac(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}
