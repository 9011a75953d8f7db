//! What the manager is called by those who connect to it: the names in its certificate.

use std::{fs, net::IpAddr};

use nix::ifaddrs::getifaddrs;
use rustls::pki_types::DnsName;
use tracing::warn;

/// Names of one certificate: a machine may have any number of addresses.
const NAMES_MAX: usize = 64;

/// The configured names; if there are none, the machine's name, `localhost`, and the addresses of all its interfaces.
pub(crate) fn names(configured: &[String]) -> Vec<String> {
    if !configured.is_empty() {
        return configured.to_vec();
    }
    let mut names = vec!["localhost".to_owned()];
    names.extend(machine());
    let mut addresses = addresses();
    addresses.sort();
    addresses.dedup();
    names.extend(addresses.iter().map(IpAddr::to_string));
    if names.len() > NAMES_MAX {
        warn!("the certificate is for {NAMES_MAX} names and addresses alone: configure `names`");
        names.truncate(NAMES_MAX);
    }
    names
}

/// The machine's own name, where it is one that DNS could have.
fn machine() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim().to_owned();
    DnsName::try_from(name.as_str()).ok()?;
    Some(name)
}

/// Link-local addresses are left out: they name nobody without an interface.
fn addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = getifaddrs() else {
        return Vec::new();
    };
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address
            .as_sockaddr_in()
            .map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| {
            address
                .as_sockaddr_in6()
                .map(|address| IpAddr::V6(address.ip()))
        })
    };
    let is_named = |address: &IpAddr| match address {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    };
    interfaces.filter_map(address).filter(is_named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_names_are_all_there_are() {
        let configured = ["manager.example".to_owned()];
        assert_eq!(names(&configured), configured);
    }

    #[test]
    fn a_machine_has_names_and_addresses() {
        let names = names(&[]);
        assert_eq!(names[0], "localhost");
        assert!(names.contains(&"127.0.0.1".to_owned()), "{names:?}");
        assert!(names.iter().all(|name| !name.starts_with("fe80")));
    }
}
