//! The audit log: who changed what, when.

use std::sync::Arc;

use inlay_api::objects::{AuditEntry, Kind, List, Problem, ProjectSpec, Role};
use uuid::Uuid;

use crate::keys;
use crate::store::{Operation, Revision};

use super::draft::{Decision, rfc3339};
use super::request::{Actor, Mutation};
use super::{Service, load, problems};

/// Entries that one call looks at, at most, to find those of a project.
const SCANNED_MAX: usize = 10_000;
/// Entries that are read at a time.
const PAGE: usize = 1_000;
/// Most entries of a page.
const LIMIT_MAX: usize = 1_000;

impl Service {
    /// Entries of the audit log, the oldest first: of a project, or of everything, which is the operator's to see.
    /// `after` is the page token of the page before. A page can be short, even empty, and have one after it.
    ///
    /// # Errors
    /// `not-found` for another project; `forbidden`, `invalid`.
    pub async fn audit(
        &self,
        actor: &Actor,
        project: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<List<AuditEntry>, Problem> {
        let since = self.may_see_log(actor, project).await?;
        if !(1..=LIMIT_MAX).contains(&limit) {
            let message = format!("{limit} is outside 1..={LIMIT_MAX}; choose one inside");
            return Err(problems::invalid_field("limit", message));
        }
        let mut after: Arc<str> = match after {
            None => Arc::from(""),
            Some(token) => match token.parse::<Uuid>() {
                Ok(uid) => Arc::from(keys::audit(uid)),
                Err(_) => return Err(problems::bad_page_token()),
            },
        };
        let (mut items, mut seen, mut more) = (Vec::new(), 0, true);
        while items.len() < limit && seen < SCANNED_MAX && more {
            let page = self.store.range(keys::AUDIT, &after, PAGE).await;
            let page = page.map_err(problems::of_store)?;
            more = page.more;
            for (nth, entry) in page.entries.iter().enumerate() {
                after = entry.key.clone();
                seen += 1;
                let Ok(mut found) = serde_json::from_slice::<AuditEntry>(&entry.value) else {
                    tracing::error!(key = %entry.key, "an audit entry cannot be read");
                    continue;
                };
                found.revision = entry.modified;
                let is_own = |project| found.project == project && found.revision >= since;
                if project.is_none_or(is_own) {
                    items.push(found);
                }
                if items.len() == limit {
                    more |= nth + 1 < page.entries.len();
                    break;
                }
            }
        }
        let token = after.strip_prefix(keys::AUDIT).map(str::to_owned);
        Ok(List {
            items,
            next_page_token: token.filter(|_| more),
        })
    }

    /// Since which revision the actor may see the log: that of a project begins with it, for one that had its name
    /// before may have been somebody else's.
    async fn may_see_log(&self, actor: &Actor, project: Option<&str>) -> Result<Revision, Problem> {
        let is_operator = actor.role == Role::Admin;
        let Some(project) = project else {
            let forbidden =
                || problems::forbidden("name your project; the whole log is the operator's");
            return is_operator.then_some(0).ok_or_else(forbidden);
        };
        let absent = || problems::not_found(Kind::Project, project);
        if !is_operator && actor.project.as_deref() != Some(project) {
            return Err(absent());
        }
        let found = load::find::<ProjectSpec>(self.store.as_ref(), "", "", project);
        let found = found.await?.ok_or_else(absent)?;
        Ok(found.entry.created)
    }

    /// What the log says of a mutation.
    pub(super) fn audit_entry(&self, mutation: &Mutation, decision: &Decision) -> AuditEntry {
        AuditEntry {
            revision: 0,
            at: rfc3339(self.now()),
            actor: mutation.actor.token.clone(),
            action: decision.audit,
            kind: mutation.target.kind.name().to_owned(),
            project: decision.project.clone(),
            network: mutation.target.network.clone(),
            name: decision.name.clone(),
            detail: decision.detail.clone(),
        }
    }
}

/// Writes an entry into the log, as part of the transaction that does what it tells of.
///
/// # Errors
/// Where it cannot be written as JSON, which its types exclude.
pub fn log_operation(entry: &AuditEntry) -> Result<Operation, serde_json::Error> {
    let value = serde_json::to_vec(entry)?;
    Ok(Operation::Put(keys::audit(Uuid::now_v7()), value.into()))
}
