//! Objects from the store, typed.

use std::sync::Arc;

use inlay_api::Name;
use inlay_api::objects::{Metadata, ObjectKind, Problem, Scope};

use crate::keys;
use crate::store::{Entry, Store};

use super::draft::Stored;
use super::problems;
use super::request::Target;

/// Entries that are read at a time.
const PAGE: usize = 500;
/// Objects that are told as users of another one.
const USERS_TOLD_MAX: usize = 5;
/// Objects that are looked at to find these.
const USERS_SCANNED_MAX: usize = 20_000;

/// Whether each part of a target that its kind has is a name, and no other part is there. `named` says whether the
/// last part is needed.
pub(super) fn is_addressed(target: &Target, named: bool) -> bool {
    let is_name = |text: &str| text.parse::<Name>().is_ok();
    let (project, network) = match target.kind.scope() {
        Scope::System => (false, false),
        Scope::Project => (true, false),
        Scope::Network => (true, true),
    };
    let fits = |text: &str, needed: bool| {
        if needed {
            is_name(text)
        } else {
            text.is_empty()
        }
    };
    fits(&target.project, project)
        && fits(&target.network, network)
        && (is_name(&target.name) || (!named && target.name.is_empty()))
}

/// The typed object of an entry.
pub(super) fn decode<S: ObjectKind>(entry: Entry) -> Result<Stored<S>, Problem> {
    match serde_json::from_slice(&entry.value) {
        Ok(object) => Ok(Stored { entry, object }),
        Err(error) => {
            tracing::error!(key = %entry.key, %error, "a stored object cannot be read");
            let detail =
                "what is stored cannot be read; restore a backup, and see the manager's log";
            Err(problems::unavailable(detail))
        }
    }
}

/// The object, where it is there; names that are none lead nowhere.
pub(super) async fn find<S: ObjectKind>(
    store: &dyn Store,
    project: &str,
    network: &str,
    name: &str,
) -> Result<Option<Stored<S>>, Problem> {
    let target = Target {
        kind: S::KIND,
        project: project.to_owned(),
        network: network.to_owned(),
        name: name.to_owned(),
    };
    if !is_addressed(&target, true) {
        return Ok(None);
    }
    let key = key(&target);
    let entry = store.get(&key).await.map_err(problems::of_store)?;
    entry.map(decode).transpose()
}

/// The object that a target names.
///
/// # Errors
/// `not-found`, where it is not there.
pub(super) async fn need<S: ObjectKind>(
    store: &dyn Store,
    target: &Target,
) -> Result<Stored<S>, Problem> {
    let found = find(store, &target.project, &target.network, &target.name).await?;
    found.ok_or_else(|| problems::target_not_found(target))
}

/// The key of a target whose parts are names.
pub(super) fn key(target: &Target) -> String {
    let metadata = Metadata {
        project: target.project.clone(),
        network: target.network.clone(),
        name: target.name.clone(),
        ..Metadata::default()
    };
    keys::object(target.kind, &metadata)
}

/// All objects of a kind in a network (or a project), at most `max`.
pub(super) async fn all<S: ObjectKind>(
    store: &dyn Store,
    project: &str,
    network: &str,
    max: usize,
) -> Result<Vec<Stored<S>>, Problem> {
    let mut found = Vec::new();
    visit::<S>(store, project, network, max, |stored| {
        found.push(stored);
        true
    })
    .await?;
    Ok(found)
}

/// Names of the objects of a kind that use something, as they are told: the first few.
pub(super) async fn users<S: ObjectKind>(
    store: &dyn Store,
    project: &str,
    network: &str,
    uses: impl Fn(&Stored<S>) -> bool + Send + Sync,
) -> Result<Vec<String>, Problem> {
    let mut names = Vec::new();
    visit::<S>(store, project, network, USERS_SCANNED_MAX, |stored| {
        if uses(&stored) {
            names.push(stored.object.metadata.name);
        }
        names.len() < USERS_TOLD_MAX
    })
    .await?;
    Ok(names)
}

/// Names as a sentence tells them: "nodes a, b and 7 more".
pub(super) fn told(what: &str, names: &[String], count: u64) -> String {
    let more = count.saturating_sub(names.len() as u64);
    let more = match (names.is_empty(), more) {
        (_, 0) if names.len() == USERS_TOLD_MAX => " and perhaps more".to_owned(),
        (_, 0) => String::new(),
        (true, more) => format!("{more} of them"),
        (false, more) => format!(" and {more} more"),
    };
    format!("{what} {}{more}", names.join(", "))
}

/// Calls `visit` with each object until it returns false, or `max` were looked at.
async fn visit<S: ObjectKind>(
    store: &dyn Store,
    project: &str,
    network: &str,
    max: usize,
    mut visit: impl FnMut(Stored<S>) -> bool + Send,
) -> Result<(), Problem> {
    let prefix = keys::within(S::KIND, project, network);
    let (mut after, mut seen) = (Arc::from(""), 0);
    loop {
        let page = store.range(&prefix, &after, PAGE.min(max - seen)).await;
        let page = page.map_err(problems::of_store)?;
        seen += page.entries.len();
        let last = page.entries.last().map(|entry| entry.key.clone());
        for entry in page.entries {
            if !visit(decode(entry)?) {
                return Ok(());
            }
        }
        match last {
            Some(last) if page.more && seen < max => after = last,
            _ => return Ok(()),
        }
    }
}
