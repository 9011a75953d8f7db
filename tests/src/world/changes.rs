//! What an agent changes of a world.

use inlay_core::tables::records::{NONE, PortRecord};

use crate::{
    nodes::{Host, Node},
    policy::{self, Rule},
    world::{ACL, World, mapping_key, tag},
};

impl World {
    /// Gives a node's port rules of its own, and its network an epoch of its own, as the agent does.
    pub fn rules(&mut self, node: &Node, rules: &[Rule]) {
        let slot = self
            .image
            .policies
            .keys()
            .last()
            .map_or(10, |last| last.max(&9) + 1);
        policy::write(&mut self.image, slot, rules);
        self.port(node).policy = slot;
        self.bump(node);
    }

    /// Gives a subnet an access list.
    pub fn acl(&mut self, subnet: u32, rules: &[Rule]) {
        policy::write(&mut self.image, ACL, rules);
        self.image.subnets.get_mut(&subnet).unwrap().acl = ACL;
        for network in self.image.networks.values_mut() {
            network.epoch += 1;
        }
    }

    /// Moves a node to another host.
    pub fn moves(&mut self, node: &Node, host: Host) {
        let mapping = self
            .image
            .mappings
            .get_mut(&mapping_key(node.vni, node.ip))
            .unwrap();
        mapping.host = host.slot();
        mapping.port = NONE;
        self.bump(node);
    }

    /// The record of a node's port.
    pub fn port(&mut self, node: &Node) -> &mut PortRecord {
        self.image.ports.get_mut(&node.slot()).unwrap()
    }

    /// The next epoch of a node's network.
    pub fn bump(&mut self, node: &Node) {
        let network = self
            .image
            .networks
            .values_mut()
            .find(|network| network.tag == tag(node.vni));
        network.unwrap().epoch += 1;
    }
}
