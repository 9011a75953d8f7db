//! What may be said of a peering.

use clap::Args;
use inlay_api::objects::PeeringSpec;

use super::{Flags, Nothing, Write};
use crate::client::{failure::Failure, scope::ProjectScope};

/// Peerings.
#[derive(Debug)]
pub(crate) struct PeeringFlags;

impl Flags for PeeringFlags {
    type Spec = PeeringSpec;
    type Scope = ProjectScope;
    type Create = Create;
    type Update = Nothing;
    const CONCERNS_HOSTS: bool = true;
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Create {
    /// The asking project's network
    #[arg(long, env = "INLAY_NETWORK")]
    network: String,
    /// The project that is asked; the same if left out
    #[arg(long, value_name = "PROJECT")]
    peer_project: Option<String>,
    /// Its network
    #[arg(long, value_name = "NETWORK")]
    peer_network: String,
}

impl Write<PeeringSpec> for Create {
    fn write(&self, spec: &mut PeeringSpec) -> Result<(), Failure> {
        spec.network.clone_from(&self.network);
        spec.peer_project.clone_from(&self.peer_project);
        spec.peer_network.clone_from(&self.peer_network);
        Ok(())
    }
}
