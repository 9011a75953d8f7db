//! An attachment whose fields were checked, so that nothing in a name reaches a path or the kernel unseen.

use std::net::Ipv4Addr;

use inlay_api::{InterfaceName, Name, wire::agent};
use inlay_core::ids::MacAddress;

use super::error::Error;

/// What the host is to have for a node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Wanted {
    pub(super) backend: Backend,
    /// `project.network.node`.
    pub(super) label: String,
    pub(super) node: String,
    pub(super) uid: String,
    pub(super) interface: String,
    /// The primary one first.
    pub(super) addresses: Vec<Ipv4Addr>,
    pub(super) prefix_len: u8,
    pub(super) gateway: Ipv4Addr,
    pub(super) mac: MacAddress,
    pub(super) mtu: u32,
    pub(super) dns_servers: Vec<Ipv4Addr>,
    /// Empty where there is none.
    pub(super) dns_domain: String,
}

/// What makes a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Backend {
    Netns,
    Tap,
    Device,
}

/// A node's own end of its veth.
pub(super) const NODE_INTERFACE: &str = "eth0";
/// Longest uid: it is part of an interface's alias, of at most 255 bytes.
const UID_BYTES_MAX: usize = 64;
/// Longest DNS domain (RFC 1035).
const DOMAIN_BYTES_MAX: usize = 253;
/// Most DNS servers of a node.
const DNS_SERVERS_MAX: usize = 16;

impl Wanted {
    pub(super) fn of(attachment: &agent::Attachment, virtual_mtu: u32) -> Result<Self, Error> {
        let backend = match attachment.backend() {
            agent::Backend::Netns => Backend::Netns,
            agent::Backend::Tap => Backend::Tap,
            agent::Backend::Device => Backend::Device,
            agent::Backend::Unspecified => return Err(wrong("backend", &attachment.backend)),
        };
        let names = [&attachment.project, &attachment.network, &attachment.node];
        for name in names {
            check_label(name)?;
        }
        Ok(Self {
            backend,
            label: label(attachment),
            node: attachment.node.clone(),
            uid: uid(&attachment.uid)?,
            interface: interface(&attachment.interface)?,
            addresses: addresses(&attachment.addresses)?,
            prefix_len: prefix_len(attachment.prefix_len)?,
            gateway: attachment.gateway.into(),
            mac: mac(&attachment.mac)?,
            mtu: virtual_mtu,
            dns_servers: dns_servers(&attachment.dns_servers)?,
            dns_domain: domain(&attachment.dns_domain)?,
        })
    }
}

/// `PROJECT.NETWORK.NODE`, of names that are not checked.
pub(super) fn label(attachment: &agent::Attachment) -> String {
    let agent::Attachment {
        project,
        network,
        node,
        ..
    } = attachment;
    format!("{project}.{network}.{node}")
}

fn wrong(what: &str, value: &dyn std::fmt::Debug) -> Error {
    Error::Attachment(format!(
        "the manager sent {value:?} as the node's {what}, which this agent does not understand: \
         use an agent and a manager of one version"
    ))
}

/// A name that is part of a file's. It has no dots, so that names in a row stay apart.
fn check_label(text: &str) -> Result<(), Error> {
    match text.parse::<Name>() {
        Ok(_) => Ok(()),
        Err(_) => Err(wrong("name", &text)),
    }
}

fn uid(text: &str) -> Result<String, Error> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if text.is_empty() || text.len() > UID_BYTES_MAX || !text.chars().all(is_plain) {
        return Err(wrong("uid", &text));
    }
    Ok(text.to_owned())
}

/// Not what sysctl means all interfaces by, nor a pattern that the kernel fills in; and the node's own end is
/// `eth0`.
fn interface(text: &str) -> Result<String, Error> {
    let is_reserved = matches!(text, "all" | "default" | NODE_INTERFACE) || text.contains('%');
    match text.parse::<InterfaceName>() {
        Ok(name) if !is_reserved => Ok(name.as_str().to_owned()),
        _ => Err(Error::Attachment(format!(
            "{text:?} cannot be the name of a node's interface: choose another"
        ))),
    }
}

fn addresses(numbers: &[u32]) -> Result<Vec<Ipv4Addr>, Error> {
    if numbers.is_empty() || numbers.len() > inlay_api::limits::NODE_ADDRESSES_MAX {
        return Err(wrong("number of addresses", &numbers.len()));
    }
    Ok(numbers.iter().copied().map(Ipv4Addr::from).collect())
}

fn prefix_len(number: u32) -> Result<u8, Error> {
    let len = u8::try_from(number).ok().filter(|len| *len <= 32);
    len.ok_or_else(|| wrong("prefix length", &number))
}

fn mac(octets: &[u8]) -> Result<MacAddress, Error> {
    let mac = octets.try_into().ok().map(MacAddress::from_octets);
    mac.filter(|mac| !mac.is_group())
        .ok_or_else(|| wrong("MAC address", &octets))
}

fn dns_servers(numbers: &[u32]) -> Result<Vec<Ipv4Addr>, Error> {
    if numbers.len() > DNS_SERVERS_MAX {
        return Err(wrong("number of DNS servers", &numbers.len()));
    }
    Ok(numbers.iter().copied().map(Ipv4Addr::from).collect())
}

fn domain(text: &str) -> Result<String, Error> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.len() > DOMAIN_BYTES_MAX || !text.chars().all(is_plain) {
        return Err(wrong("DNS domain", &text));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment() -> agent::Attachment {
        agent::Attachment {
            project: "red".into(),
            network: "web".into(),
            node: "a".into(),
            uid: "0192-a".into(),
            backend: agent::Backend::Netns.into(),
            interface: "red-a".into(),
            addresses: vec![0x0a00_010a],
            prefix_len: 24,
            gateway: 0x0a00_0101,
            mac: vec![2, 0, 0, 0, 0, 1],
            ..agent::Attachment::default()
        }
    }

    fn refusal(change: impl FnOnce(&mut agent::Attachment)) -> String {
        let mut attachment = attachment();
        change(&mut attachment);
        Wanted::of(&attachment, 1500).unwrap_err().to_string()
    }

    #[test]
    fn an_attachment_is_taken_as_it_is() {
        let wanted = Wanted::of(&attachment(), 1500).unwrap();
        assert_eq!(wanted.label, "red.web.a");
        assert_eq!(wanted.addresses, [Ipv4Addr::new(10, 0, 1, 10)]);
        assert_eq!(wanted.gateway, Ipv4Addr::new(10, 0, 1, 1));
        assert_eq!(wanted.mac, MacAddress::from_octets([2, 0, 0, 0, 0, 1]));
    }

    #[test]
    fn what_would_leave_its_directory_is_refused() {
        for name in ["../etc", "a/b", "a.b", "", "..", "a\n"] {
            let refused = refusal(|one| one.node = name.to_owned());
            assert!(refused.contains("name"), "{refused}");
            let refused = refusal(|one| one.project = name.to_owned());
            assert!(refused.contains("name"), "{refused}");
        }
        for name in ["a/b", "all", "default", "eth0", "veth%d", ""] {
            assert!(refusal(|one| one.interface = name.into()).contains("interface"));
        }
        assert!(refusal(|one| one.uid = "a:b".into()).contains("uid"));
        assert!(refusal(|one| one.dns_domain = "a\nnameserver 1.1.1.1".into()).contains("domain"));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert!(refusal(|one| one.backend = 99).contains("backend"));
        assert!(refusal(|one| one.addresses.clear()).contains("addresses"));
        assert!(refusal(|one| one.addresses = vec![1; 17]).contains("addresses"));
        assert!(refusal(|one| one.prefix_len = 33).contains("prefix"));
        assert!(refusal(|one| one.mac = vec![2; 5]).contains("MAC"));
        assert!(refusal(|one| one.mac = vec![1; 6]).contains("MAC"));
        assert!(refusal(|one| one.dns_servers = vec![1; 17]).contains("DNS"));
    }
}
