//! `inlay host`: the operator's machines.

use clap::{Args, Subcommand};
use inlay_api::objects::{HostSpec, JoinToken, Kind};

use super::{
    Session,
    object::{self, edit, report},
};
use crate::{
    client::{
        address::Place,
        failure::Failure,
        flags::host::HostFlags,
        mutation::{How, MutationFlags},
    },
    output::{self, Format},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    Object(object::Verb<HostFlags>),
    /// Makes a one-time token with which the host joins, and prints the line to type on it
    Token(Token),
    /// No more nodes are placed on it; those that it has stay
    Cordon(Named),
    /// Nodes are placed on it again
    Uncordon(Named),
}

#[derive(Args, Debug)]
pub(crate) struct Token {
    name: String,
    /// Where the host reaches the manager's port for agents; the name of the context's server if left out
    #[arg(long, value_name = "NAME[:PORT]")]
    manager: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Named {
    name: String,
    #[command(flatten)]
    mutation: MutationFlags,
}

impl Verb {
    pub(crate) fn run(&self, session: &Session) -> anyhow::Result<()> {
        match self {
            Self::Object(verb) => verb.run(session),
            Self::Token(token) => token.run(session),
            Self::Cordon(named) => named.mark(session, true),
            Self::Uncordon(named) => named.mark(session, false),
        }
    }
}

impl Token {
    fn run(&self, session: &Session) -> anyhow::Result<()> {
        let Session { api, format } = session;
        let place = Place::default();
        let target = (Kind::Host, &place, self.name.as_str());
        let answer = api.act(target, "join-token", None, How::default())?;
        if *format != Format::Table {
            return output::document(*format, &answer.body);
        }
        let issued: JoinToken = serde_json::from_value(answer.body)
            .map_err(|error| Failure::NoAnswer(format!("that is no join token: {error}")))?;
        let JoinToken { token, expires_at } = issued;
        output::line(&format!(
            "inlay agent --join {}",
            self.at_manager(session, &token)
        ))?;
        eprintln!(
            "type this on {}, once, before {expires_at}; it is not shown again",
            self.name
        );
        Ok(())
    }

    /// `TOKEN@MANAGER`; the manager may have written its own address into the token.
    fn at_manager(&self, session: &Session, token: &str) -> String {
        let secret = token.split_once('@').map_or(token, |(secret, _)| secret);
        match &self.manager {
            Some(manager) => format!("{secret}@{manager}"),
            None if token.contains('@') => token.to_owned(),
            None => format!("{token}@{}", name_of(&session.api.connection.server)),
        }
    }
}

/// The name of a server, without the port: agents have another one than clients.
fn name_of(server: &str) -> &str {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let end = match rest.find(']') {
        Some(bracket) => bracket + 1,
        None => rest.find([':', '/']).unwrap_or(rest.len()),
    };
    &rest[..end]
}

impl Named {
    fn mark(&self, session: &Session, is_cordoned: bool) -> anyhow::Result<()> {
        let how = self.mutation.how_without_hosts();
        let place = Place::default();
        let answer = edit::<HostSpec>(session, &place, &self.name, how, |host| {
            host.spec.cordoned = is_cordoned;
            Ok(())
        })?;
        report(session, Kind::Host, &answer, how)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_a_name() {
        for (server, expected) in [
            ("https://manager.example:7443", "manager.example"),
            ("https://manager.example/", "manager.example"),
            ("https://[2001:db8::1]:7443/x", "[2001:db8::1]"),
            ("https://192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(name_of(server), expected);
        }
    }
}
