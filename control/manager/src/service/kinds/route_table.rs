//! Route tables.

use std::collections::BTreeSet;

use inlay_api::limits::ROUTES_PER_TABLE_MAX;
use inlay_api::objects::{
    AuditAction, Kind, NodeSpec, Problem, RouteTableSpec, RouteTableStatus, SubnetSpec, validate,
};
use serde_json::Value;

use super::super::draft::{Decision, Draft, identity};
use super::super::request::{Mutation, Target};
use super::super::{Service, body, load, problems};
use super::network::cidrs_of;
use super::{InNetwork, refuse_beyond, replacement};

/// Before the name of a node that is a route's target.
const NODE: &str = "node:";

impl Service {
    pub(super) async fn create_route_table(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let within = self.in_network(target).await?;
        let (body, mut problems) = replacement::<RouteTableSpec>(mutation, value)?;
        let name = body::name(&body, target, &mut problems);
        self.check_routes(target, &within, &body.spec, &mut problems)
            .await?;
        body::finish(problems)?;
        self.refuse_taken::<RouteTableSpec>(target, &name).await?;
        let max = within.project.object.spec.quota.subnets_per_network;
        let present = self.count::<RouteTableSpec>(target, max).await?;
        refuse_beyond(
            max,
            present,
            "route tables of the network, one for each subnet,",
        )?;
        let mut draft = Draft::default();
        let metadata = identity(target, &name, body.metadata.labels, self.now());
        let status = RouteTableStatus::default();
        let object = draft.create(metadata, body.spec, status, String::new())?;
        self.add_subscribers(within.network.object.status.vni, &mut draft);
        Ok(Decision {
            name,
            ..Decision::of(target, draft, AuditAction::Created, object)
        })
    }

    pub(super) async fn replace_route_table(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let within = self.in_network(target).await?;
        let before = self.changing::<RouteTableSpec>(mutation).await?;
        let (body, mut problems) = replacement::<RouteTableSpec>(mutation, value)?;
        self.check_routes(target, &within, &body.spec, &mut problems)
            .await?;
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

    pub(super) async fn delete_route_table(
        &self,
        mutation: &Mutation,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let within = self.in_network(target).await?;
        let stored = self.changing::<RouteTableSpec>(mutation).await?;
        let users = load::users::<SubnetSpec>(
            self.store.as_ref(),
            &target.project,
            &target.network,
            |subnet| subnet.object.spec.route_table.as_ref() == Some(&target.name),
        );
        let users = users.await?;
        if !users.is_empty() {
            let by = load::told("subnets", &users, 0);
            return Err(problems::in_use(Kind::RouteTable, &target.name, &by));
        }
        let mut draft = Draft::default();
        let object = draft.delete(&stored);
        self.add_subscribers(within.network.object.status.vni, &mut draft);
        Ok(Decision::of(target, draft, AuditAction::Deleted, object))
    }

    async fn check_routes(
        &self,
        target: &Target,
        within: &InNetwork,
        spec: &RouteTableSpec,
        problems: &mut validate::FieldProblems,
    ) -> Result<(), Problem> {
        let store = self.store.as_ref();
        let mut nodes = Vec::new();
        for name in nodes_of(spec).into_iter().take(ROUTES_PER_TABLE_MAX) {
            let node = load::find::<NodeSpec>(store, &target.project, &target.network, name);
            if let Some(node) = node.await? {
                nodes.push((name, node.object.spec.forwarding));
            }
        }
        let cidrs = cidrs_of(&within.network);
        validate::route_table(spec, &target.network, &cidrs, &nodes, problems);
        Ok(())
    }

    /// Names of the route tables of a node's network that lead to it.
    pub(super) async fn tables_to(&self, node: &Target) -> Result<Vec<String>, Problem> {
        let tables = load::users::<RouteTableSpec>(
            self.store.as_ref(),
            &node.project,
            &node.network,
            |table| nodes_of(&table.object.spec).contains(node.name.as_str()),
        );
        tables.await
    }
}

/// Names of the nodes that routes lead to.
pub(super) fn nodes_of(spec: &RouteTableSpec) -> BTreeSet<&str> {
    let targets = spec.routes.iter().map(|route| route.target.as_str());
    targets
        .filter_map(|target| target.strip_prefix(NODE))
        .collect()
}
