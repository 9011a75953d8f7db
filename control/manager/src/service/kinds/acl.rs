//! Access control lists.

use inlay_api::objects::{AclSpec, AclStatus, AuditAction, Kind, Problem, SubnetSpec, validate};
use serde_json::Value;

use super::super::draft::{Decision, Draft, identity};
use super::super::request::Mutation;
use super::super::{Service, body, load, problems};
use super::{DEFAULT, refuse_beyond, replacement};

impl Service {
    pub(super) async fn create_acl(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let within = self.in_network(target).await?;
        let quota = &within.project.object.spec.quota;
        let (body, mut problems) = replacement::<AclSpec>(mutation, value)?;
        let name = body::name(&body, target, &mut problems);
        validate::acl(&body.spec, rules_max(quota.rules_per_group), &mut problems);
        body::finish(problems)?;
        self.refuse_taken::<AclSpec>(target, &name).await?;
        // One for each subnet, and the default one.
        let max = quota.subnets_per_network.saturating_add(1);
        let present = self.count::<AclSpec>(target, max).await?;
        refuse_beyond(max, present, "access control lists of the network")?;
        let mut draft = Draft::default();
        let metadata = identity(target, &name, body.metadata.labels, self.now());
        let status = AclStatus::default();
        let object = draft.create(metadata, body.spec, status, String::new())?;
        self.add_subscribers(within.network.object.status.vni, &mut draft);
        Ok(Decision {
            name,
            ..Decision::of(target, draft, AuditAction::Created, object)
        })
    }

    pub(super) async fn replace_acl(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let within = self.in_network(&mutation.target).await?;
        let before = self.changing::<AclSpec>(mutation).await?;
        let (body, mut problems) = replacement::<AclSpec>(mutation, value)?;
        let max = within.project.object.spec.quota.rules_per_group;
        validate::acl(&body.spec, rules_max(max), &mut problems);
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

    pub(super) async fn delete_acl(&self, mutation: &Mutation) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let within = self.in_network(target).await?;
        let stored = self.changing::<AclSpec>(mutation).await?;
        if target.name == DEFAULT {
            return Err(problems::conflict(
                "the access control list default comes and goes with its network; empty it instead",
            ));
        }
        let users = load::users::<SubnetSpec>(
            self.store.as_ref(),
            &target.project,
            &target.network,
            |subnet| subnet.object.spec.acl.as_ref() == Some(&target.name),
        );
        let users = users.await?;
        if !users.is_empty() {
            let by = load::told("subnets", &users, 0);
            return Err(problems::in_use(Kind::Acl, &target.name, &by));
        }
        let mut draft = Draft::default();
        let object = draft.delete(&stored);
        self.add_subscribers(within.network.object.status.vni, &mut draft);
        Ok(Decision::of(target, draft, AuditAction::Deleted, object))
    }
}

/// A quota of rules as a length.
pub(super) fn rules_max(quota: u64) -> usize {
    usize::try_from(quota).unwrap_or(usize::MAX)
}
