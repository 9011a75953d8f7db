//! What a client verb connects to: the environment, or a context.

use std::{env, fmt, fs};

use anyhow::Context as _;

use super::{
    context::{Context, Contexts},
    failure::Failure,
};

/// A manager, and who one is there.
#[derive(Clone, Default)]
pub(crate) struct Connection {
    /// Like `https://manager.example:7443`.
    pub(crate) server: String,
    /// Secret.
    pub(crate) token: String,
    /// The manager's CA, PEM.
    pub(crate) ca: Option<String>,
    /// Meant where no other is named.
    pub(crate) project: Option<String>,
    /// Meant where no other is named.
    pub(crate) network: Option<String>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// `INLAY_SERVER` stands for a whole context: no token of another manager is sent to it. Without it `INLAY_TOKEN`
    /// and `INLAY_CA` take the place of what the context says.
    pub(crate) fn find(context: Option<&str>) -> anyhow::Result<Self> {
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let ca = set("INLAY_CA")
            .map(|file| {
                fs::read_to_string(&file)
                    .with_context(|| format!("INLAY_CA: {file} cannot be read"))
            })
            .transpose()?;
        let token = set("INLAY_TOKEN");
        if context.is_none()
            && let Some(server) = set("INLAY_SERVER")
        {
            let token = token.ok_or_else(|| {
                Failure::Usage("INLAY_SERVER is set, and INLAY_TOKEN is not; set both".to_owned())
            })?;
            return Ok(Self {
                server,
                token,
                ca,
                project: None,
                network: None,
            });
        }
        let contexts = Contexts::load(&Contexts::path()?)?;
        let (_, found) = contexts.find(context)?;
        Ok(Self::of(found, token, ca))
    }

    fn of(context: &Context, token: Option<String>, ca: Option<String>) -> Self {
        Self {
            server: context.server.clone(),
            token: token.unwrap_or_else(|| context.token.clone()),
            ca: ca.or_else(|| context.ca.clone()),
            project: context.project.clone(),
            network: context.network.clone(),
        }
    }
}
