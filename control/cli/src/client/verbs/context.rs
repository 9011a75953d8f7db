//! `inlay context`: which manager is meant, and who one is there.

use std::{
    fs,
    io::{self, Read as _},
    path::PathBuf,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::{
    Globals,
    client::{
        connection::Connection,
        context::{Context, Contexts},
        failure::Failure,
        http::Http,
        tls,
    },
    output,
};

/// The longest token that is read, in bytes.
const TOKEN_BYTES_MAX: u64 = 4096;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Lists them; the current one has a star
    List,
    /// Makes one the current one
    Use { name: String },
    /// Shows one, without its token
    Show { name: Option<String> },
    /// Makes or changes one; the first one becomes the current one
    Set(Set),
    /// Deletes one
    Delete { name: String },
}

#[derive(Args, Debug)]
pub(crate) struct Set {
    name: String,
    /// Where the manager is
    #[arg(long, value_name = "https://MANAGER:PORT")]
    server: Option<String>,
    /// The manager's CA, PEM: what `inlay manager init` wrote; it is copied
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A file that holds the token; - is standard input: asked for on a terminal, and not shown
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The project that is meant where none is said; empty: none
    #[arg(long)]
    project: Option<String>,
    /// The network that is meant where none is said; empty: none
    #[arg(long)]
    network: Option<String>,
}

/// A context without its secret.
#[derive(Serialize)]
struct View {
    name: String,
    current: bool,
    server: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    has_ca: bool,
    has_token: bool,
}

impl Verb {
    pub(crate) fn run(&self, globals: &Globals) -> anyhow::Result<()> {
        let path = Contexts::path()?;
        let mut contexts = Contexts::load(&path)?;
        match self {
            Self::List => return print(globals, &views(&contexts)),
            Self::Show { name } => {
                let meant = name.as_deref().or(globals.context.as_deref());
                let (name, _) = contexts.find(meant)?;
                let mut views = views(&contexts);
                views.retain(|view| view.name == name);
                return print(globals, &views);
            }
            Self::Use { name } => {
                contexts.find(Some(name))?;
                contexts.current = Some(name.clone());
            }
            Self::Set(set) => {
                let context = contexts.contexts.entry(set.name.clone()).or_default();
                set.write(context)?;
                contexts.current.get_or_insert_with(|| set.name.clone());
            }
            Self::Delete { name } => {
                contexts.find(Some(name))?;
                contexts.contexts.remove(name);
                contexts.current = contexts.current.filter(|current| current != name);
            }
        }
        contexts.save(&path)
    }
}

impl Set {
    /// What was said; what comes of it must be able to connect.
    fn write(&self, context: &mut Context) -> anyhow::Result<()> {
        use crate::client::flags::{set, set_or_clear};

        // A token is not sent to another server than it was given for.
        if self
            .server
            .as_ref()
            .is_some_and(|server| *server != context.server)
            && !context.server.is_empty()
            && self.token_file.is_none()
        {
            let what = "the token is another server's; give this one's with --token-file FILE, or --token-file -";
            return Err(Failure::Usage(what.to_owned()).into());
        }
        set(&mut context.server, self.server.as_ref());
        set_or_clear(&mut context.project, self.project.as_ref());
        set_or_clear(&mut context.network, self.network.as_ref());
        if let Some(file) = &self.ca {
            let pem = fs::read_to_string(file)
                .with_context(|| format!("--ca: {} cannot be read", file.display()))?;
            tls::certificates(&pem)?;
            context.ca = Some(pem);
        }
        if let Some(file) = &self.token_file {
            context.token = token(file)?;
        }
        if context.server.is_empty() {
            return Err(Failure::Usage(
                "which server? Say --server https://MANAGER:PORT".to_owned(),
            )
            .into());
        }
        if context.token.is_empty() {
            let what = "which token? Say --token-file FILE, or --token-file - to type it";
            return Err(Failure::Usage(what.to_owned()).into());
        }
        Http::new(&Connection {
            server: context.server.clone(),
            token: context.token.clone(),
            ca: context.ca.clone(),
            ..Connection::default()
        })?;
        Ok(())
    }
}

/// A token never comes from an argument: those are in the shell's history and in `ps`.
fn token(file: &PathBuf) -> anyhow::Result<String> {
    if file.as_os_str() != "-" {
        let text = fs::read_to_string(file)
            .with_context(|| format!("--token-file: {} cannot be read", file.display()))?;
        return Ok(text.trim().to_owned());
    }
    let terminal = console::Term::stderr();
    let text = if io::IsTerminal::is_terminal(&io::stdin()) {
        terminal.write_str("token (not shown): ")?;
        terminal.read_secure_line()?
    } else {
        let mut text = String::new();
        io::stdin()
            .take(TOKEN_BYTES_MAX)
            .read_to_string(&mut text)
            .context("the token cannot be read from standard input")?;
        text
    };
    Ok(text.trim().to_owned())
}

fn views(contexts: &Contexts) -> Vec<View> {
    let view = |(name, context): (&String, &Context)| View {
        name: name.clone(),
        current: contexts.current.as_ref() == Some(name),
        server: context.server.clone(),
        project: context.project.clone(),
        network: context.network.clone(),
        has_ca: context.ca.is_some(),
        has_token: !context.token.is_empty(),
    };
    contexts.contexts.iter().map(view).collect()
}

fn print(globals: &Globals, views: &[View]) -> anyhow::Result<()> {
    let headings = ["", "name", "server", "project", "network"];
    output::print(globals.output, "contexts", views, &headings, |view| {
        vec![
            if view.current { "*" } else { "" }.to_owned(),
            view.name.clone(),
            view.server.clone(),
            output::or_dash(view.project.as_ref()),
            output::or_dash(view.network.as_ref()),
        ]
    })
}
