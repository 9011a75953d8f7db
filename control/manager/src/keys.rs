//! The store's keys, and what is under each. Values are JSON unless said otherwise.
//!
//! ```text
//! objects/KIND/NAME                      of the system: the object (`inlay_api::objects`)
//! objects/KIND/PROJECT/NAME              of a project
//! objects/KIND/PROJECT/NETWORK/NAME      of a network
//! claims/vni/VNI8                        Claim: whose the number is (8 hex digits)
//! claims/address/VNI8/ADDRESS8           Claim: whose the virtual address is (8 hex digits, in host byte order)
//! claims/prefix/PREFIX16                 Claim: which host has the /64 (16 hex digits)
//! claims/mac/VNI8/MAC12                  Claim: whose the MAC address is that a client chose (12 hex digits)
//! claims/interface/HOST/INTERFACE        Claim: which device is behind the interface of the host
//! tokens/HASH                            name of the token with this SHA-256 (64 hex digits), as plain text
//! joins/HASH                             JoinClaim: a one-time join token
//! trust/authority                        the CA: certificate and key, PEM
//! trust/hosts/HOST                       HostIdentity: which certificate a host has
//! idempotency/TOKEN/HASH                 what was answered to the request whose key has this SHA-256 (64 hex digits)
//! audit/UID                              AuditEntry, written with what it tells of; UIDs (UUID, version 7) are in
//!                                        the order of time, and whoever has something to tell can make one
//! guard/service                          empty: written by each transaction of `service`, on the condition that
//!                                        nobody did since it looked, so that two managers decide one after another
//! ```
//!
//! An object's `metadata.revision` in the store is meaningless: the entry's own revision counts. Of its status only
//! what was decided is stored (VNI, host, addresses); what is observed is added when it is read. Ports are not stored:
//! they are views of nodes.

use std::net::Ipv4Addr;

use inlay_api::objects::{Kind, Metadata, Scope};
use serde::{Deserialize, Serialize};

/// Before all objects of a kind.
#[must_use]
pub fn kind(kind: Kind) -> String {
    format!("objects/{}/", kind.name())
}

/// Before all objects of a kind in a project, or in a network of it. Scopes that a kind has not are left out.
#[must_use]
pub fn within(kind_of: Kind, project: &str, network: &str) -> String {
    let kind = kind_of.name();
    match kind_of.scope() {
        Scope::System => format!("objects/{kind}/"),
        Scope::Project => format!("objects/{kind}/{project}/"),
        Scope::Network => format!("objects/{kind}/{project}/{network}/"),
    }
}

/// Of an object.
#[must_use]
pub fn object(kind: Kind, metadata: &Metadata) -> String {
    let within = within(kind, &metadata.project, &metadata.network);
    format!("{within}{}", metadata.name)
}

/// Kind and last part of the name of an object's key; `None` for other keys.
#[must_use]
pub fn parse_object(key: &str) -> Option<(Kind, &str)> {
    let (name, path) = key.strip_prefix("objects/")?.split_once('/')?;
    Some((Kind::from_name(name)?, path))
}

/// Of the claim on a network's number.
#[must_use]
pub fn vni_claim(vni: u32) -> String {
    format!("claims/vni/{vni:08x}")
}

/// Before all claims on addresses of a network.
#[must_use]
pub fn address_claims(vni: u32) -> String {
    format!("claims/address/{vni:08x}/")
}

/// Of the claim on a virtual address.
#[must_use]
pub fn address_claim(vni: u32, address: Ipv4Addr) -> String {
    format!("{}{:08x}", address_claims(vni), address.to_bits())
}

/// Of the claim on a host's /64, of which the first 8 bytes count.
#[must_use]
pub fn prefix_claim(prefix: [u8; 8]) -> String {
    format!("claims/prefix/{:016x}", u64::from_be_bytes(prefix))
}

/// Before all claims on addresses.
pub const ADDRESS_CLAIMS: &str = "claims/address/";

/// Before all claims on networks' numbers.
pub const VNI_CLAIMS: &str = "claims/vni/";

/// The number and the address of a claim on a virtual address; `None` for other keys.
#[must_use]
pub fn parse_address_claim(key: &str) -> Option<(u32, Ipv4Addr)> {
    let (vni, address) = key.strip_prefix(ADDRESS_CLAIMS)?.split_once('/')?;
    let address = u32::from_str_radix(address, 16).ok()?;
    Some((
        u32::from_str_radix(vni, 16).ok()?,
        Ipv4Addr::from_bits(address),
    ))
}

/// The number of a claim on a network's number; `None` for other keys.
#[must_use]
pub fn parse_vni_claim(key: &str) -> Option<u32> {
    u32::from_str_radix(key.strip_prefix(VNI_CLAIMS)?, 16).ok()
}

/// Of the claim on a MAC address that a client chose.
#[must_use]
pub fn mac_claim(vni: u32, mac: [u8; 6]) -> String {
    let mac = mac.map(|octet| format!("{octet:02x}")).concat();
    format!("claims/mac/{vni:08x}/{mac}")
}

/// Of the claim on a host's interface.
#[must_use]
pub fn interface_claim(host: &str, interface: &str) -> String {
    format!("claims/interface/{host}/{interface}")
}

/// Before the names of all tokens.
pub const TOKENS: &str = "tokens/";

/// Of the name of the token whose secret has this SHA-256, as 64 hex digits.
#[must_use]
pub fn token(hash: &str) -> String {
    format!("{TOKENS}{hash}")
}

/// Of a host's identity.
#[must_use]
pub fn host_identity(host: &str) -> String {
    format!("trust/hosts/{host}")
}

/// Before everything that is remembered of answered requests.
pub const IDEMPOTENCY: &str = "idempotency/";

/// Of what was answered to a request of a token; `hash` is the SHA-256 of its key, as 64 hex digits.
#[must_use]
pub fn idempotency(token: &str, hash: &str) -> String {
    format!("{IDEMPOTENCY}{token}/{hash}")
}

/// Before all entries of the audit log.
pub const AUDIT: &str = "audit/";

/// Of an entry of the audit log.
#[must_use]
pub fn audit(uid: uuid::Uuid) -> String {
    format!("{AUDIT}{uid}")
}

/// What each transaction of `service` writes.
pub const SERVICE_GUARD: &str = "guard/service";

/// Whose a number or an address is.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// `uid` of the object that has it, or had it last.
    pub owner: String,
    /// Of an address: name of the node that has it, so that it is found by its address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// When its owner gave it up, Unix time in seconds: it is in quarantine, and taken again once that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_s: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_what_they_name() {
        let of = |name: &str| {
            object(
                Kind::Node,
                &Metadata {
                    project: "acme".into(),
                    network: "main".into(),
                    name: name.into(),
                    ..Metadata::default()
                },
            )
        };
        assert_eq!(of("web-1"), "objects/node/acme/main/web-1");
        assert!(of("web-1").starts_with(&within(Kind::Node, "acme", "main")));
        assert_eq!(
            parse_object(&of("web-1")),
            Some((Kind::Node, "acme/main/web-1"))
        );
        let address = Ipv4Addr::new(10, 0, 0, 9);
        assert_eq!(
            parse_address_claim(&address_claim(7, address)),
            Some((7, address))
        );
        assert_eq!(parse_vni_claim(&vni_claim(7)), Some(7));
        assert_eq!(parse_vni_claim(&address_claim(7, address)), None);
        assert_eq!(
            mac_claim(7, [2, 0, 0, 0, 0, 255]),
            "claims/mac/00000007/0200000000ff"
        );
        assert!(
            address_claim(1, Ipv4Addr::new(10, 0, 0, 9))
                < address_claim(1, Ipv4Addr::new(10, 0, 0, 10))
        );
    }
}
