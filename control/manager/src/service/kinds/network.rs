//! Networks, with the group and the list that come with each.

use inlay_api::objects::validate::{self, FieldProblems};
use inlay_api::objects::{
    AclSpec, AclStatus, AuditAction, Kind, Labels, NetworkSpec, NetworkStatus, NodeSpec, Problem,
    RouteTableSpec, SecurityGroupSpec, SecurityGroupStatus, SubnetSpec,
};
use inlay_api::raw::{RawAclEntry, RawRule};
use ipnet::Ipv4Net;
use serde_json::Value;

use crate::keys::{self, Claim};
use crate::store::Operation;

use super::super::draft::{Decision, Draft, Stored, identity};
use super::super::request::{Mutation, Target};
use super::super::{Cursors, Service, body, load, problems};
use super::route_table::nodes_of;
use super::{DEFAULT, refuse_beyond, replacement};

/// Parts of one network that are read to see whether it can change.
const PARTS_MAX: usize = 20_000;
const EVERYWHERE: &str = "0.0.0.0/0";
/// The number of the entries of the list that comes with a network.
const DEFAULT_ENTRY: u64 = 100;

impl Service {
    pub(super) async fn create_network(
        &self,
        mutation: &Mutation,
        value: &Value,
        cursors: &mut Cursors,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let project = self.project_of(target).await?;
        let (body, mut problems) = replacement::<NetworkSpec>(mutation, value)?;
        let name = body::name(&body, target, &mut problems);
        validate::network(&body.spec, &mut problems);
        body::finish(problems)?;
        self.refuse_taken::<NetworkSpec>(target, &name).await?;
        let (present, vni) = {
            let index = self.index.read();
            let present = index.networks_of(&target.project).count();
            (present as u64, index.free_vni(cursors.vni + 1))
        };
        refuse_beyond(project.object.spec.quota.networks, present, "networks")?;
        let vni =
            vni.ok_or_else(|| problems::quota("every network number is in use or in quarantine"))?;
        let mut draft = Draft::default();
        let metadata = identity(target, &name, body.metadata.labels, self.now());
        let claim = Claim {
            owner: metadata.uid.clone(),
            ..Claim::default()
        };
        draft.claim(keys::vni_claim(vni), &claim, None)?;
        if !mutation.dry_run {
            cursors.vni = vni;
        }
        let status = NetworkStatus {
            vni,
            ..NetworkStatus::default()
        };
        let detail = format!("number {vni}");
        let object = draft.create(metadata, body.spec, status, detail)?;
        self.create_defaults(target, &name, &mut draft)?;
        Ok(Decision {
            name,
            ..Decision::of(target, draft, AuditAction::Created, object)
        })
    }

    /// As in a new network of AWS: whoever is in the group reaches whoever is in it and everything outside, nobody
    /// else reaches them, and the list lets everything pass.
    fn create_defaults(
        &self,
        target: &Target,
        network: &str,
        draft: &mut Draft,
    ) -> Result<(), Problem> {
        let within = Target {
            network: network.to_owned(),
            ..target.clone()
        };
        let rule = |peer: &str| RawRule {
            protocol: "all".to_owned(),
            peer: peer.to_owned(),
            ..RawRule::default()
        };
        let group = SecurityGroupSpec {
            description: "of nodes that name no group".to_owned(),
            inbound: vec![rule(&format!("group:{DEFAULT}"))],
            outbound: vec![rule(EVERYWHERE)],
        };
        let entry = RawAclEntry {
            number: DEFAULT_ENTRY,
            action: "allow".to_owned(),
            protocol: "all".to_owned(),
            peer: EVERYWHERE.to_owned(),
            ..RawAclEntry::default()
        };
        let acl = AclSpec {
            description: "of subnets that name no list".to_owned(),
            inbound: vec![entry.clone()],
            outbound: vec![entry],
        };
        let identity = || identity(&within, DEFAULT, Labels::new(), self.now());
        draft.create(
            identity(),
            group,
            SecurityGroupStatus::default(),
            String::new(),
        )?;
        draft.create(identity(), acl, AclStatus::default(), String::new())?;
        Ok(())
    }

    pub(super) async fn replace_network(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let before = self.changing::<NetworkSpec>(mutation).await?;
        let (body, mut problems) = replacement::<NetworkSpec>(mutation, value)?;
        let cidrs = validate::network(&body.spec, &mut problems);
        if problems.is_empty() && cidrs != cidrs_of(&before) {
            self.refuse_unfit(&mutation.target, &cidrs, &mut problems)
                .await?;
        }
        body::finish(problems)?;
        let status = before.object.status.clone();
        let mut draft = Draft::default();
        self.add_subscribers(status.vni, &mut draft);
        self.replaced(
            mutation,
            before,
            body.metadata.labels,
            body.spec,
            status,
            draft,
        )
    }

    /// CIDRs that the subnets, the route tables or the peers of the network do not go with.
    async fn refuse_unfit(
        &self,
        network: &Target,
        cidrs: &[Ipv4Net],
        problems: &mut FieldProblems,
    ) -> Result<(), Problem> {
        const FIELD: &str = "spec.cidrs";
        let (project, name) = (&network.project, &network.name);
        let store = self.store.as_ref();
        for subnet in load::all::<SubnetSpec>(store, project, name, PARTS_MAX).await? {
            let (name, cidr) = (&subnet.object.metadata.name, &subnet.object.spec.cidr);
            let inside = |it: &Ipv4Net| cidrs.iter().any(|cidr| cidr.contains(it));
            if !cidr.parse().is_ok_and(|cidr| inside(&cidr)) {
                let message =
                    format!("subnet {name} has {cidr}; keep a cidr around it, or delete it first");
                problems.add(FIELD, message);
            }
        }
        for table in load::all::<RouteTableSpec>(store, project, name, PARTS_MAX).await? {
            let spec = &table.object.spec;
            // Its nodes are not what changes.
            let nodes: Vec<_> = nodes_of(spec)
                .into_iter()
                .map(|node| (node, true))
                .collect();
            let mut found = FieldProblems::default();
            validate::route_table(spec, name, cidrs, &nodes, &mut found);
            for problem in found.into_list() {
                let table = &table.object.metadata.name;
                problems.add(
                    FIELD,
                    format!(
                        "route table {table}: {}: {}",
                        problem.field, problem.message
                    ),
                );
            }
        }
        for (peer, overlap) in self.overlapping_peers(network, cidrs).await? {
            let message = format!(
                "{overlap} overlaps network {peer}, to which it is peered; choose other addresses"
            );
            problems.add(FIELD, message);
        }
        Ok(())
    }

    pub(super) async fn delete_network(&self, mutation: &Mutation) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let stored = self.changing::<NetworkSpec>(mutation).await?;
        self.refuse_network_in_use(target).await?;
        let (project, name) = (&target.project, &target.name);
        let store = self.store.as_ref();
        let mut draft = Draft::default();
        let object = draft.delete(&stored);
        if let Some(group) = load::find::<SecurityGroupSpec>(store, project, name, DEFAULT).await? {
            draft.delete(&group);
        }
        if let Some(acl) = load::find::<AclSpec>(store, project, name, DEFAULT).await? {
            draft.delete(&acl);
        }
        let vni = stored.object.status.vni;
        let uid = &stored.object.metadata.uid;
        draft.release(keys::vni_claim(vni), uid, self.now())?;
        self.add_subscribers(vni, &mut draft);
        Ok(Decision::of(target, draft, AuditAction::Deleted, object))
    }

    async fn refuse_network_in_use(&self, target: &Target) -> Result<(), Problem> {
        let (project, name) = (&target.project, &target.name);
        let store = self.store.as_ref();
        let nodes = load::users::<NodeSpec>(store, project, name, |_| true).await?;
        let subnets = load::users::<SubnetSpec>(store, project, name, |_| true).await?;
        let tables = load::users::<RouteTableSpec>(store, project, name, |_| true).await?;
        let own_group = |it: &Stored<SecurityGroupSpec>| it.object.metadata.name != DEFAULT;
        let groups = load::users(store, project, name, own_group).await?;
        let own_acl = |it: &Stored<AclSpec>| it.object.metadata.name != DEFAULT;
        let acls = load::users(store, project, name, own_acl).await?;
        let peerings = self.peerings_of(target);
        let users = [
            ("nodes", nodes),
            ("subnets", subnets),
            ("route tables", tables),
            ("security groups", groups),
            ("access control lists", acls),
            ("peerings", peerings),
        ];
        let there = users.iter().filter(|(_, names)| !names.is_empty());
        let told: Vec<String> = there
            .map(|(what, names)| load::told(what, names, 0))
            .collect();
        if told.is_empty() {
            return Ok(());
        }
        Err(problems::in_use(Kind::Network, name, &told.join("; ")))
    }
}

/// The CIDRs of a stored network.
pub(super) fn cidrs_of(network: &Stored<NetworkSpec>) -> Vec<Ipv4Net> {
    let cidrs = network.object.spec.cidrs.iter();
    cidrs.filter_map(|cidr| cidr.parse().ok()).collect()
}

impl Draft {
    /// What was claimed and needs no quarantine.
    pub(super) fn unclaim(&mut self, key: String) {
        self.operate(Operation::Delete(key));
    }
}
