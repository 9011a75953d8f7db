//! `inlay node exec`: a command in a node's network namespace, on the host that has it.

use std::{ffi::OsString, os::unix::process::CommandExt as _, path::Path, process::Command};

use anyhow::Context as _;
use clap::Args;

use crate::{
    Globals,
    client::{
        connection::Connection,
        context::Contexts,
        failure::Failure,
        scope::{NetworkScope, ScopeFlags as _},
    },
};

/// Where named network namespaces are, as iproute2 has it.
const NAMESPACES: &str = "/run/netns";
/// The dataplane whose namespaces have no instance in their names.
const DEFAULT_INSTANCE: &str = "default";

#[derive(Args, Debug)]
pub(crate) struct Exec {
    /// The node
    name: String,
    #[command(flatten)]
    scope: NetworkScope,
    /// The command, after --
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl Exec {
    /// Becomes the command; comes back with an error only. `ip` is what enters the namespace, because it puts the
    /// namespace's own DNS file in place too.
    pub(crate) fn run(&self, globals: &Globals) -> anyhow::Result<()> {
        let place = self.scope.place(&names(globals)?)?;
        let node = &self.name;
        let namespace = namespace(&globals.instance, &place.project, &place.network, node);
        if !Path::new(NAMESPACES).join(&namespace).exists() {
            return Err(Failure::NotFound(format!(
                "this host has no namespace {namespace}; `inlay node show {node}` says which host has the node, and of what type it is"
            ))
            .into());
        }
        let error = Command::new("ip")
            .args(["netns", "exec", &namespace])
            .args(&self.command)
            .exec();
        Err(error).context("ip (iproute2), which enters the namespace, cannot be run")
    }
}

/// Project and network may come from a context, and a host needs none.
fn names(globals: &Globals) -> anyhow::Result<Connection> {
    let contexts = Contexts::load(&Contexts::path()?)?;
    let context = match contexts.find(globals.context.as_deref()) {
        Ok((_, context)) => context.clone(),
        Err(_) if globals.context.is_none() => crate::client::context::Context::default(),
        Err(failure) => return Err(failure.into()),
    };
    Ok(Connection {
        project: context.project,
        network: context.network,
        ..Connection::default()
    })
}

fn namespace(instance: &str, project: &str, network: &str, node: &str) -> String {
    let name = format!("{project}.{network}.{node}");
    if instance == DEFAULT_INSTANCE {
        return name;
    }
    format!("{instance}.{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_instance_is_in_the_name() {
        assert_eq!(namespace("default", "acme", "main", "web"), "acme.main.web");
        assert_eq!(
            namespace("host1", "acme", "main", "web"),
            "host1.acme.main.web"
        );
    }
}
