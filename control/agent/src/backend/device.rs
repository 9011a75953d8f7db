//! A node that is a machine behind an interface of the host. The interface is the operator's: it is checked
//! and brought up, and taken down when it is no node's any more, so that the machine behind it does not reach
//! the host itself then.

use super::{
    error::Error,
    netlink::{Link, change},
    records::Record,
    site::Site,
    wanted::Wanted,
};

/// Makes the interface a node's.
pub(super) fn apply(site: &mut Site<'_>, key: &str, wanted: &Wanted) -> Result<(), Error> {
    let Some(link) = site.netlink.link(&wanted.interface)? else {
        return Err(refused(
            wanted,
            "it is not there; plug it in, or give the node another one",
        ));
    };
    check(site, wanted, &link)?;
    site.begin(key, wanted)?;
    // A larger one does no harm, and hardware may have frames of its own to carry.
    site.set_host_side(&link, link.mtu.max(wanted.mtu))
}

fn check(site: &Site<'_>, wanted: &Wanted, link: &Link) -> Result<(), Error> {
    let is_uplink = site.uplinks.contains(&link.name);
    let reason = if is_uplink {
        "it is an uplink of this host"
    } else if link.is_loopback {
        "it is the loopback interface"
    } else if link.alias.starts_with("inlay:") {
        "it was made for another node"
    } else if link.is_controlled {
        "a bridge or bond has it; type `ip link set NAME nomaster`"
    } else if !site.netlink.addresses(link)?.is_empty() {
        "the host has addresses on it; type `ip addr flush dev NAME` if they are not needed"
    } else {
        return Ok(());
    };
    Err(refused(wanted, reason))
}

fn refused(wanted: &Wanted, reason: &'static str) -> Error {
    Error::Device {
        interface: wanted.interface.clone(),
        reason,
    }
}

/// Takes the interface down, where it is there.
pub(super) fn remove(site: &Site<'_>, record: &Record) -> Result<(), Error> {
    match site.netlink.link(&record.interface)? {
        Some(link) => site.netlink.set(&link, change(link.index).down()),
        None => Ok(()),
    }
}
