//! What each kind of object asks of a change: one file a kind.

mod acl;
mod host;
mod network;
mod node;
mod node_allocate;
mod node_change;
mod node_create;
mod peering;
mod project;
mod route_table;
mod security_group;
mod subnet;
mod token;

use std::sync::Arc;

use inlay_api::objects::validate::FieldProblems;
use inlay_api::objects::{
    AuditAction, Kind, Labels, NetworkSpec, ObjectKind, ObjectOf, Problem, ProjectSpec,
};
use serde_json::Value;

use crate::keys;

use super::draft::{Decision, Draft, Stored, if_match, rfc3339};
use super::mutate::no_such_action;
use super::request::{Mutation, Target};
use super::{Cursors, Service, body, load, problems};

/// Name of what comes with a network, and of what is taken where nothing is named.
const DEFAULT: &str = "default";

/// What every change of an object in a network begins with.
struct InNetwork {
    project: Stored<ProjectSpec>,
    network: Stored<NetworkSpec>,
}

impl Service {
    pub(super) async fn create(
        &self,
        mutation: &Mutation,
        body: &Value,
        count: Option<u32>,
        cursors: &mut Cursors,
    ) -> Result<Decision, Problem> {
        if count.is_some() && mutation.target.kind != Kind::Node {
            return Err(problems::invalid_field(
                "count",
                "only nodes have a count; take it out",
            ));
        }
        match mutation.target.kind {
            Kind::Project => self.create_project(mutation, body).await,
            Kind::Host => self.create_host(mutation, body).await,
            Kind::Token => self.create_token(mutation, body).await,
            Kind::Network => self.create_network(mutation, body, cursors).await,
            Kind::Peering => self.create_peering(mutation, body).await,
            Kind::Subnet => self.create_subnet(mutation, body).await,
            Kind::Node => self.create_nodes(mutation, body, count, cursors).await,
            Kind::SecurityGroup => self.create_security_group(mutation, body).await,
            Kind::Acl => self.create_acl(mutation, body).await,
            Kind::RouteTable => self.create_route_table(mutation, body).await,
            Kind::Port => Err(ports_are_views()),
        }
    }

    pub(super) async fn replace(
        &self,
        mutation: &Mutation,
        body: &Value,
    ) -> Result<Decision, Problem> {
        match mutation.target.kind {
            Kind::Project => self.replace_project(mutation, body).await,
            Kind::Host => self.replace_host(mutation, body).await,
            Kind::Token => self.replace_token(mutation, body).await,
            Kind::Network => self.replace_network(mutation, body).await,
            Kind::Peering => self.replace_peering(mutation, body).await,
            Kind::Subnet => self.replace_subnet(mutation, body).await,
            Kind::Node => self.replace_node(mutation, body).await,
            Kind::SecurityGroup => self.replace_security_group(mutation, body).await,
            Kind::Acl => self.replace_acl(mutation, body).await,
            Kind::RouteTable => self.replace_route_table(mutation, body).await,
            Kind::Port => Err(ports_are_views()),
        }
    }

    pub(super) async fn delete(&self, mutation: &Mutation) -> Result<Decision, Problem> {
        match mutation.target.kind {
            Kind::Project => self.delete_project(mutation).await,
            Kind::Host => self.delete_host(mutation).await,
            Kind::Token => self.delete_token(mutation).await,
            Kind::Network => self.delete_network(mutation).await,
            Kind::Peering => self.delete_peering(mutation).await,
            Kind::Subnet => self.delete_subnet(mutation).await,
            Kind::Node => self.delete_node(mutation).await,
            Kind::SecurityGroup => self.delete_security_group(mutation).await,
            Kind::Acl => self.delete_acl(mutation).await,
            Kind::RouteTable => self.delete_route_table(mutation).await,
            Kind::Port => Err(ports_are_views()),
        }
    }

    /// The object that is to be changed, at the revision that the client expects.
    async fn changing<S: ObjectKind>(&self, mutation: &Mutation) -> Result<Stored<S>, Problem> {
        if mutation.target.kind != S::KIND {
            return Err(no_such_action(&mutation.target));
        }
        let stored: Stored<S> = load::need(self.store.as_ref(), &mutation.target).await?;
        if_match(mutation.if_match, stored.entry.modified)?;
        Ok(stored)
    }

    /// Refuses a name that is taken.
    async fn refuse_taken<S: ObjectKind>(
        &self,
        target: &Target,
        name: &str,
    ) -> Result<(), Problem> {
        let store = self.store.as_ref();
        let found = load::find::<S>(store, &target.project, &target.network, name).await?;
        match found {
            Some(_) => Err(problems::exists(S::KIND, name)),
            None => Ok(()),
        }
    }

    /// The project and the network of a target.
    async fn in_network(&self, target: &Target) -> Result<InNetwork, Problem> {
        let project = self.project_of(target).await?;
        let network = Target {
            kind: Kind::Network,
            network: String::new(),
            name: target.network.clone(),
            project: target.project.clone(),
        };
        let network = load::need(self.store.as_ref(), &network).await?;
        Ok(InNetwork { project, network })
    }

    /// The project of a target.
    async fn project_of(&self, target: &Target) -> Result<Stored<ProjectSpec>, Problem> {
        let target = Target {
            kind: Kind::Project,
            project: String::new(),
            network: String::new(),
            name: target.project.clone(),
        };
        load::need(self.store.as_ref(), &target).await
    }

    /// How many objects of a kind a network (or a project) has, counted up to `max`.
    async fn count<S: ObjectKind>(&self, target: &Target, max: u64) -> Result<u64, Problem> {
        let prefix = keys::within(S::KIND, &target.project, &target.network);
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let (mut count, mut after) = (0, Arc::from(""));
        while count < max {
            // A page is shorter where its objects are large.
            let page = self.store.range(&prefix, &after, max - count).await;
            let page = page.map_err(problems::of_store)?;
            count += page.entries.len();
            match page.entries.last() {
                Some(last) if page.more => after = last.key.clone(),
                _ => break,
            }
        }
        Ok(count as u64)
    }

    /// Hosts that must know a network.
    fn add_subscribers(&self, vni: u32, draft: &mut Draft) {
        draft.hosts.extend(self.hosts.subscribers(vni));
    }

    /// The end of a change of labels and spec: nothing, where they are the same as before.
    fn replaced<S: ObjectKind + PartialEq>(
        &self,
        mutation: &Mutation,
        before: Stored<S>,
        labels: Labels,
        spec: S,
        status: S::Status,
        mut draft: Draft,
    ) -> Result<Decision, Problem>
    where
        S::Status: PartialEq,
    {
        let old = &before.object;
        if old.metadata.labels == labels && old.spec == spec && old.status == status {
            return Ok(Decision::unchanged(&mutation.target, before.entry));
        }
        let mut object: ObjectOf<S> = old.clone();
        object.metadata.labels = labels;
        object.metadata.updated_at = rfc3339(self.now());
        object.spec = spec;
        object.status = status;
        let put = draft.update(&before, &object, String::new())?;
        Ok(Decision::of(
            &mutation.target,
            draft,
            AuditAction::Updated,
            put,
        ))
    }
}

/// The body of a replacement, and the problems of its identity.
fn replacement<S: ObjectKind>(
    mutation: &Mutation,
    value: &Value,
) -> Result<(body::Body<S>, FieldProblems), Problem> {
    let mut problems = FieldProblems::default();
    let body = body::object(value, &mutation.target, &mut problems)?;
    Ok((body, problems))
}

fn ports_are_views() -> Problem {
    problems::conflict("a port is its node's: create, change or delete the node")
}

/// Refuses what would be one more than a quota allows.
fn refuse_beyond(quota: u64, present: u64, what: &str) -> Result<(), Problem> {
    if present < quota {
        return Ok(());
    }
    let detail =
        format!("there are {present} {what} of {quota}; delete some, or ask the operator for more");
    Err(problems::quota(detail))
}
