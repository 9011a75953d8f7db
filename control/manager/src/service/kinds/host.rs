//! Hosts.

use inlay_api::limits::HOSTS_MAX;
use inlay_api::objects::{AuditAction, HostSpec, HostStatus, Kind, Problem, validate};
use serde_json::Value;

use crate::keys::{self, Claim};
use crate::store::Operation;

use super::super::draft::{Answer, Decision, Draft, identity};
use super::super::request::Mutation;
use super::super::{Service, body, load, problems};
use super::{refuse_beyond, replacement};

/// Networks that are told as having nodes on a host.
const NETWORKS_TOLD_MAX: usize = 5;

impl Service {
    pub(super) async fn create_host(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let (body, mut problems) = replacement::<HostSpec>(mutation, value)?;
        let name = body::name(&body, target, &mut problems);
        let values = validate::host(&body.spec, &mut problems);
        body::finish(problems)?;
        self.refuse_taken::<HostSpec>(target, &name).await?;
        let present = self.index.read().hosts().count() as u64;
        refuse_beyond(HOSTS_MAX as u64, present, "hosts")?;
        let mut draft = Draft::default();
        let metadata = identity(target, &name, body.metadata.labels, self.now());
        if let Some(values) = values {
            let key = keys::prefix_claim(values.prefix.octets());
            if self
                .store
                .get(&key)
                .await
                .map_err(problems::of_store)?
                .is_some()
            {
                let message = "another host has this prefix; give each host its own";
                return Err(problems::conflict_field("spec.prefix", message));
            }
            let claim = Claim {
                owner: metadata.uid.clone(),
                ..Claim::default()
            };
            draft.claim(key, &claim, None)?;
        }
        let status = HostStatus::default();
        let object = draft.create(metadata, body.spec, status, String::new())?;
        Ok(Decision {
            name,
            ..Decision::of(target, draft, AuditAction::Created, object)
        })
    }

    pub(super) async fn replace_host(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let before = self.changing::<HostSpec>(mutation).await?;
        let (body, mut problems) = replacement::<HostSpec>(mutation, value)?;
        let values = validate::host(&body.spec, &mut problems);
        let old = validate::host(&before.object.spec, &mut validate::FieldProblems::default());
        let prefix = |values: Option<validate::HostValues>| values.map(|values| values.prefix);
        if values.is_some() {
            let (old, new) = (prefix(old), prefix(values));
            body::unchanged("spec.prefix", &old, &new, Kind::Host, &mut problems);
        }
        body::finish(problems)?;
        let status = before.object.status.clone();
        let mut draft = Draft::default();
        draft.hosts.insert(mutation.target.name.as_str().into());
        self.replaced(
            mutation,
            before,
            body.metadata.labels,
            body.spec,
            status,
            draft,
        )
    }

    pub(super) async fn delete_host(&self, mutation: &Mutation) -> Result<Decision, Problem> {
        let stored = self.changing::<HostSpec>(mutation).await?;
        let name = &mutation.target.name;
        self.refuse_inhabited(name)?;
        let mut draft = Draft::default();
        let object = draft.delete(&stored);
        let mut ignored = validate::FieldProblems::default();
        if let Some(values) = validate::host(&stored.object.spec, &mut ignored) {
            let claim = keys::prefix_claim(values.prefix.octets());
            draft.operate(Operation::Delete(claim));
        }
        draft.operate(Operation::Delete(keys::host_identity(name)));
        draft.hosts.insert(name.as_str().into());
        Ok(Decision::of(
            &mutation.target,
            draft,
            AuditAction::Deleted,
            object,
        ))
    }

    /// Refuses where nodes are on the host, on their way to it, or not yet known to have left it.
    fn refuse_inhabited(&self, name: &str) -> Result<(), Problem> {
        let index = self.index.read();
        let Some((number, host)) = index.hosts().find(|(_, host)| *host.name == *name) else {
            return Ok(());
        };
        let nodes = host.nodes_total();
        if nodes == 0 {
            return Ok(());
        }
        let of = index.networks().filter(|(_, of)| of.nodes_on(number) > 0);
        let networks: Vec<String> = of
            .take(NETWORKS_TOLD_MAX)
            .map(|(path, _)| path.to_owned())
            .collect();
        let networks = load::told("networks", &networks, host.networks.into());
        let by = format!("{nodes} nodes of {networks}");
        Err(problems::in_use(Kind::Host, name, &by))
    }

    pub(in crate::service) async fn issue_join_token(
        &self,
        mutation: &Mutation,
    ) -> Result<Decision, Problem> {
        let stored = self.changing::<HostSpec>(mutation).await?;
        let nothing = (String::new(), bytes::Bytes::new());
        let mut decision = Decision {
            detail: "a join token was made".to_owned(),
            ..Decision::of(
                &mutation.target,
                Draft::default(),
                AuditAction::Event,
                nothing,
            )
        };
        decision.answer = Answer::Unchanged(stored.entry);
        if !mutation.dry_run {
            let issued = self.settings.join_tokens.issue(&mutation.target.name);
            decision.answer = Answer::JoinToken(issued.await.map_err(problems::of_store)?);
        }
        Ok(decision)
    }
}
