//! A node that is a virtual machine: a tap device, which whoever starts the machine opens (without
//! `multi_queue`), and which is there without it. The machine is addressed by DHCP, and fills in the checksums
//! of what it sends: QEMU's `virtio-net` with `csum=off`.

use std::{fs::File, io, os::fd::AsRawFd as _};

use super::{
    error::Error,
    netlink::{Link, change},
    records::Record,
    site::Site,
    wanted::Wanted,
};

const DEVICE: &str = "/dev/net/tun";
const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
const TUNSETPERSIST: libc::c_ulong = 0x4004_54cb;
/// Refuses a name that is taken, where another open would attach to it.
const IFF_TUN_EXCL: i32 = 0x8000;

/// Makes the device what `wanted` says.
pub(super) fn apply(site: &mut Site<'_>, key: &str, wanted: &Wanted) -> Result<(), Error> {
    let alias = site.alias(&wanted.uid);
    let link = match site.netlink.link(&wanted.interface)? {
        Some(link) if link.alias == alias => link,
        Some(link) if is_half_made(&link, site.records.get(key)) => mark(site, &link, &alias)?,
        Some(link) => {
            return Err(Error::ForeignInterface {
                interface: link.name,
            });
        }
        None => {
            site.begin(key, wanted)?;
            make(&wanted.interface).map_err(Error::netlink("make tap", &wanted.interface))?;
            let link = site.netlink.link(&wanted.interface)?;
            let link = link.ok_or_else(|| {
                Error::netlink("find tap", &wanted.interface)(io::ErrorKind::NotFound.into())
            })?;
            mark(site, &link, &alias)?
        }
    };
    site.begin(key, wanted)?;
    site.set_host_side(&link, wanted.mtu)
}

/// Whether an agent was killed after it made the device and before it marked it: it had seen that the name
/// was free.
fn is_half_made(link: &Link, record: Option<&Record>) -> bool {
    link.kind == "tun" && link.alias.is_empty() && record.is_some()
}

fn mark(site: &Site<'_>, link: &Link, alias: &str) -> Result<Link, Error> {
    site.netlink.set(link, change(link.index).alias(alias))?;
    Ok(link.clone())
}

/// A persistent tap in this thread's network namespace.
fn make(name: &str) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(DEVICE)?;
    // SAFETY: zeros are values of the structure's integers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(15)) {
        *to = from.cast_signed();
    }
    #[expect(clippy::cast_possible_truncation, reason = "flags of 16 bits")]
    let flags = (libc::IFF_TAP | libc::IFF_NO_PI | IFF_TUN_EXCL) as libc::c_short;
    request.ifr_ifru.ifru_flags = flags;
    // SAFETY: TUNSETIFF reads and writes an `ifreq`, whose name ends in zero.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF, &raw mut request) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: TUNSETPERSIST takes a number.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), TUNSETPERSIST, 1 as libc::c_long) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Deletes the device, under whoever has it open.
pub(super) fn remove(site: &Site<'_>, record: &Record) -> Result<(), Error> {
    match site.netlink.link(&record.interface)? {
        Some(link)
            if link.alias == site.alias(&record.uid) || is_half_made(&link, Some(record)) =>
        {
            site.netlink.delete(&link)
        }
        _ => Ok(()),
    }
}
