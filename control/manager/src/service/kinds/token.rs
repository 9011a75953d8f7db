//! Tokens.

use std::sync::Arc;

use inlay_api::objects::validate::{self, FieldProblems};
use inlay_api::objects::{AuditAction, Kind, Problem, ProjectSpec, Role, TokenSpec, TokenStatus};
use jiff::Timestamp;
use serde_json::Value;

use crate::keys;
use crate::store::{Condition, Operation};

use super::super::authorize;
use super::super::draft::{Answer, Decision, Draft, Stored, identity};
use super::super::request::{Actor, Mutation};
use super::super::{Service, body, load, new_secret, problems, secret, secret_hash};
use super::{refuse_beyond, replacement};

/// Tokens of all projects, and of one. About 200 bytes each.
const TOKENS_MAX: u64 = 10_000;
const TOKENS_PER_PROJECT_MAX: u64 = 100;

impl Service {
    pub(super) async fn create_token(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let target = &mutation.target;
        let (mut body, mut problems) = replacement::<TokenSpec>(mutation, value)?;
        let name = body::name(&body, target, &mut problems);
        if mutation.actor.role != Role::Admin && body.spec.project.is_none() {
            body.spec.project.clone_from(&mutation.actor.project);
        }
        authorize::may_issue(&mutation.actor, &body.spec)?;
        self.check_token(&body.spec, &mut problems).await?;
        body::finish(problems)?;
        self.refuse_longer(&mutation.actor, &body.spec).await?;
        self.refuse_taken::<TokenSpec>(target, &name).await?;
        self.refuse_many_tokens(body.spec.project.as_deref())?;
        let secret = new_secret();
        let status = TokenStatus {
            hint: secret::hint(&secret),
        };
        let mut draft = Draft::default();
        let key = keys::token(&secret_hash(&secret));
        draft.conditions(Condition::Absent(key.clone()));
        draft.operate(Operation::Put(key, name.clone().into()));
        let project = body.spec.project.clone().unwrap_or_default();
        let metadata = identity(target, &name, body.metadata.labels, self.now());
        let (key, value) = draft.create(metadata, body.spec, status, String::new())?;
        let decision = Decision::of(target, draft, AuditAction::Created, Default::default());
        Ok(Decision {
            answer: Answer::Token(key, value, secret),
            name,
            project,
            ..decision
        })
    }

    async fn check_token(
        &self,
        spec: &TokenSpec,
        problems: &mut FieldProblems,
    ) -> Result<(), Problem> {
        validate::description(&spec.description, problems);
        match (spec.role, &spec.project) {
            (Role::Admin, Some(_)) => {
                problems.add(
                    "spec.project",
                    "an admin's token is of no project; take it out",
                );
            }
            (Role::Admin, None) => {}
            (Role::Editor | Role::Reader, None) => {
                problems.add("spec.project", "the token is of no project; name one");
            }
            (Role::Editor | Role::Reader, Some(project)) => {
                let store = self.store.as_ref();
                if load::find::<ProjectSpec>(store, "", "", project)
                    .await?
                    .is_none()
                {
                    let message = "there is no such project; create it, or correct the name";
                    problems.add("spec.project", message);
                }
            }
        }
        if let Some(text) = &spec.expires_at {
            let message = match text.parse::<Timestamp>() {
                Ok(ends) if ends > self.now() => return Ok(()),
                Ok(_) => "that is over; choose a time to come",
                Err(_) => "it is not a time; write one like 2031-01-31T12:00:00Z",
            };
            problems.add("spec.expires_at", message);
        }
        Ok(())
    }

    /// Refuses a token that would outlive the one that it is made with, unless that is the operator's.
    async fn refuse_longer(&self, actor: &Actor, spec: &TokenSpec) -> Result<(), Problem> {
        let ends = |spec: &TokenSpec| spec.expires_at.as_ref()?.parse::<Timestamp>().ok();
        let own = load::find::<TokenSpec>(self.store.as_ref(), "", "", &actor.token).await?;
        let own = own.filter(|_| actor.role != Role::Admin);
        let Some(latest) = own.and_then(|own| ends(&own.object.spec)) else {
            return Ok(());
        };
        if ends(spec).is_some_and(|ends| ends <= latest) {
            return Ok(());
        }
        Err(problems::forbidden(format!(
            "spec.expires_at: your own token ends at {latest}; choose that, or a time before it"
        )))
    }

    fn refuse_many_tokens(&self, project: Option<&str>) -> Result<(), Problem> {
        let index = self.index.read();
        refuse_beyond(TOKENS_MAX, index.tokens().count() as u64, "tokens")?;
        if project.is_some() {
            let own = index.tokens().filter(|(_, _, of)| *of == project).count();
            refuse_beyond(TOKENS_PER_PROJECT_MAX, own as u64, "tokens of the project")?;
        }
        Ok(())
    }

    /// The token of the target, if the actor may know of it.
    async fn changing_token(&self, mutation: &Mutation) -> Result<Stored<TokenSpec>, Problem> {
        let stored: Stored<TokenSpec> = load::need(self.store.as_ref(), &mutation.target).await?;
        if !authorize::sees_token(&mutation.actor, &stored.object.spec) {
            return Err(problems::target_not_found(&mutation.target));
        }
        authorize::may_issue(&mutation.actor, &stored.object.spec)?;
        self.changing(mutation).await
    }

    pub(super) async fn replace_token(
        &self,
        mutation: &Mutation,
        value: &Value,
    ) -> Result<Decision, Problem> {
        let before = self.changing_token(mutation).await?;
        let (body, mut problems) = replacement::<TokenSpec>(mutation, value)?;
        let (old, new) = (&before.object.spec, &body.spec);
        let (kind, list) = (Kind::Token, &mut problems);
        validate::description(&new.description, list);
        body::unchanged("spec.role", &old.role, &new.role, kind, list);
        body::unchanged("spec.project", &old.project, &new.project, kind, list);
        body::unchanged(
            "spec.expires_at",
            &old.expires_at,
            &new.expires_at,
            kind,
            list,
        );
        body::finish(problems)?;
        let project = before.object.spec.project.clone().unwrap_or_default();
        let status = before.object.status.clone();
        let labels = body.metadata.labels;
        let decision = self.replaced(
            mutation,
            before,
            labels,
            body.spec,
            status,
            Draft::default(),
        )?;
        Ok(Decision {
            project,
            ..decision
        })
    }

    pub(super) async fn delete_token(&self, mutation: &Mutation) -> Result<Decision, Problem> {
        let stored = self.changing_token(mutation).await?;
        let name = &mutation.target.name;
        if stored.object.spec.role == Role::Admin {
            let index = self.index.read();
            let mut others = index.tokens().filter(|(other, ..)| other != name);
            if !others.any(|(_, role, _)| role == Role::Admin) {
                let detail = "it is the last token of role admin; make another one first";
                return Err(problems::conflict(detail));
            }
        }
        let mut draft = Draft::default();
        let object = draft.delete(&stored);
        for key in self.hashes_of(name).await? {
            draft.operate(Operation::Delete(key));
        }
        let project = stored.object.spec.project.clone().unwrap_or_default();
        let decision = Decision::of(&mutation.target, draft, AuditAction::Deleted, object);
        Ok(Decision {
            project,
            ..decision
        })
    }

    /// Keys under which the store has a token's name.
    async fn hashes_of(&self, name: &str) -> Result<Vec<String>, Problem> {
        const PAGE: usize = 1_000;
        let (mut found, mut after) = (Vec::new(), Arc::from(""));
        loop {
            let page = self.store.range(keys::TOKENS, &after, PAGE).await;
            let page = page.map_err(problems::of_store)?;
            let own = page
                .entries
                .iter()
                .filter(|entry| entry.value == name.as_bytes());
            found.extend(own.map(|entry| entry.key.to_string()));
            match page.entries.last() {
                Some(last) if page.more => after = last.key.clone(),
                _ => return Ok(found),
            }
        }
    }
}
