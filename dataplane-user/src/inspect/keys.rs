//! Keys of hash maps as people write them.

use std::net::{Ipv4Addr, Ipv6Addr};

use inlay_core::{
    flow::FlowKey,
    ids::{HostPrefix, VirtualIp, Vni},
    substrate::Tag,
    tables::records::{ForwarderKey, MappingKey},
    wire::l4::{ICMP, TCP, UDP},
};

/// A key that a person can write and read.
pub(crate) trait Key: Sized {
    /// How it is written.
    const FORM: &'static str;
    /// It, written.
    fn text(&self) -> String;
    /// It, read.
    fn parse(text: &str) -> Option<Self>;
}

fn tag(vni: &str) -> Option<Tag> {
    Some(Tag::ipv4(Vni::new(vni.parse().ok()?)?))
}

fn virtual_ip(text: &str) -> Option<VirtualIp> {
    Some(VirtualIp::from_octets(
        text.parse::<Ipv4Addr>().ok()?.octets(),
    ))
}

/// A host prefix with or without its `/64`.
fn prefix(text: &str) -> Option<HostPrefix> {
    let address: Ipv6Addr = text.strip_suffix("/64").unwrap_or(text).parse().ok()?;
    let prefix = (address.to_bits() >> 64) as u64;
    let is_prefix = u128::from(prefix) << 64 == address.to_bits();
    is_prefix.then(|| HostPrefix::from_octets(prefix.to_be_bytes()))
}

impl Key for MappingKey {
    const FORM: &'static str = "VNI/ADDRESS, like 100/10.0.1.10";

    fn text(&self) -> String {
        format!("{}/{}", self.tag.vni(), self.virtual_ip)
    }

    fn parse(text: &str) -> Option<Self> {
        let (vni, address) = text.split_once('/')?;
        Some(Self {
            tag: tag(vni)?,
            virtual_ip: virtual_ip(address)?,
        })
    }
}

impl Key for ForwarderKey {
    const FORM: &'static str = "VNI/PREFIX, like 100/2001:db8:0:1::/64";

    fn text(&self) -> String {
        format!("{}/{}", self.tag.vni(), self.prefix)
    }

    fn parse(text: &str) -> Option<Self> {
        let (vni, host) = text.split_once('/')?;
        Some(Self {
            prefix: prefix(host)?,
            tag: tag(vni)?,
            reserved: 0,
        })
    }
}

/// A protocol's name, or its number.
pub(crate) fn protocol_name(protocol: u8) -> String {
    match protocol {
        TCP => "tcp".to_owned(),
        UDP => "udp".to_owned(),
        ICMP => "icmp".to_owned(),
        other => other.to_string(),
    }
}

fn protocol(text: &str) -> Option<u8> {
    match text {
        "tcp" => Some(TCP),
        "udp" => Some(UDP),
        "icmp" => Some(ICMP),
        number => number.parse().ok(),
    }
}

fn endpoint(text: &str) -> Option<(VirtualIp, u16)> {
    let (address, port) = text.split_once(':')?;
    Some((virtual_ip(address)?, port.parse().ok()?))
}

impl Key for FlowKey {
    const FORM: &'static str =
        "VNI/PROTOCOL/LOCAL:PORT/REMOTE:PORT, like 100/tcp/10.0.1.10:40000/10.0.1.11:80";

    fn text(&self) -> String {
        let protocol = protocol_name(self.protocol());
        let (local, remote) = (self.local_port(), self.remote_port());
        let via = if self.via == 0 {
            String::new()
        } else {
            format!("/{}", self.via - 1)
        };
        format!(
            "{}/{protocol}/{}:{local}/{}:{remote}{via}",
            self.vni(),
            self.local,
            self.remote
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let tag = tag(parts.next()?)?;
        let protocol = protocol(parts.next()?)?;
        let (local, local_port) = endpoint(parts.next()?)?;
        let (remote, remote_port) = endpoint(parts.next()?)?;
        let via = match parts.next() {
            None => 0,
            Some(slot) => slot.parse::<u32>().ok()?.checked_add(1)?,
        };
        let ports = u32::from(local_port.to_be()) | u32::from(remote_port.to_be()) << 16;
        parts
            .next()
            .is_none()
            .then(|| Self::new(tag, protocol, local, remote, ports, via))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<K: Key + PartialEq + std::fmt::Debug>(good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(K::parse(text).unwrap().text(), *text);
        }
        for text in bad {
            assert_eq!(K::parse(text), None, "{text}");
        }
    }

    #[test]
    fn keys_read_as_they_are_written() {
        check::<MappingKey>(
            &["100/10.0.1.10", "16777215/0.0.0.0"],
            &[
                "",
                "10.0.1.10",
                "16777216/10.0.0.1",
                "1/10.0.0",
                "1/10.0.0.1/24",
            ],
        );
        check::<ForwarderKey>(
            &["100/2001:db8:0:1::/64"],
            &["100/2001:db8:0:1::1", "100/2001:db8::/48", "x/2001:db8::"],
        );
        check::<FlowKey>(
            &[
                "100/tcp/10.0.1.10:40000/10.0.1.11:80",
                "7/icmp/10.0.0.1:5/10.0.0.2:0",
                "7/50/1.2.3.4:0/1.2.3.5:0/3",
            ],
            &[
                "100/tcp/10.0.1.10/10.0.1.11:80",
                "100/tcp/1.1.1.1:1/1.1.1.1:1/2/3",
                "1/x/1.1.1.1:1/1.1.1.1:1",
            ],
        );
    }
}
