//! A node that is a network namespace: a veth, whose end `eth0` has what the subnet says, and DNS files.
//!
//! Everything is made inside the namespace, which is noted by its number before it has a name; the host's end
//! comes to the host marked. An agent that is killed leaves nothing that the next cannot tell.

use std::{net::IpAddr, os::fd::AsFd as _};

use inlay_dataplane::{
    namespace::Namespace,
    offload::{self, Feature},
};

use super::{
    dns_files,
    error::Error,
    named_namespace::{self, Named, Nameless},
    netlink::{Assigned, Link, Netlink, change},
    records::Record,
    site::{Site, write_setting},
    wanted::{NODE_INTERFACE, Wanted},
};

/// Makes the node what `wanted` says.
pub(super) fn apply(site: &mut Site<'_>, key: &str, wanted: &Wanted) -> Result<(), Error> {
    let name = site.namespace_name(wanted);
    let alias = site.alias(&wanted.uid);
    let link = site.own_link(wanted)?;
    let is_there = is_there(site, key, wanted, &name, &alias)?;
    let mark = site.mark(&wanted.label, &wanted.uid);
    dns_files::write(&name, &mark, wanted)?;
    if !is_there {
        make_namespace(site, key, wanted, &name)?;
    }
    let namespace = named_namespace::open(&name)?;
    let link = match link {
        Some(link) if has_node_end(&namespace)? => link,
        link => {
            // Its other end is in no namespace of this node's.
            if let Some(link) = link {
                site.netlink.delete(&link)?;
            }
            make_pair(site, &namespace, wanted, &alias)?
        }
    };
    namespace.run(|| set_inside(wanted))?;
    site.set_host_side(&link, wanted.mtu)
}

/// Whether the namespace is there; one that this agent did not make is refused.
fn is_there(
    site: &mut Site<'_>,
    key: &str,
    wanted: &Wanted,
    name: &str,
    alias: &str,
) -> Result<bool, Error> {
    let found = named_namespace::look_up(name)?;
    let noted = site.records.get(key).and_then(|record| {
        let (noted, inode) = record.namespace.as_ref()?;
        (noted == name).then_some(*inode)
    });
    match (found, noted) {
        (Named::Nothing, _) => Ok(false),
        (Named::Namespace(inode), Some(noted)) if inode == noted => Ok(true),
        // An agent was killed between the file and the mount.
        (Named::File, Some(_)) => named_namespace::remove_name(name).map(|()| false),
        (Named::Namespace(inode), None) if alias_inside(name)? == alias => {
            note(site, key, wanted, name, inode)?;
            Ok(true)
        }
        _ => Err(Error::ForeignNamespace {
            name: name.to_owned(),
        }),
    }
}

/// The alias of the node's end, by which a namespace is known that nothing is noted of.
pub(super) fn alias_inside(name: &str) -> Result<String, Error> {
    let link = named_namespace::open(name)?.run(|| Netlink::open()?.link(NODE_INTERFACE))?;
    Ok(link.map(|link| link.alias).unwrap_or_default())
}

fn note(
    site: &mut Site<'_>,
    key: &str,
    wanted: &Wanted,
    name: &str,
    inode: u64,
) -> Result<(), Error> {
    let namespace = Some((name.to_owned(), inode));
    let record = Record {
        namespace,
        ..Record::of(wanted)
    };
    site.records.put(key, record)
}

fn make_namespace(
    site: &mut Site<'_>,
    key: &str,
    wanted: &Wanted,
    name: &str,
) -> Result<(), Error> {
    let namespace = Nameless::new()?;
    note(site, key, wanted, name, namespace.inode)?;
    namespace.set_name(name)
}

fn has_node_end(namespace: &Namespace) -> Result<bool, Error> {
    let link = namespace.run(|| Netlink::open()?.link(NODE_INTERFACE))?;
    Ok(link.is_some_and(|link| link.kind == "veth"))
}

/// Makes the veth inside, and moves one end to the host.
fn make_pair(
    site: &Site<'_>,
    namespace: &Namespace,
    wanted: &Wanted,
    alias: &str,
) -> Result<Link, Error> {
    let host = site.namespace.as_fd();
    namespace.run(|| {
        // Before there is an interface, which would take its settings over.
        without_ipv6()?;
        let netlink = Netlink::open()?;
        let find = |name: &str| netlink.link(name)?.ok_or_else(|| gone(name));
        // What an agent left that was killed in the middle of this.
        for name in [NODE_INTERFACE, wanted.interface.as_str()] {
            if let Some(link) = netlink.link(name)? {
                netlink.delete(&link)?;
            }
        }
        netlink.add_pair(&wanted.interface, NODE_INTERFACE, wanted.mac, wanted.mtu)?;
        let (ours, theirs) = (find(&wanted.interface)?, find(NODE_INTERFACE)?);
        netlink.set(&theirs, change(theirs.index).alias(alias))?;
        netlink.set(&ours, change(ours.index).alias(alias))?;
        netlink.set_namespace(&ours, host)
    })?;
    let link = site.own_link(wanted)?;
    link.ok_or_else(|| gone(&wanted.interface))
}

fn gone(name: &str) -> Error {
    Error::netlink("find interface", name)(std::io::ErrorKind::NotFound.into())
}

/// A node has no IPv6: the dataplane carries none, and answers to none.
fn without_ipv6() -> Result<(), Error> {
    write_setting("net/ipv6/conf/default/disable_ipv6", "1")?;
    write_setting("net/ipv6/conf/all/disable_ipv6", "1")
}

/// Run in the node's namespace.
fn set_inside(wanted: &Wanted) -> Result<(), Error> {
    without_ipv6()?;
    let netlink = Netlink::open()?;
    let loopback = netlink.link("lo")?.ok_or_else(|| gone("lo"))?;
    if !loopback.is_up {
        netlink.set(&loopback, change(loopback.index).up())?;
    }
    let find = || {
        netlink
            .link(NODE_INTERFACE)?
            .ok_or_else(|| gone(NODE_INTERFACE))
    };
    let link = find()?;
    let mut wanted_link = change(link.index);
    if link.mtu != wanted.mtu {
        wanted_link = wanted_link.mtu(wanted.mtu);
    }
    if link.mac != wanted.mac.octets() {
        wanted_link = wanted_link.address(wanted.mac.octets().to_vec());
    }
    netlink.set(&link, wanted_link.up())?;
    set_features()?;
    set_addresses(&netlink, &link, wanted)?;
    set_route(&netlink, &link, wanted)
}

/// What an XDP program at the other end needs: see `offload::prepare_port`, which checks it once more.
fn set_features() -> Result<(), Error> {
    for (feature, is_on) in [(Feature::Gro, true), (Feature::TransmitChecksum, false)] {
        if offload::get(NODE_INTERFACE, feature)? != is_on {
            offload::set(NODE_INTERFACE, feature, is_on)?;
        }
    }
    Ok(())
}

/// The kernel sends from the address that came first. Where that is to be another, all come anew.
fn set_addresses(netlink: &Netlink, link: &Link, wanted: &Wanted) -> Result<(), Error> {
    let is_right = |found: &Assigned, address: &std::net::Ipv4Addr| {
        (found.address, found.prefix_len) == (IpAddr::V4(*address), wanted.prefix_len)
    };
    let found = netlink.addresses(link)?;
    let keeps_primary = match (found.first(), wanted.addresses.first()) {
        (Some(found), Some(primary)) => is_right(found, primary),
        _ => false,
    };
    let mut kept = Vec::new();
    for one in found {
        if keeps_primary
            && wanted
                .addresses
                .iter()
                .any(|address| is_right(&one, address))
        {
            kept.push(one.address);
        } else {
            netlink.remove_address(link, one)?;
        }
    }
    for address in &wanted.addresses {
        if !kept.contains(&IpAddr::V4(*address)) {
            netlink.add_address(link, *address, wanted.prefix_len)?;
        }
    }
    Ok(())
}

fn set_route(netlink: &Netlink, link: &Link, wanted: &Wanted) -> Result<(), Error> {
    let gateway = Some(wanted.gateway);
    let found = netlink.default_routes()?;
    if !found.iter().any(|(found, _)| *found == gateway) {
        netlink.set_default_route(link, wanted.gateway)?;
    }
    for (found, route) in netlink.default_routes()? {
        if found != gateway {
            netlink.remove_route(route)?;
        }
    }
    Ok(())
}

/// Removes what was made for a node. Its processes go on, without an interface, in a namespace without a name.
pub(super) fn remove(site: &Site<'_>, record: &Record) -> Result<(), Error> {
    let alias = site.alias(&record.uid);
    if let Some(link) = site.netlink.link(&record.interface)?
        && link.alias == alias
    {
        site.netlink.delete(&link)?;
    }
    let Some((name, inode)) = &record.namespace else {
        return Ok(());
    };
    match named_namespace::look_up(name)? {
        Named::Namespace(found) if found == *inode => named_namespace::remove_name(name)?,
        Named::File => named_namespace::remove_name(name)?,
        Named::Nothing | Named::Namespace(_) => {}
    }
    dns_files::remove(name)
}
