//! Security groups.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use inlay_api::limits::RULES_PER_PORT_MAX;
use inlay_api::objects::validate::{self, FieldProblems};
use inlay_api::objects::{
    AuditAction, Kind, NodeSpec, Problem, SecurityGroupSpec, SecurityGroupStatus,
};
use serde_json::Value;

use super::super::draft::{Decision, Draft, Stored, identity};
use super::super::request::{Mutation, Target};
use super::super::{Service, body, load, problems};
use super::acl::rules_max;
use super::{DEFAULT, refuse_beyond, replacement};

/// Before the name of a group that is a rule's peer.
const GROUP: &str = "group:";

impl Service {
    pub(super) async fn create_security_group(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let within = self.in_network(target).await?;
        let quota = &within.project.object.spec.quota;
        let (body, mut problems) = replacement::<SecurityGroupSpec>(mutation, value)?;
        let name = body::name(&body, target, &mut problems);
        let max = rules_max(quota.rules_per_group);
        self.check_rules(target, &name, &body.spec, max, &mut problems)
            .await?;
        body::finish(problems)?;
        self.refuse_taken::<SecurityGroupSpec>(target, &name)
            .await?;
        let max = quota.security_groups_per_network;
        let present = self.count::<SecurityGroupSpec>(target, max).await?;
        refuse_beyond(max, present, "security groups of the network")?;
        let mut draft = Draft::default();
        let metadata = identity(target, &name, body.metadata.labels, self.now());
        let status = SecurityGroupStatus::default();
        let object = draft.create(metadata, body.spec, status, String::new())?;
        self.add_subscribers(within.network.object.status.vni, &mut draft);
        Ok(Decision {
            name,
            ..Decision::of(target, draft, AuditAction::Created, object)
        })
    }

    /// A rule may name the group that it is of.
    async fn check_rules(
        &self,
        target: &Target,
        name: &str,
        spec: &SecurityGroupSpec,
        rules_max: usize,
        problems: &mut FieldProblems,
    ) -> Result<(), Problem> {
        let (store, project, network) = (self.store.as_ref(), &target.project, &target.network);
        let mut groups = vec![name];
        // A spec with more rules than that is refused for it.
        for peer in peers(spec).into_iter().take(RULES_PER_PORT_MAX) {
            let found = load::find::<SecurityGroupSpec>(store, project, network, peer);
            if peer != name && found.await?.is_some() {
                groups.push(peer);
            }
        }
        validate::security_group(spec, network, &groups, rules_max, problems);
        Ok(())
    }

    pub(super) async fn replace_security_group(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let within = self.in_network(target).await?;
        let before = self.changing::<SecurityGroupSpec>(mutation).await?;
        let (body, mut problems) = replacement::<SecurityGroupSpec>(mutation, value)?;
        let max = rules_max(within.project.object.spec.quota.rules_per_group);
        self.check_rules(target, &target.name, &body.spec, max, &mut problems)
            .await?;
        if rules(&body.spec) > rules(&before.object.spec) {
            self.refuse_many_rules(target, rules(&body.spec), &mut problems)
                .await?;
        }
        body::finish(problems)?;
        let status = before.object.status.clone();
        let mut draft = Draft::default();
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

    /// Refuses rules that, with those of their other groups, are too many for nodes of the group.
    async fn refuse_many_rules(
        &self,
        target: &Target,
        own: usize,
        problems: &mut FieldProblems,
    ) -> Result<(), Problem> {
        let sets: Vec<Arc<[Arc<str>]>> = {
            let index = self.index.read();
            let network = index.network(&target.project, &target.network);
            network.map_or_else(Vec::new, |network| network.sets_with(&target.name))
        };
        // There may be as many sets as nodes, and there are few groups.
        let mut known: HashMap<Arc<str>, usize> = HashMap::new();
        for set in sets {
            let mut count = own;
            for group in set.iter().filter(|group| ***group != *target.name) {
                if !known.contains_key(group) {
                    let rules = self.rules_of(target, group).await?.unwrap_or(0);
                    known.insert(group.clone(), rules);
                }
                count += known.get(group).copied().unwrap_or(0);
            }
            if count > RULES_PER_PORT_MAX {
                let groups = set.join(", ");
                let message = format!(
                    "nodes of the groups {groups} would have {count} rules, more than {RULES_PER_PORT_MAX}; \
                     use wider rules, or take the nodes out of groups"
                );
                problems.add("spec", message);
                break;
            }
        }
        Ok(())
    }

    /// How many rules a group of the target's network has; `None` for one that is not there.
    pub(super) async fn rules_of(
        &self,
        target: &Target,
        group: &str,
    ) -> Result<Option<usize>, Problem> {
        let store = self.store.as_ref();
        let found = load::find(store, &target.project, &target.network, group).await?;
        Ok(found.map(|group: Stored<SecurityGroupSpec>| rules(&group.object.spec)))
    }

    pub(super) async fn delete_security_group(
        &self,
        mutation: &Mutation,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let within = self.in_network(target).await?;
        let stored = self.changing::<SecurityGroupSpec>(mutation).await?;
        let name = &target.name;
        if name == DEFAULT {
            return Err(problems::conflict(
                "the security group default comes and goes with its network; empty it instead",
            ));
        }
        let (store, project, network) = (self.store.as_ref(), &target.project, &target.network);
        let nodes = {
            let index = self.index.read();
            let network = index.network(project, network);
            network.map_or(0, |network| network.nodes_of_group(name))
        };
        if nodes > 0 {
            let is_in = |node: &Stored<NodeSpec>| {
                let groups = node.object.spec.security_groups.as_ref();
                groups.is_some_and(|groups| groups.contains(name))
            };
            let names = load::users(store, project, network, is_in).await?;
            let by = load::told("nodes", &names, nodes.into());
            return Err(problems::in_use(Kind::SecurityGroup, name, &by));
        }
        let refers = |group: &Stored<SecurityGroupSpec>| {
            group.object.metadata.name != *name && peers(&group.object.spec).contains(name.as_str())
        };
        let groups = load::users(store, project, network, refers).await?;
        if !groups.is_empty() {
            let by = load::told("rules of security groups", &groups, 0);
            return Err(problems::in_use(Kind::SecurityGroup, name, &by));
        }
        let mut draft = Draft::default();
        let object = draft.delete(&stored);
        self.add_subscribers(within.network.object.status.vni, &mut draft);
        Ok(Decision::of(target, draft, AuditAction::Deleted, object))
    }
}

/// Names of the groups that rules refer to.
fn peers(spec: &SecurityGroupSpec) -> BTreeSet<&str> {
    let rules = spec.inbound.iter().chain(&spec.outbound);
    rules
        .filter_map(|rule| rule.peer.strip_prefix(GROUP))
        .collect()
}

fn rules(spec: &SecurityGroupSpec) -> usize {
    spec.inbound.len() + spec.outbound.len()
}
