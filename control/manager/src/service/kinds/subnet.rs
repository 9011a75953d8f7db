//! Subnets.

use inlay_api::objects::validate::{self, FieldProblems, SubnetContext};
use inlay_api::objects::{
    AclSpec, AuditAction, Kind, NodeSpec, Problem, RouteTableSpec, SubnetSpec, SubnetStatus,
};
use serde_json::Value;

use super::super::draft::{Decision, Draft, identity};
use super::super::request::{Mutation, Target};
use super::super::{Service, body, load, problems};
use super::network::cidrs_of;
use super::{refuse_beyond, replacement};

/// Subnets of one network that a new one is compared with.
const SUBNETS_READ_MAX: usize = 2_048;

impl Service {
    pub(super) async fn create_subnet(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let within = self.in_network(target).await?;
        let (body, mut problems) = replacement::<SubnetSpec>(mutation, value)?;
        let name = body::name(&body, target, &mut problems);
        let store = self.store.as_ref();
        let (project, network) = (&target.project, &target.network);
        let others = load::all::<SubnetSpec>(store, project, network, SUBNETS_READ_MAX).await?;
        let others: Vec<_> = others
            .into_iter()
            .filter_map(|it| Some((it.object.metadata.name, it.object.spec.cidr.parse().ok()?)))
            .collect();
        let context = SubnetContext {
            cidrs: &cidrs_of(&within.network),
            others: &others,
        };
        let values = validate::subnet(&body.spec, context, &mut problems);
        self.check_references(target, &body.spec, &mut problems)
            .await?;
        // A subnet that is there already is told as such, and not as one that overlaps itself.
        self.refuse_taken::<SubnetSpec>(target, &name).await?;
        body::finish(problems)?;
        let quota = within.project.object.spec.quota.subnets_per_network;
        refuse_beyond(quota, others.len() as u64, "subnets of the network")?;
        let gateway = values.map(|values| values.gateway.to_string());
        let status = SubnetStatus {
            gateway: gateway.unwrap_or_default(),
            ..SubnetStatus::default()
        };
        let mut draft = Draft::default();
        let metadata = identity(target, &name, body.metadata.labels, self.now());
        let detail = format!("gateway {}", status.gateway);
        let object = draft.create(metadata, body.spec, status, detail)?;
        self.add_subscribers(within.network.object.status.vni, &mut draft);
        Ok(Decision {
            name,
            ..Decision::of(target, draft, AuditAction::Created, object)
        })
    }

    async fn check_references(
        &self,
        target: &Target,
        spec: &SubnetSpec,
        problems: &mut FieldProblems,
    ) -> Result<(), Problem> {
        let (store, project, network) = (self.store.as_ref(), &target.project, &target.network);
        if let Some(acl) = &spec.acl
            && load::find::<AclSpec>(store, project, network, acl)
                .await?
                .is_none()
        {
            let message = "the network has no such access control list; add it or correct the name";
            problems.add("spec.acl", message);
        }
        if let Some(table) = &spec.route_table
            && load::find::<RouteTableSpec>(store, project, network, table)
                .await?
                .is_none()
        {
            let message = "the network has no such route table; add it or correct the name";
            problems.add("spec.route_table", message);
        }
        Ok(())
    }

    pub(super) async fn replace_subnet(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let within = self.in_network(target).await?;
        let before = self.changing::<SubnetSpec>(mutation).await?;
        let (body, mut problems) = replacement::<SubnetSpec>(mutation, value)?;
        let status = before.object.status.clone();
        let (old, new) = (&before.object.spec, &body.spec);
        let list = &mut problems;
        validate::description(&new.description, list);
        body::unchanged("spec.cidr", &old.cidr, &new.cidr, Kind::Subnet, list);
        body::unchanged(
            "spec.location",
            &old.location,
            &new.location,
            Kind::Subnet,
            list,
        );
        // Left out, it is what was decided.
        let gateway = new.gateway.as_ref().unwrap_or(&status.gateway);
        body::unchanged("spec.gateway", &status.gateway, gateway, Kind::Subnet, list);
        self.check_references(target, new, list).await?;
        body::finish(problems)?;
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

    pub(super) async fn delete_subnet(&self, mutation: &Mutation) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let within = self.in_network(target).await?;
        let stored = self.changing::<SubnetSpec>(mutation).await?;
        let nodes = {
            let index = self.index.read();
            let network = index.network(&target.project, &target.network);
            network.map_or(0, |network| network.nodes_of_subnet(&target.name))
        };
        if nodes > 0 {
            let names = load::users::<NodeSpec>(
                self.store.as_ref(),
                &target.project,
                &target.network,
                |node| node.object.spec.subnet == target.name,
            );
            let by = load::told("nodes", &names.await?, nodes.into());
            return Err(problems::in_use(Kind::Subnet, &target.name, &by));
        }
        let mut draft = Draft::default();
        let object = draft.delete(&stored);
        self.add_subscribers(within.network.object.status.vni, &mut draft);
        Ok(Decision::of(target, draft, AuditAction::Deleted, object))
    }
}
