//! `inlay export`: what is there, as documents that `inlay apply` takes.

use clap::Args;
use inlay_api::objects::{Kind, Labels, Metadata, Scope};
use serde::Serialize;
use serde_json::Value;

use super::plan;
use crate::{
    client::{
        address::{self, Place},
        failure::Failure,
        scope::ProjectScope,
        verbs::Session,
    },
    output::{self, Format},
};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    scope: ProjectScope,
    /// This network of the project, and what it has; all that the project has if left out
    #[arg(long)]
    network: Option<String>,
    /// Everything of the operator's: hosts, and all projects
    #[arg(short, long, conflicts_with = "network")]
    all_projects: bool,
}

/// An object without what the manager decides.
#[derive(Serialize)]
struct Exported {
    kind: &'static str,
    metadata: Metadata,
    spec: Value,
}

impl Arguments {
    pub(crate) fn run(&self, session: &Session) -> anyhow::Result<()> {
        let objects = self.objects(session)?;
        match session.format {
            Format::Json => output::document(Format::Json, &objects),
            Format::Table | Format::Yaml => objects
                .iter()
                .try_for_each(|object| output::record(Format::Yaml, object)),
        }
    }

    fn objects(&self, session: &Session) -> Result<Vec<Exported>, Failure> {
        let mut objects = Vec::new();
        if self.all_projects {
            append(session, Kind::Host, &Place::default(), &mut objects)?;
            for project in session.api.list(Kind::Project, &Place::default(), &[])? {
                let name = address::text(&project, "/metadata/name").to_owned();
                objects.push(exported(Kind::Project, &project));
                of_project(session, &name, None, &mut objects)?;
            }
        } else {
            let project = self.scope.project(&session.api.connection)?;
            let network = self.network.as_deref();
            if network.is_none() {
                let found = session
                    .api
                    .get(Kind::Project, &Place::default(), &project)?;
                objects.push(exported(Kind::Project, &found));
            }
            of_project(session, &project, network, &mut objects)?;
        }
        Ok(objects)
    }
}

/// A project's networks and what they have, or one of them.
fn of_project(
    session: &Session,
    project: &str,
    network: Option<&str>,
    objects: &mut Vec<Exported>,
) -> Result<(), Failure> {
    let place = Place::of_project(project);
    let networks = match network {
        Some(network) => vec![session.api.get(Kind::Network, &place, network)?],
        None => session.api.list(Kind::Network, &place, &[])?,
    };
    objects.extend(networks.iter().map(|found| exported(Kind::Network, found)));
    if network.is_none() {
        append(session, Kind::Peering, &place, objects)?;
    }
    for found in &networks {
        let place = Place::of_network(project, address::text(found, "/metadata/name"));
        for kind in Kind::ALL {
            // A port comes with its node.
            if kind.scope() == Scope::Network && kind != Kind::Port {
                append(session, kind, &place, objects)?;
            }
        }
    }
    Ok(())
}

fn append(
    session: &Session,
    kind: Kind,
    place: &Place,
    objects: &mut Vec<Exported>,
) -> Result<(), Failure> {
    let found = session.api.list(kind, place, &[])?;
    objects.extend(found.iter().map(|object| exported(kind, object)));
    Ok(())
}

fn exported(kind: Kind, object: &Value) -> Exported {
    let text = |pointer| address::text(object, pointer).to_owned();
    let labels: Labels = plan::labels(object);
    Exported {
        kind: kind.name(),
        metadata: Metadata {
            project: text("/metadata/project"),
            network: text("/metadata/network"),
            name: text("/metadata/name"),
            labels,
            ..Metadata::default()
        },
        spec: object.get("spec").cloned().unwrap_or_default(),
    }
}
