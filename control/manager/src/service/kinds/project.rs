//! Projects.

use inlay_api::limits::{RULES_PER_PORT_MAX, SECURITY_GROUPS_MAX, SUBNETS_MAX};
use inlay_api::objects::validate::{self, FieldProblems};
use inlay_api::objects::{
    AuditAction, Kind, NetworkSpec, PeeringSpec, Problem, ProjectSpec, ProjectStatus, Quota, Role,
};
use serde_json::Value;

use super::super::draft::{Decision, Draft, identity};
use super::super::request::Mutation;
use super::super::{Service, body, load, problems};
use super::replacement;

/// Networks of one project.
const NETWORKS_MAX: u64 = 10_000;
/// Nodes of one project.
const NODES_MAX: u64 = 10_000_000;

impl Service {
    pub(super) async fn create_project(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let (body, mut problems) = replacement::<ProjectSpec>(mutation, value)?;
        let name = body::name(&body, target, &mut problems);
        check(&body.spec, &mut problems);
        body::finish(problems)?;
        self.refuse_taken::<ProjectSpec>(target, &name).await?;
        let mut draft = Draft::default();
        let metadata = identity(target, &name, body.metadata.labels, self.now());
        let status = ProjectStatus::default();
        let object = draft.create(metadata, body.spec, status, String::new())?;
        Ok(Decision {
            project: name.clone(),
            name,
            ..Decision::of(target, draft, AuditAction::Created, object)
        })
    }

    pub(super) async fn replace_project(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let before = self.changing::<ProjectSpec>(mutation).await?;
        let (body, mut problems) = replacement::<ProjectSpec>(mutation, value)?;
        check(&body.spec, &mut problems);
        body::finish(problems)?;
        let is_operator = mutation.actor.role == Role::Admin;
        if !is_operator && body.spec.quota != before.object.spec.quota {
            return Err(problems::forbidden("the quota is the operator's to change"));
        }
        let status = before.object.status.clone();
        let labels = body.metadata.labels;
        self.replaced(
            mutation,
            before,
            labels,
            body.spec,
            status,
            Draft::default(),
        )
    }

    pub(super) async fn delete_project(&self, mutation: &Mutation) -> Result<Decision, Problem> {
        let stored = self.changing::<ProjectSpec>(mutation).await?;
        let name = &mutation.target.name;
        let store = self.store.as_ref();
        let networks = load::users::<NetworkSpec>(store, name, "", |_| true).await?;
        if !networks.is_empty() {
            let by = load::told("networks", &networks, 0);
            return Err(problems::in_use(Kind::Project, name, &by));
        }
        let peerings = load::users::<PeeringSpec>(store, name, "", |_| true).await?;
        if !peerings.is_empty() {
            let by = load::told("peerings", &peerings, 0);
            return Err(problems::in_use(Kind::Project, name, &by));
        }
        let tokens: Vec<String> = {
            let index = self.index.read();
            let own = index.tokens().filter(|(_, _, of)| *of == Some(name));
            own.take(5).map(|(token, ..)| token.to_owned()).collect()
        };
        if !tokens.is_empty() {
            let by = load::told("tokens", &tokens, 0);
            return Err(problems::in_use(Kind::Project, name, &by));
        }
        let mut draft = Draft::default();
        let object = draft.delete(&stored);
        Ok(Decision::of(
            &mutation.target,
            draft,
            AuditAction::Deleted,
            object,
        ))
    }
}

fn check(spec: &ProjectSpec, problems: &mut FieldProblems) {
    validate::description(&spec.description, problems);
    let Quota {
        networks,
        subnets_per_network,
        nodes_per_network,
        nodes,
        security_groups_per_network,
        rules_per_group,
    } = spec.quota;
    for (field, found, max) in [
        ("networks", networks, NETWORKS_MAX),
        (
            "subnets_per_network",
            subnets_per_network,
            SUBNETS_MAX as u64,
        ),
        ("nodes_per_network", nodes_per_network, NODES_MAX),
        ("nodes", nodes, NODES_MAX),
        (
            "security_groups_per_network",
            security_groups_per_network,
            SECURITY_GROUPS_MAX as u64,
        ),
        (
            "rules_per_group",
            rules_per_group,
            RULES_PER_PORT_MAX as u64,
        ),
    ] {
        if found > max {
            let message = format!("{found} is outside 0..={max}; choose one inside");
            problems.add(format!("spec.quota.{field}"), message);
        }
    }
}
