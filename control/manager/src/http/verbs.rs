//! What the HTTP API needs of the service beneath it, so that it can be tried without a store.

use futures_util::future::BoxFuture;
use inlay_api::objects::{AuditEntry, List, Problem};
use serde_json::Value;

use crate::service::{Actor, Listing, Mutation, Outcome, Service, Target};

/// A request for a part of the audit log, the oldest entries first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditQuery {
    /// Who asks.
    pub actor: Actor,
    /// Of this project; `None`: of all, which is the operator's to ask.
    pub project: Option<String>,
    /// At most so many, 1 to 1,000.
    pub limit: usize,
    /// Where the page before ended.
    pub page_token: Option<String>,
}

/// What an answer takes time for, or the problem.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Problem>>;

/// The verbs of the API. Whoever does them checks what the actor may.
pub trait Verbs: Send + Sync + 'static {
    /// Whose bearer token this is; `None` where it is nobody's, or has ended.
    fn authenticate<'a>(&'a self, secret: &'a str) -> BoxFuture<'a, Option<Actor>>;

    /// An object.
    ///
    /// # Errors
    /// The problem, as it is answered.
    fn read<'a>(&'a self, actor: &'a Actor, target: &'a Target) -> Answer<'a, Value>;

    /// A page of objects.
    ///
    /// # Errors
    /// The problem, as it is answered.
    fn list(&self, listing: Listing) -> Answer<'_, List<Value>>;

    /// Changes something.
    ///
    /// # Errors
    /// The problem, as it is answered; then nothing was changed.
    fn mutate(&self, mutation: Mutation) -> Answer<'_, Outcome>;

    /// A page of the audit log.
    ///
    /// # Errors
    /// The problem, as it is answered.
    fn audit(&self, query: AuditQuery) -> Answer<'_, List<AuditEntry>>;
}

impl Verbs for Service {
    fn authenticate<'a>(&'a self, secret: &'a str) -> BoxFuture<'a, Option<Actor>> {
        Box::pin(self.authenticate(secret))
    }

    fn read<'a>(&'a self, actor: &'a Actor, target: &'a Target) -> Answer<'a, Value> {
        Box::pin(self.read(actor, target))
    }

    fn list(&self, listing: Listing) -> Answer<'_, List<Value>> {
        Box::pin(self.list(listing))
    }

    fn mutate(&self, mutation: Mutation) -> Answer<'_, Outcome> {
        Box::pin(self.mutate(mutation))
    }

    fn audit(&self, query: AuditQuery) -> Answer<'_, List<AuditEntry>> {
        Box::pin(async move {
            let (project, after) = (query.project.as_deref(), query.page_token.as_deref());
            self.audit(&query.actor, project, after, query.limit).await
        })
    }
}
