//! Reading objects and lists of them.

use std::sync::Arc;

use inlay_api::objects::{Kind, Labels, List, Metadata, Problem, Role, Scope};
use serde::Deserialize;
use serde_json::Value;

use crate::keys;
use crate::store::Entry;

use super::authorize::{self, Verb};
use super::request::{Actor, Listing, Target};
use super::view::View;
use super::{Service, load, problems};

/// Most objects of a page.
const LIMIT_MAX: usize = 1_000;
/// Objects that one call looks at, at most, to find those with the labels.
const SCANNED_MAX: usize = 10_000;

impl Service {
    /// An object.
    ///
    /// # Errors
    /// `not-found` where it is not there, or not for the actor; `forbidden`.
    pub async fn read(&self, actor: &Actor, target: &Target) -> Result<Value, Problem> {
        if !load::is_addressed(target, true) {
            return Err(problems::target_not_found(target));
        }
        authorize::authorize(actor, Verb::Read, target)?;
        self.in_step().await?;
        let key = load::key(&stored(target));
        let entry = self.store.get(&key).await.map_err(problems::of_store)?;
        let entry = entry.ok_or_else(|| problems::target_not_found(target))?;
        if !sees(actor, target.kind, &entry)? {
            return Err(problems::target_not_found(target));
        }
        let mut view = View::new(self, true);
        match target.kind {
            Kind::Port => view.port(&entry),
            _ => view.object(&entry),
        }
    }

    /// A page of a list, in the order of keys. It can be short, even empty, and have one after it.
    ///
    /// # Errors
    /// `not-found` for what is in another project or in a network that is not there; `forbidden`, `invalid`.
    pub async fn list(&self, listing: Listing) -> Result<List<Value>, Problem> {
        let (actor, target) = (&listing.actor, &listing.target);
        if !(1..=LIMIT_MAX).contains(&listing.limit) {
            let message = format!(
                "{} is outside 1..={LIMIT_MAX}; choose one inside",
                listing.limit
            );
            return Err(problems::invalid_field("limit", message));
        }
        authorize::authorize(actor, Verb::List, target)?;
        self.refuse_unplaced(target).await?;
        self.in_step().await?;
        let (found, next) = match self.scattered(&listing) {
            Some(paths) => self.page_of(&listing, paths).await?,
            None => self.page(&listing).await?,
        };
        let mut view = View::new(self, false);
        let items: Result<Vec<Value>, Problem> = found
            .iter()
            .map(|entry| match target.kind {
                Kind::Port => view.port(entry),
                _ => view.object(entry),
            })
            .collect();
        Ok(List {
            items: items?,
            next_page_token: next,
        })
    }

    /// Refuses lists of projects and networks that are not there.
    async fn refuse_unplaced(&self, target: &Target) -> Result<(), Problem> {
        if target.kind.scope() == Scope::System || target.project.is_empty() {
            return Ok(());
        }
        let project = Target {
            kind: Kind::Project,
            project: String::new(),
            network: String::new(),
            name: target.project.clone(),
        };
        self.refuse_absent(&project).await?;
        if target.kind.scope() == Scope::Project || target.network.is_empty() {
            return Ok(());
        }
        let network = Target {
            kind: Kind::Network,
            project: target.project.clone(),
            network: String::new(),
            name: target.network.clone(),
        };
        self.refuse_absent(&network).await
    }

    async fn refuse_absent(&self, target: &Target) -> Result<(), Problem> {
        let absent = || problems::target_not_found(target);
        if !load::is_addressed(target, true) {
            return Err(absent());
        }
        let found = self.store.get(&load::key(target)).await;
        found
            .map_err(problems::of_store)?
            .map(drop)
            .ok_or_else(absent)
    }

    /// The entries of a page, and the token of the next one.
    async fn page(&self, listing: &Listing) -> Result<(Vec<Entry>, Option<String>), Problem> {
        let target = stored(&listing.target);
        let all = keys::kind(target.kind);
        let prefix = prefix(&target);
        let mut after: Arc<str> = match &listing.page_token {
            None => Arc::from(""),
            Some(token) => {
                let key = format!("{all}{token}");
                if !key.starts_with(&prefix) {
                    return Err(problems::bad_page_token());
                }
                Arc::from(key)
            }
        };
        let (mut found, mut seen, mut more) = (Vec::new(), 0, true);
        while found.len() < listing.limit && seen < SCANNED_MAX && more {
            // Without a filter that is all that is needed.
            let count = if listing.labels.is_empty() {
                listing.limit
            } else {
                LIMIT_MAX
            };
            let page = self.store.range(&prefix, &after, count).await;
            let page = page.map_err(problems::of_store)?;
            more = page.more;
            let count = page.entries.len();
            seen += count;
            for (nth, entry) in page.entries.into_iter().enumerate() {
                after = entry.key.clone();
                if matches(&listing.labels, &entry) {
                    found.push(entry);
                }
                if found.len() == listing.limit {
                    more |= nth + 1 < count;
                    break;
                }
            }
        }
        let token = after.strip_prefix(&all).map(str::to_owned);
        Ok((found, token.filter(|_| more)))
    }

    /// What is on a list whose objects are among those of others, in the order of their keys: peerings that a project
    /// asked for or is asked for, and what a project's token sees of the system's. `None` for other lists.
    fn scattered(&self, listing: &Listing) -> Option<Vec<String>> {
        let (actor, project) = (&listing.actor, listing.target.project.as_str());
        let own = actor.project.as_deref();
        let own = own.filter(|_| actor.role != Role::Admin);
        let index = self.index.read();
        match listing.target.kind {
            Kind::Project => own.map(|own| vec![own.to_owned()]),
            Kind::Token => own.map(|own| {
                let tokens = index.tokens().filter(|(.., of)| *of == Some(own));
                tokens.map(|(name, ..)| name.to_owned()).collect()
            }),
            Kind::Peering if !project.is_empty() => {
                let peerings = index.peerings().filter(|(path, spec, _)| {
                    let asking = path.split_once('/').map(|(asking, _)| asking);
                    asking == Some(project) || spec.peer_project.as_deref() == Some(project)
                });
                Some(peerings.map(|(path, ..)| path.to_owned()).collect())
            }
            _ => None,
        }
    }

    /// As `page`, of the objects of these paths.
    async fn page_of(
        &self,
        listing: &Listing,
        paths: Vec<String>,
    ) -> Result<(Vec<Entry>, Option<String>), Problem> {
        let kind = listing.target.kind;
        let after = listing.page_token.as_deref().unwrap_or("");
        let mut rest = paths.into_iter().filter(|path| path.as_str() > after);
        let mut found = Vec::new();
        for path in rest.by_ref() {
            let key = format!("{}{path}", keys::kind(kind));
            let entry = self.store.get(&key).await.map_err(problems::of_store)?;
            // It may be another one since the index was asked.
            if let Some(entry) = entry
                && matches(&listing.labels, &entry)
                && sees(&listing.actor, kind, &entry)?
            {
                found.push(entry);
            }
            if found.len() == listing.limit {
                let next = rest.next().is_some().then_some(path);
                return Ok((found, next));
            }
        }
        Ok((found, None))
    }
}

/// The target whose object is stored: a port's is its node.
fn stored(target: &Target) -> Target {
    let kind = match target.kind {
        Kind::Port => Kind::Node,
        kind => kind,
    };
    Target {
        kind,
        ..target.clone()
    }
}

/// Before the keys of a list.
fn prefix(target: &Target) -> String {
    let all = keys::kind(target.kind);
    match (
        target.kind.scope(),
        target.project.as_str(),
        target.network.as_str(),
    ) {
        (Scope::System, ..) | (Scope::Project | Scope::Network, "", _) => all,
        (Scope::Project, project, _) | (Scope::Network, project, "") => format!("{all}{project}/"),
        (Scope::Network, project, network) => format!("{all}{project}/{network}/"),
    }
}

/// Whether an entry is there for the actor, as far as the path does not say it.
fn sees(actor: &Actor, kind: Kind, entry: &Entry) -> Result<bool, Problem> {
    if actor.role == Role::Admin {
        return Ok(true);
    }
    let path = keys::parse_object(&entry.key).map_or("", |(_, path)| path);
    Ok(match kind {
        Kind::Project => actor.project.as_deref() == Some(path),
        Kind::Token => authorize::sees_token(actor, &load::decode(entry.clone())?.object.spec),
        Kind::Peering => {
            let stored = load::decode::<inlay_api::objects::PeeringSpec>(entry.clone())?;
            let target = Target {
                kind,
                project: stored.object.metadata.project,
                network: String::new(),
                name: stored.object.metadata.name,
            };
            authorize::peering(actor, Verb::Read, &target, &stored.object.spec).is_ok()
        }
        _ => true,
    })
}

/// Whether an object has all these labels.
fn matches(labels: &Labels, entry: &Entry) -> bool {
    #[derive(Deserialize)]
    struct Labelled {
        metadata: Metadata,
    }
    if labels.is_empty() {
        return true;
    }
    let found = serde_json::from_slice::<Labelled>(&entry.value);
    found.is_ok_and(|it| {
        let has = |(key, value)| it.metadata.labels.get(key) == Some(value);
        labels.iter().all(has)
    })
}
