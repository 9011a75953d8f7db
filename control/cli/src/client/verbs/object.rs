//! The verbs that objects of every kind have.

use clap::{Args, Subcommand};
use inlay_api::objects::{Kind, Metadata, ObjectKind as _, ObjectOf, Scope};
use serde_json::Value;

use super::Session;
use crate::{
    client::{
        address::Place,
        api::Answer,
        failure::Failure,
        flags::{Flags, Write as _, key_value},
        mutation::{How, MutationFlags},
        scope::ScopeFlags,
        show::{self, Places},
    },
    output::{self, Format},
};

/// A change of an object that somebody else changes at the same time is begun anew so often.
const EDITS_MAX: usize = 4;

/// Of kinds whose objects can be changed.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb<F: Flags> {
    /// Lists them
    List(List<F::Scope>),
    /// Shows everything of one
    Show(Show<F::Scope>),
    /// Makes one
    Create(Create<F>),
    /// Changes what is said, and leaves the rest
    Update(Update<F>),
    /// Deletes them
    Delete(Delete<F::Scope>),
}

/// Of kinds whose objects are made and deleted, and not changed.
#[derive(Debug, Subcommand)]
pub(crate) enum FixedVerb<F: Flags> {
    /// Lists them
    List(List<F::Scope>),
    /// Shows everything of one
    Show(Show<F::Scope>),
    /// Makes one
    Create(Create<F>),
    /// Deletes them
    Delete(Delete<F::Scope>),
}

/// Of kinds whose objects come and go with others.
#[derive(Debug, Subcommand)]
pub(crate) enum ReadVerb<S: ScopeFlags> {
    /// Lists them
    List(List<S>),
    /// Shows everything of one
    Show(Show<S>),
}

#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct List<S: ScopeFlags> {
    #[command(flatten)]
    scope: S,
    /// Only those that have this label; may be there several times
    #[arg(short, long, value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// Those of all projects and networks, which is the operator's to ask
    #[arg(short, long)]
    all_projects: bool,
}

#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Show<S: ScopeFlags> {
    name: String,
    #[command(flatten)]
    scope: S,
}

#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Create<F: Flags> {
    name: String,
    #[command(flatten)]
    scope: F::Scope,
    /// A label; may be there several times
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = key_value)]
    label: Vec<(String, String)>,
    #[command(flatten)]
    flags: F::Create,
    #[command(flatten)]
    mutation: MutationFlags,
}

#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Update<F: Flags> {
    name: String,
    #[command(flatten)]
    scope: F::Scope,
    /// A label that it gets; may be there several times
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = key_value)]
    label: Vec<(String, String)>,
    /// A label that it loses; may be there several times
    #[arg(long, value_name = "KEY")]
    remove_label: Vec<String>,
    #[command(flatten)]
    flags: F::Update,
    #[command(flatten)]
    mutation: MutationFlags,
}

#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Delete<S: ScopeFlags> {
    #[arg(required = true)]
    name: Vec<String>,
    #[command(flatten)]
    scope: S,
    #[command(flatten)]
    mutation: MutationFlags,
}

impl<F: Flags> Verb<F> {
    pub(crate) fn run(&self, session: &Session) -> anyhow::Result<()> {
        let kind = F::Spec::KIND;
        match self {
            Self::List(list) => list.run(session, kind),
            Self::Show(show) => show.run(session, kind),
            Self::Create(create) => create.run(session),
            Self::Update(update) => update.run(session),
            Self::Delete(delete) => delete.run(session, kind, how::<F>(&delete.mutation)),
        }
    }
}

impl<F: Flags> FixedVerb<F> {
    pub(crate) fn run(&self, session: &Session) -> anyhow::Result<()> {
        let kind = F::Spec::KIND;
        match self {
            Self::List(list) => list.run(session, kind),
            Self::Show(show) => show.run(session, kind),
            Self::Create(create) => create.run(session),
            Self::Delete(delete) => delete.run(session, kind, how::<F>(&delete.mutation)),
        }
    }
}

impl<S: ScopeFlags> ReadVerb<S> {
    pub(crate) fn run(&self, session: &Session, kind: Kind) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run(session, kind),
            Self::Show(show) => show.run(session, kind),
        }
    }
}

fn how<F: Flags>(mutation: &MutationFlags) -> How {
    if F::CONCERNS_HOSTS {
        mutation.how()
    } else {
        mutation.how_without_hosts()
    }
}

impl<S: ScopeFlags> List<S> {
    fn run(&self, session: &Session, kind: Kind) -> anyhow::Result<()> {
        let Session { api, format } = session;
        if !self.all_projects || kind.scope() == Scope::System {
            let place = self.scope.place(&api.connection)?;
            let objects = api.list(kind, &place, &self.label)?;
            return show::list(*format, kind, Places::One, &objects);
        }
        let filter: Vec<_> = self
            .label
            .iter()
            .map(|label| ("label".to_owned(), label.clone()))
            .collect();
        let objects = api.pages(&format!("/v1/{}", kind.plural()), &filter)?;
        show::list(*format, kind, Places::Many, &objects)
    }
}

impl<S: ScopeFlags> Show<S> {
    fn run(&self, session: &Session, kind: Kind) -> anyhow::Result<()> {
        let place = self.scope.place(&session.api.connection)?;
        show::one(session.format, &session.api.get(kind, &place, &self.name)?)
    }
}

impl<F: Flags> Create<F> {
    /// What is sent.
    fn body(&self, place: &Place) -> anyhow::Result<Value> {
        let mut spec = F::Spec::default();
        self.flags.write(&mut spec)?;
        let object = serde_json::json!({
            "kind": F::Spec::KIND.name(),
            "metadata": Metadata {
                project: place.project.clone(),
                network: place.network.clone(),
                name: self.name.clone(),
                labels: self.label.iter().cloned().collect(),
                ..Metadata::default()
            },
            "spec": serde_json::to_value(spec)?,
        });
        Ok(object)
    }

    fn run(&self, session: &Session) -> anyhow::Result<()> {
        let kind = F::Spec::KIND;
        let place = self.scope.place(&session.api.connection)?;
        let body = self.body(&place)?;
        let query = self.flags.query();
        let how = how::<F>(&self.mutation);
        let answer = session.api.create(kind, &place, body, query, how)?;
        report(session, kind, &answer, how)
    }
}

impl<F: Flags> Update<F> {
    fn run(&self, session: &Session) -> anyhow::Result<()> {
        let place = self.scope.place(&session.api.connection)?;
        let how = how::<F>(&self.mutation);
        let answer = edit::<F::Spec>(session, &place, &self.name, how, |object| {
            let labels = &mut object.metadata.labels;
            labels.extend(self.label.iter().cloned());
            for key in &self.remove_label {
                labels.remove(key);
            }
            self.flags.write(&mut object.spec)
        })?;
        report(session, F::Spec::KIND, &answer, how)
    }
}

impl<S: ScopeFlags> Delete<S> {
    fn run(&self, session: &Session, kind: Kind, how: How) -> anyhow::Result<()> {
        let Session { api, format } = session;
        let place = self.scope.place(&api.connection)?;
        let mut late = Ok(());
        for name in &self.name {
            let answer = api.delete(kind, &place, name, None, how)?;
            if how.is_dry_run {
                show::plan(*format, &answer.body)?;
            } else if *format == Format::Table {
                output::line(&format!("deleted {} {name}", kind.name()))?;
            }
            late = late.and(answer.check_applied());
        }
        Ok(late?)
    }
}

/// Reads an object, changes it and writes it, at the revision that was read only; where it was changed meanwhile,
/// again from the start.
pub(crate) fn edit<S: inlay_api::objects::ObjectKind>(
    session: &Session,
    place: &Place,
    name: &str,
    how: How,
    change: impl Fn(&mut ObjectOf<S>) -> Result<(), Failure>,
) -> anyhow::Result<Answer> {
    let kind = S::KIND;
    let mut edits = 1;
    loop {
        let found = session.api.get(kind, place, name)?;
        let mut object: ObjectOf<S> = serde_json::from_value(found.clone()).map_err(|error| {
            let kind = kind.name();
            Failure::NoAnswer(format!(
                "the {kind} {name} has something that this version does not know ({error}); update inlay"
            ))
        })?;
        change(&mut object)?;
        let changed = serde_json::to_value(&object)?;
        if changed.get("spec") == found.get("spec")
            && changed.get("metadata") == found.get("metadata")
        {
            let (body, applied) = (found, None);
            return Ok(Answer { body, applied });
        }
        match session.api.replace(kind, place, changed, how) {
            Err(failure) if failure.is_conflict() && edits < EDITS_MAX => edits += 1,
            answer => return Ok(answer?),
        }
    }
}

/// Prints what came of a change, and fails where not every host has it in time.
pub(crate) fn report(
    session: &Session,
    kind: Kind,
    answer: &Answer,
    how: How,
) -> anyhow::Result<()> {
    let format = session.format;
    if how.is_dry_run {
        return show::plan(format, &answer.body);
    }
    if format == Format::Table {
        // What was made by a count is a list.
        let objects = match answer.body.get("items").and_then(Value::as_array) {
            Some(items) => items.as_slice(),
            None => std::slice::from_ref(&answer.body),
        };
        show::list(format, kind, Places::One, objects)?;
    } else {
        output::document(format, &answer.body)?;
    }
    if let Some(secret) = answer.body.get("secret").and_then(Value::as_str)
        && format == Format::Table
    {
        output::line(&format!("\nthe token, shown this once:\n{secret}"))?;
    }
    Ok(answer.check_applied()?)
}
