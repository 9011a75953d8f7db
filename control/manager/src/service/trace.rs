//! Where nodes are, for whoever follows a packet's way through the hosts.

use std::net::Ipv4Addr;

use inlay_api::objects::{Kind, NetworkSpec, Node, NodeSpec, Problem};

use crate::keys::{self, Claim};

use super::authorize::{self, Verb};
use super::draft::Stored;
use super::request::{Actor, Target};
use super::{Service, load, problems};

/// Where a node is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodePlace {
    /// Its name.
    pub name: String,
    /// The host that has it.
    pub host: String,
    /// Its network's number.
    pub vni: u32,
    /// The primary one first.
    pub addresses: Vec<Ipv4Addr>,
}

impl Service {
    /// Where a node is, if the actor may know.
    ///
    /// # Errors
    /// `not-found` where there is none, or not for the actor.
    pub async fn authorize_trace(
        &self,
        actor: &Actor,
        node: &Target,
    ) -> Result<NodePlace, Problem> {
        if node.kind != Kind::Node || !load::is_addressed(node, true) {
            return Err(problems::target_not_found(node));
        }
        authorize::authorize(actor, Verb::Read, node)?;
        let vni = self.vni_of(node).await?;
        let stored: Stored<NodeSpec> = load::need(self.store.as_ref(), node).await?;
        Ok(place_of(stored.object, vni))
    }

    /// Where the node of the same network is that has an address; `None` where none has it.
    ///
    /// # Errors
    /// As `authorize_trace`.
    pub async fn node_at(
        &self,
        actor: &Actor,
        node: &Target,
        address: Ipv4Addr,
    ) -> Result<Option<NodePlace>, Problem> {
        let from = self.authorize_trace(actor, node).await?;
        let key = keys::address_claim(from.vni, address);
        let Some(entry) = self.store.get(&key).await.map_err(problems::of_store)? else {
            return Ok(None);
        };
        let claim: Claim = serde_json::from_slice(&entry.value).unwrap_or_default();
        let store = self.store.as_ref();
        let found =
            load::find::<NodeSpec>(store, &node.project, &node.network, &claim.node).await?;
        Ok(found.map(|stored| place_of(stored.object, from.vni)))
    }

    async fn vni_of(&self, node: &Target) -> Result<u32, Problem> {
        let store = self.store.as_ref();
        let network = load::find::<NetworkSpec>(store, &node.project, "", &node.network).await?;
        let network = network.ok_or_else(|| problems::target_not_found(node))?;
        Ok(network.object.status.vni)
    }
}

fn place_of(node: Node, vni: u32) -> NodePlace {
    let addresses = node.status.addresses.iter();
    NodePlace {
        name: node.metadata.name,
        host: node.status.host,
        vni,
        addresses: addresses.filter_map(|text| text.parse().ok()).collect(),
    }
}
