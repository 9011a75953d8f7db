//! Where a backend works: the host's network namespace, and what this agent made in it.

use std::{fs, io, path::Path};

use inlay_core::ids::MacAddress;
use inlay_dataplane::namespace::Namespace;

use super::{
    error::Error,
    netlink::{Link, Netlink, change},
    records::{Record, Records},
    wanted::Wanted,
};

/// One agent's work in the network namespace of this thread.
#[derive(Debug)]
pub(super) struct Site<'a> {
    pub(super) instance: &'a str,
    pub(super) uplinks: &'a [String],
    pub(super) records: &'a mut Records,
    pub(super) netlink: Netlink,
    pub(super) namespace: Namespace,
}

impl<'a> Site<'a> {
    pub(super) fn open(
        instance: &'a str,
        uplinks: &'a [String],
        records: &'a mut Records,
    ) -> Result<Self, Error> {
        Ok(Self {
            instance,
            uplinks,
            records,
            netlink: Netlink::open()?,
            namespace: Namespace::current()?,
        })
    }

    /// What begins the alias of everything that this instance made.
    pub(super) fn alias_prefix(&self) -> String {
        format!("inlay:{}:", self.instance)
    }

    /// The alias of the interfaces of a node.
    pub(super) fn alias(&self, uid: &str) -> String {
        format!("{}{uid}", self.alias_prefix())
    }

    /// The name of a node's network namespace.
    pub(super) fn namespace_name(&self, wanted: &Wanted) -> String {
        match self.instance {
            "default" => wanted.label.clone(),
            instance => format!("{instance}.{}", wanted.label),
        }
    }

    /// What begins the mark of the files of this instance.
    pub(super) fn mark_prefix(&self) -> String {
        format!("Instance {}, ", self.instance)
    }

    /// The mark of the files of a node `PROJECT.NETWORK.NODE`.
    pub(super) fn mark(&self, label: &str, uid: &str) -> String {
        format!("{}node {label}, uid {uid}.", self.mark_prefix())
    }

    /// Notes that something is about to be made for a node, where nothing is noted yet.
    pub(super) fn begin(&mut self, key: &str, wanted: &Wanted) -> Result<(), Error> {
        match self.records.get(key) {
            Some(_) => Ok(()),
            None => self.records.put(key, Record::of(wanted)),
        }
    }

    /// The interface of `wanted`, where it is there and was made for it.
    pub(super) fn own_link(&self, wanted: &Wanted) -> Result<Option<Link>, Error> {
        let found = self.netlink.link(&wanted.interface)?;
        match found {
            Some(link) if link.alias != self.alias(&wanted.uid) => Err(Error::ForeignInterface {
                interface: link.name,
            }),
            found => Ok(found),
        }
    }

    /// Makes a host's side of a port ready to be attached: nothing of the host speaks on it by itself, and the
    /// host's own IPv4 forwards nothing from it.
    pub(super) fn set_host_side(&self, link: &Link, mtu: u32) -> Result<(), Error> {
        let Link { name, .. } = link;
        // The kernel has no names for it: 1 is "none".
        write_setting(&format!("net/ipv6/conf/{name}/addr_gen_mode"), "1")?;
        write_setting(&format!("net/ipv4/conf/{name}/forwarding"), "0")?;
        let mut wanted = change(link.index);
        if link.mtu != mtu {
            wanted = wanted.mtu(mtu);
        }
        if link.mac != MacAddress::ROUTER.octets() {
            wanted = wanted.address(MacAddress::ROUTER.octets().to_vec());
        }
        self.netlink.set(link, wanted.up())
    }
}

/// Writes a setting of this thread's network namespace. Where the kernel has no such setting, it has nothing
/// that would have to be switched off.
pub(super) fn write_setting(name: &str, value: &str) -> Result<(), Error> {
    let path = Path::new("/proc/sys").join(name);
    match fs::read_to_string(&path) {
        Ok(found) if found.trim() == value => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(_) | Err(_) => {}
    }
    fs::write(&path, value).map_err(Error::file("write", path))
}
