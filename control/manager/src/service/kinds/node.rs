//! Nodes: what creating and changing one check alike.

use std::net::Ipv4Addr;

use inlay_api::MacAddress;
use inlay_api::limits::{NODE_GROUPS_MAX, RULES_PER_PORT_MAX};
use inlay_api::objects::validate::{self, FieldProblems, NodeContext, NodeValues};
use inlay_api::objects::{HostSpec, NodeSpec, Problem, SubnetSpec};

use super::super::draft::Stored;
use super::super::request::Target;
use super::super::{Service, load};

/// The first bytes of MAC addresses that the manager chooses: locally administered; the node's primary address
/// follows, so that no two nodes of a network have the same.
const MAC_PREFIX: [u8; 2] = [0x0a, 0x58];

/// A node's spec, checked.
pub(super) struct CheckedNode {
    pub(super) values: NodeValues,
    /// `None`: there is no such subnet.
    pub(super) subnet: Option<Stored<SubnetSpec>>,
}

impl Service {
    pub(super) async fn check_node(
        &self,
        target: &Target,
        spec: &NodeSpec,
        problems: &mut FieldProblems,
    ) -> Result<CheckedNode, Problem> {
        let store = self.store.as_ref();
        let subnet =
            load::find::<SubnetSpec>(store, &target.project, &target.network, &spec.subnet);
        let subnet = subnet.await?;
        if subnet.is_none() {
            let message = "the network has no such subnet; add it or correct the name";
            problems.add("spec.subnet", message);
        }
        let context = subnet.as_ref().and_then(node_context);
        let values = validate::node(spec, context, problems);
        if let Some(mac) = values.mac {
            refuse_reserved(mac, values.addresses.first().copied(), problems);
        }
        self.check_groups(target, spec, problems).await?;
        if let Some(host) = &spec.placement.host {
            self.check_host(host, "spec.placement.host", problems)
                .await?;
        }
        Ok(CheckedNode { values, subnet })
    }

    pub(super) async fn check_host(
        &self,
        host: &str,
        field: &str,
        problems: &mut FieldProblems,
    ) -> Result<(), Problem> {
        let found = load::find::<HostSpec>(self.store.as_ref(), "", "", host).await?;
        if found.is_none() {
            problems.add(field, "there is no such host; correct the name");
        }
        Ok(())
    }

    async fn check_groups(
        &self,
        target: &Target,
        spec: &NodeSpec,
        problems: &mut FieldProblems,
    ) -> Result<(), Problem> {
        let Some(groups) = &spec.security_groups else {
            return Ok(());
        };
        let mut rules = 0;
        for (place, group) in groups.iter().take(NODE_GROUPS_MAX).enumerate() {
            if let Some(count) = self.rules_of(target, group).await? {
                rules += count;
            } else {
                let message = "the network has no such security group; add it or correct the name";
                problems.add(format!("spec.security_groups[{place}]"), message);
            }
        }
        if rules > RULES_PER_PORT_MAX {
            let message = format!(
                "the groups have {rules} rules together, more than {RULES_PER_PORT_MAX}; \
                 name fewer groups or use wider rules"
            );
            problems.add("spec.security_groups", message);
        }
        Ok(())
    }
}

/// The addresses of a stored subnet.
pub(super) fn node_context(subnet: &Stored<SubnetSpec>) -> Option<NodeContext> {
    Some(NodeContext {
        cidr: subnet.object.spec.cidr.parse().ok()?,
        gateway: subnet.object.status.gateway.parse().ok()?,
    })
}

/// The MAC address of a node that did not ask for one.
pub(super) fn chosen_mac(primary: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = primary.octets();
    let [first, second] = MAC_PREFIX;
    [first, second, a, b, c, d]
}

fn refuse_reserved(mac: MacAddress, primary: Option<Ipv4Addr>, problems: &mut FieldProblems) {
    let octets = mac.octets();
    if octets.starts_with(&MAC_PREFIX) && primary.map(chosen_mac) != Some(octets) {
        let message =
            format!("{mac} is one of those that the manager chooses (0a:58:…); choose another");
        problems.add("spec.mac", message);
    }
}

/// Host's side of the interface of a node that gets one: unique on every host, as 48 bits of its UID are random.
pub(super) fn chosen_interface(uid: &str) -> String {
    let digits: String = uid.chars().filter(char::is_ascii_hexdigit).collect();
    let last = digits.get(digits.len().saturating_sub(12)..);
    format!("in{}", last.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_is_of_its_form() {
        let mac = chosen_mac(Ipv4Addr::new(10, 0, 1, 2));
        assert_eq!(
            MacAddress::new(mac).unwrap().to_string(),
            "0a:58:0a:00:01:02"
        );
        let interface = chosen_interface("0190d5a1-7c7b-7000-8000-0123456789ab");
        assert_eq!(interface, "in0123456789ab");
        assert!(interface.parse::<inlay_api::InterfaceName>().is_ok());
    }

    #[test]
    fn the_managers_own_mac_addresses_are_nobody_elses() {
        let primary = Ipv4Addr::new(10, 0, 1, 2);
        for (mac, primary, refused) in [
            ("0a:58:0a:00:01:02", Some(primary), false),
            ("0a:58:0a:00:01:03", Some(primary), true),
            ("0a:58:0a:00:01:02", None, true),
            ("02:58:0a:00:01:03", None, false),
        ] {
            let mut problems = FieldProblems::default();
            refuse_reserved(mac.parse().unwrap(), primary, &mut problems);
            assert_eq!(problems.is_empty(), !refused, "{mac}");
        }
    }
}
