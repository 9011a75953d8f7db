//! Peerings: one project asks, the other answers. No traffic follows from one yet: no route leads to a peer.
//!
//! Whether the other project and its network are there is not told to who asks; it is looked at when they answer.

use inlay_api::objects::validate::{self, FieldProblems};
use inlay_api::objects::{
    AuditAction, Kind, NetworkSpec, PeeringSpec, PeeringState, PeeringStatus, Problem,
};
use ipnet::Ipv4Net;
use serde_json::Value;

use super::super::authorize::{self, Verb};
use super::super::draft::{Decision, Draft, Stored, identity, if_match, rfc3339};
use super::super::mutate::no_such_action;
use super::super::request::{Action, Mutation, Target};
use super::super::{Service, body, load, problems};
use super::network::cidrs_of;
use super::{refuse_beyond, replacement};

/// Peerings that one project asks for.
const PEERINGS_PER_PROJECT_MAX: u64 = 128;

impl Service {
    pub(super) async fn create_peering(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        self.project_of(target).await?;
        let (body, mut problems) = replacement::<PeeringSpec>(mutation, value)?;
        let name = body::name(&body, target, &mut problems);
        self.check_peering(target, &body.spec, &mut problems)
            .await?;
        body::finish(problems)?;
        self.refuse_taken::<PeeringSpec>(target, &name).await?;
        let present = self
            .count::<PeeringSpec>(target, PEERINGS_PER_PROJECT_MAX)
            .await?;
        refuse_beyond(PEERINGS_PER_PROJECT_MAX, present, "peerings of the project")?;
        let mut draft = Draft::default();
        let metadata = identity(target, &name, body.metadata.labels, self.now());
        let status = PeeringStatus::default();
        let object = draft.create(metadata, body.spec, status, String::new())?;
        Ok(Decision {
            name,
            ..Decision::of(target, draft, AuditAction::Created, object)
        })
    }

    async fn check_peering(
        &self,
        target: &Target,
        spec: &PeeringSpec,
        problems: &mut FieldProblems,
    ) -> Result<(), Problem> {
        let store = self.store.as_ref();
        let own = load::find::<NetworkSpec>(store, &target.project, "", &spec.network).await?;
        if own.is_none() {
            let message = "the project has no such network; create it, or correct the name";
            problems.add("spec.network", message);
        }
        validate::name(&spec.peer_network, "spec.peer_network", problems);
        if let Some(peer) = &spec.peer_project {
            validate::name(peer, "spec.peer_project", problems);
        }
        if peer_project(target, spec) != target.project {
            return Ok(());
        }
        if spec.peer_network == spec.network {
            problems.add(
                "spec.peer_network",
                "it is the network itself; name another one",
            );
            return Ok(());
        }
        let peer =
            load::find::<NetworkSpec>(store, &target.project, "", &spec.peer_network).await?;
        match (own, peer) {
            (_, None) => {
                let message = "the project has no such network; create it, or correct the name";
                problems.add("spec.peer_network", message);
            }
            (Some(own), Some(peer)) => {
                if let Some(overlap) = overlap(&cidrs_of(&own), &cidrs_of(&peer)) {
                    problems.add("spec.peer_network", overlap);
                }
            }
            (None, Some(_)) => {}
        }
        Ok(())
    }

    /// The peering of the target, if the actor may know of it and do this.
    async fn changing_peering(&self, mutation: &Mutation) -> Result<Stored<PeeringSpec>, Problem> {
        let target = &mutation.target;
        if target.kind != Kind::Peering {
            return Err(no_such_action(target));
        }
        let stored: Stored<PeeringSpec> = load::need(self.store.as_ref(), target).await?;
        let verb = Verb::from(&mutation.action);
        authorize::peering(&mutation.actor, verb, target, &stored.object.spec)?;
        if_match(mutation.if_match, stored.entry.modified)?;
        Ok(stored)
    }

    pub(super) async fn replace_peering(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let before = self.changing_peering(mutation).await?;
        let (body, mut problems) = replacement::<PeeringSpec>(mutation, value)?;
        body::unchanged(
            "spec",
            &before.object.spec,
            &body.spec,
            Kind::Peering,
            &mut problems,
        );
        body::finish(problems)?;
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

    pub(super) async fn delete_peering(&self, mutation: &Mutation) -> Result<Decision, Problem> {
        let stored = self.changing_peering(mutation).await?;
        let mut draft = Draft::default();
        let object = draft.delete(&stored);
        let decision = Decision::of(&mutation.target, draft, AuditAction::Deleted, object);
        Ok(self.told_to_actor(mutation, decision))
    }

    pub(in crate::service) async fn answer_peering(
        &self,
        mutation: &Mutation,
    ) -> Result<Decision, Problem> {
        let before = self.changing_peering(mutation).await?;
        let state = match mutation.action {
            Action::Accept => PeeringState::Accepted,
            _ => PeeringState::Rejected,
        };
        if before.object.status.state == state {
            return Ok(Decision::unchanged(&mutation.target, before.entry));
        }
        if state == PeeringState::Accepted {
            self.refuse_overlap(&mutation.target, &before.object.spec)
                .await?;
        }
        let mut object = before.object.clone();
        object.status.state = state;
        object.metadata.updated_at = rfc3339(self.now());
        let mut draft = Draft::default();
        let put = draft.update(&before, &object, String::new())?;
        let decision = Decision {
            detail: if state == PeeringState::Accepted {
                "accepted"
            } else {
                "rejected"
            }
            .to_owned(),
            ..Decision::of(&mutation.target, draft, AuditAction::Updated, put)
        };
        Ok(self.told_to_actor(mutation, decision))
    }

    /// What a project did is in its own log, whosever the object is.
    #[allow(clippy::unused_self, reason = "it reads as a step of the others")]
    fn told_to_actor(&self, mutation: &Mutation, decision: Decision) -> Decision {
        match &mutation.actor.project {
            Some(project) => Decision {
                project: project.clone(),
                ..decision
            },
            None => decision,
        }
    }

    async fn refuse_overlap(&self, target: &Target, spec: &PeeringSpec) -> Result<(), Problem> {
        let store = self.store.as_ref();
        let peer = peer_project(target, spec);
        let own = load::find::<NetworkSpec>(store, &target.project, "", &spec.network).await?;
        let found = load::find::<NetworkSpec>(store, peer, "", &spec.peer_network).await?;
        let Some(found) = found else {
            return Err(problems::not_found(Kind::Network, &spec.peer_network));
        };
        // A network with a peering cannot be deleted by who asked for it.
        let own = own.ok_or_else(|| problems::not_found(Kind::Network, &spec.network))?;
        match overlap(&cidrs_of(&own), &cidrs_of(&found)) {
            Some(overlap) => Err(problems::conflict(overlap)),
            None => Ok(()),
        }
    }

    /// Peerings that a network is part of: those that its project asked for, and those that it accepted.
    pub(super) fn peerings_of(&self, network: &Target) -> Vec<String> {
        let ours = self.peers_of(network);
        ours.into_iter()
            .filter(|peer| peer.asked || peer.state == PeeringState::Accepted)
            .map(|peer| peer.path)
            .collect()
    }

    /// Networks that accepted peerings join to a network, and with which `cidrs` overlap.
    pub(super) async fn overlapping_peers(
        &self,
        network: &Target,
        cidrs: &[Ipv4Net],
    ) -> Result<Vec<(String, String)>, Problem> {
        let mut found = Vec::new();
        for peer in self.peers_of(network) {
            if peer.state != PeeringState::Accepted {
                continue;
            }
            let (project, name) = &peer.network;
            let other = load::find::<NetworkSpec>(self.store.as_ref(), project, "", name).await?;
            let overlap = other.and_then(|other| overlapping(cidrs, &cidrs_of(&other)));
            if let Some((own, _)) = overlap {
                found.push((format!("{project}/{name}"), own.to_string()));
            }
        }
        Ok(found)
    }

    fn peers_of(&self, network: &Target) -> Vec<Peer> {
        let (project, name) = (network.project.as_str(), network.name.as_str());
        let index = self.index.read();
        let all = index.peerings().filter_map(|(path, spec, state)| {
            let (asking, _) = path.split_once('/')?;
            let asked_of = spec.peer_project.as_deref().unwrap_or(asking);
            let peer = |network: (&str, &str), asked| Peer {
                path: path.to_owned(),
                network: (network.0.to_owned(), network.1.to_owned()),
                asked,
                state,
            };
            if (asking, spec.network.as_str()) == (project, name) {
                Some(peer((asked_of, &spec.peer_network), true))
            } else if (asked_of, spec.peer_network.as_str()) == (project, name) {
                Some(peer((asking, &spec.network), false))
            } else {
                None
            }
        });
        all.collect()
    }
}

/// A peering as it is seen from one of its networks.
struct Peer {
    /// `project/name` of the peering.
    path: String,
    /// Project and name of the other network.
    network: (String, String),
    /// Whether this side asked for it.
    asked: bool,
    state: PeeringState,
}

fn peer_project<'a>(target: &'a Target, spec: &'a PeeringSpec) -> &'a str {
    spec.peer_project.as_deref().unwrap_or(&target.project)
}

fn overlapping(ones: &[Ipv4Net], others: &[Ipv4Net]) -> Option<(Ipv4Net, Ipv4Net)> {
    let pairs = ones
        .iter()
        .flat_map(|one| others.iter().map(move |other| (*one, *other)));
    pairs
        .into_iter()
        .find(|(one, other)| one.contains(other) || other.contains(one))
}

fn overlap(own: &[Ipv4Net], peer: &[Ipv4Net]) -> Option<String> {
    let (own, peer) = overlapping(own, peer)?;
    Some(format!(
        "{own} and the peer's {peer} overlap; networks that are peered need addresses of their own"
    ))
}
