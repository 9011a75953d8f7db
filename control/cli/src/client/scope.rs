//! Flags that say in which project and network: each may come from the environment or the context instead.

use clap::Args;

use super::{address::Place, connection::Connection, failure::Failure};

/// Says where the objects of a kind are.
pub(crate) trait ScopeFlags: Args {
    /// Where, or what has to be said.
    fn place(&self, connection: &Connection) -> Result<Place, Failure>;
}

/// Of what belongs to the operator: nothing has to be said.
#[derive(Args, Clone, Debug)]
pub(crate) struct SystemScope {}

impl ScopeFlags for SystemScope {
    fn place(&self, _: &Connection) -> Result<Place, Failure> {
        Ok(Place::default())
    }
}

/// Of what a project has.
#[derive(Args, Clone, Debug)]
pub(crate) struct ProjectScope {
    /// The project; the context's if left out
    #[arg(long, env = "INLAY_PROJECT")]
    pub(crate) project: Option<String>,
}

impl ProjectScope {
    /// The project's name.
    pub(crate) fn project(&self, connection: &Connection) -> Result<String, Failure> {
        said(
            self.project.as_ref(),
            connection.project.as_ref(),
            "project",
        )
    }
}

impl ScopeFlags for ProjectScope {
    fn place(&self, connection: &Connection) -> Result<Place, Failure> {
        Ok(Place::of_project(&self.project(connection)?))
    }
}

/// Of what a network has.
#[derive(Args, Clone, Debug)]
pub(crate) struct NetworkScope {
    #[command(flatten)]
    pub(crate) project: ProjectScope,
    /// The network; the context's if left out
    #[arg(long, env = "INLAY_NETWORK")]
    pub(crate) network: Option<String>,
}

impl ScopeFlags for NetworkScope {
    fn place(&self, connection: &Connection) -> Result<Place, Failure> {
        let project = self.project.project(connection)?;
        let network = said(
            self.network.as_ref(),
            connection.network.as_ref(),
            "network",
        )?;
        Ok(Place { project, network })
    }
}

fn said(flag: Option<&String>, context: Option<&String>, what: &str) -> Result<String, Failure> {
    let found = flag.filter(|name| !name.is_empty()).or(context);
    found.cloned().ok_or_else(|| {
        let variable = what.to_uppercase();
        Failure::Usage(format!(
            "which {what}? Say --{what} NAME, set INLAY_{variable}, or put it into the context: \
             inlay context set CONTEXT --{what} NAME"
        ))
    })
}
