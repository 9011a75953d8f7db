//! Carries a plan out, one change after the other.

use anyhow::Context as _;
use indicatif::ProgressBar;
use inlay_api::objects::{Applied, Kind, Metadata, Scope};
use serde_json::{Value, json};

use super::{
    document::Document,
    plan::{self, Step},
    references::{self, Made},
    said,
};
use crate::client::{
    address::{self, Place},
    api::Answer,
    failure::Failure,
    mutation::How,
    verbs::Session,
};

/// One request.
struct Action<'a> {
    verb: &'static str,
    path: String,
    what: What<'a>,
}

enum What<'a> {
    /// Makes it, with this spec.
    Create(&'a Document, Value),
    /// Replaces spec and labels of what is at this revision, or of what there is.
    Replace(&'a Document, Option<&'a Value>),
    /// Takes out of it what refers to others, because it is about to be deleted.
    Clear(Kind, &'a Place, &'a Value, Value),
    Delete(Kind, &'a Place, &'a str),
}

/// Does the steps. What was done stays done where one fails.
pub(crate) fn carry_out(session: &Session, steps: &[Step], mut how: How) -> anyhow::Result<()> {
    let actions = actions(steps);
    let bar = ProgressBar::new(actions.len() as u64);
    how.is_quiet = true;
    let mut late: Option<Applied> = None;
    for (done, action) in actions.iter().enumerate() {
        let answer = act(session, action, how).with_context(|| {
            let (path, all) = (&action.path, actions.len());
            format!("{path} ({done} of {all} changes are done, and stay; apply again to go on)")
        })?;
        bar.suspend(|| said(session.format, &format!("{} {}", action.verb, action.path)))?;
        bar.inc(1);
        // A host that has not this one in time will not have the next one either.
        if let Some(applied) = answer.applied.filter(|applied| !applied.complete) {
            late = Some(applied);
            how.wait = None;
        }
    }
    bar.finish_and_clear();
    match late {
        Some(applied) => Err(Failure::NotApplied(applied).into()),
        None => Ok(()),
    }
}

/// The requests, in order: what is in a circle is made without what is not there yet, and completed afterwards.
fn actions(steps: &[Step]) -> Vec<Action<'_>> {
    let made: Made = steps
        .iter()
        .filter_map(|step| match step {
            Step::Create(wanted) => Some((wanted.kind, wanted.place.clone(), wanted.name.clone())),
            Step::Update { .. } | Step::Delete { .. } => None,
        })
        .collect();
    let less = |wanted: &Document| {
        let Document {
            kind,
            place,
            name,
            spec,
            ..
        } = wanted;
        references::without(*kind, place, name, spec, &made)
    };
    let (mut first, mut completing, mut clears, mut deletes) = (vec![], vec![], vec![], vec![]);
    for step in steps {
        let path = step.path();
        let action = |verb, what| Action {
            verb,
            path: path.clone(),
            what,
        };
        match step {
            Step::Create(wanted) => match less(wanted) {
                Some(less) => {
                    first.push(action("created", What::Create(wanted, less)));
                    completing.push(action("completed", What::Replace(wanted, None)));
                }
                None => first.push(action("created", What::Create(wanted, wanted.spec.clone()))),
            },
            Step::Update { wanted, current } => {
                let is_early = less(wanted).is_none();
                let list = if is_early {
                    &mut first
                } else {
                    &mut completing
                };
                list.push(action("changed", What::Replace(wanted, Some(current))));
            }
            Step::Delete {
                kind,
                place,
                name,
                current,
            } => {
                let spec = current.get("spec").unwrap_or(&Value::Null);
                if let Some(less) = references::without_any(*kind, spec) {
                    clears.push(action("cleared", What::Clear(*kind, place, current, less)));
                }
                deletes.push(action("deleted", What::Delete(*kind, place, name)));
            }
        }
    }
    first
        .into_iter()
        .chain(completing)
        .chain(clears)
        .chain(deletes)
        .collect()
}

fn act(session: &Session, action: &Action<'_>, how: How) -> anyhow::Result<Answer> {
    let api = &session.api;
    match &action.what {
        What::Create(wanted, spec) => create(session, wanted, spec, how),
        What::Replace(wanted, current) => {
            let found = match current {
                Some(_) => Value::Null,
                None => api.get(wanted.kind, &wanted.place, &wanted.name)?,
            };
            replace(session, wanted, current.unwrap_or(&found), how)
        }
        What::Clear(kind, place, current, spec) => {
            let mut object = (*current).clone();
            object["spec"] = spec.clone();
            Ok(api.replace(*kind, place, object, of_kind(*kind, how))?)
        }
        What::Delete(kind, place, name) => {
            Ok(api.delete(*kind, place, name, None, of_kind(*kind, how))?)
        }
    }
}

/// What comes with another object, like a network's security group `default`, is there by the time it would be made.
fn create(session: &Session, wanted: &Document, spec: &Value, how: How) -> anyhow::Result<Answer> {
    let Document {
        kind,
        place,
        name,
        labels,
        ..
    } = wanted;
    let body = json!({
        "kind": kind.name(),
        "metadata": Metadata {
            project: place.project.clone(),
            network: place.network.clone(),
            name: name.clone(),
            labels: labels.clone(),
            ..Metadata::default()
        },
        "spec": spec,
    });
    let created = session
        .api
        .create(*kind, place, body, Vec::new(), of_kind(*kind, how));
    match created {
        Err(failure) if failure.is_conflict() => {
            let Ok(there) = session.api.get(*kind, place, name) else {
                return Err(failure.into());
            };
            let wanted = Document {
                spec: spec.clone(),
                ..wanted.clone()
            };
            match plan::step(wanted, Some(there.clone()))? {
                Some(Step::Update { wanted, current }) => replace(session, &wanted, &current, how),
                _ => Ok(Answer {
                    body: there,
                    applied: None,
                }),
            }
        }
        created => Ok(created?),
    }
}

fn replace(
    session: &Session,
    wanted: &Document,
    current: &Value,
    how: How,
) -> anyhow::Result<Answer> {
    let object = json!({
        "kind": wanted.kind.name(),
        "metadata": {
            "project": wanted.place.project,
            "network": wanted.place.network,
            "name": wanted.name,
            "labels": wanted.labels,
            "revision": address::revision(current),
        },
        "spec": wanted.spec,
    });
    let how = of_kind(wanted.kind, how);
    Ok(session
        .api
        .replace(wanted.kind, &wanted.place, object, how)?)
}

/// One waits for what hosts have in their maps only.
fn of_kind(kind: Kind, how: How) -> How {
    let concerns_hosts = kind.scope() != Scope::System;
    How {
        wait: how.wait.filter(|_| concerns_hosts),
        ..how
    }
}
