//! `inlay apply` and `inlay export`: objects as files.
//!
//! ```text
//! files -> Document (what is wanted) \
//!                                     plan -> Step (create, update, delete) -> shown as a diff -> carried out
//! API   -> Current  (what is there)  /
//! ```

mod carry_out;
mod current;
mod diff;
mod document;
pub(crate) mod export;
mod plan;
mod references;
mod spec;

use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    client::{failure::Failure, mutation::MutationFlags, verbs::Session},
    output::{self, Format},
};

/// The label that says which set an object was applied as part of.
pub(crate) const SET_LABEL: &str = "inlay/applied-by";

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// A file of YAML documents, - for standard input, or a directory of .yaml, .yml and .json files; may be there
    /// several times
    #[arg(short, long = "file", value_name = "FILE|-|DIR", required = true)]
    files: Vec<PathBuf>,
    /// The project of documents that name none; the context's if left out
    #[arg(long, env = "INLAY_PROJECT")]
    project: Option<String>,
    /// The network of documents that name none; the context's if left out
    #[arg(long, env = "INLAY_NETWORK")]
    network: Option<String>,
    /// Marks what is applied as part of this set, with the label inlay/applied-by
    #[arg(long, value_name = "NAME")]
    set: Option<String>,
    /// Deletes what is marked as part of the set, and is not in the files
    #[arg(long, requires = "set")]
    prune: bool,
    /// Does not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    mutation: MutationFlags,
}

impl Arguments {
    pub(crate) fn run(&self, session: &Session) -> anyhow::Result<()> {
        let documents = self.documents(session)?;
        let mut current = current::Current::new(&session.api);
        let prune = self.set.as_deref().filter(|_| self.prune);
        let steps = plan::plan(&mut current, documents, prune)?;
        if session.format == Format::Table {
            diff::print(&steps)?;
        } else {
            diff::document(session.format, &steps)?;
        }
        if steps.is_empty() || self.mutation.dry_run {
            return Ok(());
        }
        if !self.is_agreed(&steps)? {
            eprintln!("nothing was done");
            return Ok(());
        }
        carry_out::carry_out(session, &steps, self.mutation.how())
    }

    fn documents(&self, session: &Session) -> anyhow::Result<Vec<document::Document>> {
        let connection = &session.api.connection;
        let defaults = document::Defaults {
            project: self.project.clone().or(connection.project.clone()),
            network: self.network.clone().or(connection.network.clone()),
            set: self.set.clone(),
        };
        let texts = document::read(&self.files)?;
        Ok(document::parse(&texts, &defaults)?)
    }

    /// Asks where somebody can answer. Where nobody can, nothing is deleted unless that was said.
    fn is_agreed(&self, steps: &[plan::Step]) -> anyhow::Result<bool> {
        if self.yes {
            return Ok(true);
        }
        let reads_input = self.files.iter().any(|file| file == Path::new("-"));
        let can_answer = io::stdin().is_terminal() && io::stderr().is_terminal() && !reads_input;
        if can_answer {
            eprint!("\napply this? [y/N] ");
            let mut answer = String::new();
            io::stdin().read_line(&mut answer)?;
            return Ok(matches!(answer.trim(), "y" | "Y" | "yes"));
        }
        let deletes = steps.iter().filter(|step| step.is_delete()).count();
        if deletes > 0 {
            let what =
                format!("{deletes} objects would be deleted, and nobody can be asked; say --yes");
            return Err(Failure::Usage(what).into());
        }
        Ok(true)
    }
}

/// Says that one thing was done.
fn said(format: Format, text: &str) -> anyhow::Result<()> {
    match format {
        Format::Table => output::line(text),
        Format::Json | Format::Yaml => {
            eprintln!("{text}");
            Ok(())
        }
    }
}
