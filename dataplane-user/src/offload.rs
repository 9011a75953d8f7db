//! What the driver of an interface does to packets on its own, by ethtool's ioctl: the conditions under which
//! XDP works at both ends of a link.

use std::{io, os::fd::AsRawFd as _};

use inlay_core::ids::MacAddress;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::{
    Error,
    namespace::Namespace,
    netlink::{self, Interface},
};

/// Something a driver does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Feature {
    /// Verifying checksums of received packets.
    ReceiveChecksum,
    /// Filling in checksums of sent packets: behind an XDP program nobody does.
    TransmitChecksum,
    /// Merging received packets; a veth takes redirected frames only where its peer does.
    Gro,
}

impl Feature {
    /// `ETHTOOL_G…` and `ETHTOOL_S…`.
    const fn commands(self) -> (u32, u32) {
        match self {
            Self::ReceiveChecksum => (0x14, 0x15),
            Self::TransmitChecksum => (0x16, 0x17),
            Self::Gro => (0x2b, 0x2c),
        }
    }

    /// What `ethtool -K` calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReceiveChecksum => "rx",
            Self::TransmitChecksum => "tx",
            Self::Gro => "gro",
        }
    }
}

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Whether an interface of this network namespace has a feature on.
///
/// # Errors
/// Where there is no such interface, or its driver does not tell.
pub fn get(interface: &str, feature: Feature) -> Result<bool, Error> {
    let (command, _) = feature.commands();
    let mut value = Value { command, data: 0 };
    control(interface, &mut value).map_err(error(interface, "ask for its features"))?;
    Ok(value.data != 0)
}

/// Switches a feature of an interface of this network namespace.
///
/// # Errors
/// Where there is no such interface, or its driver refuses.
pub fn set(interface: &str, feature: Feature, is_on: bool) -> Result<(), Error> {
    let (_, command) = feature.commands();
    let mut value = Value {
        command,
        data: is_on.into(),
    };
    control(interface, &mut value).map_err(error(interface, "change its features"))
}

fn error(interface: &str, verb: &'static str) -> impl FnOnce(io::Error) -> Error {
    let interface = interface.to_owned();
    move |cause| Error::Interface {
        interface,
        verb,
        cause,
    }
}

fn control(interface: &str, value: &mut Value) -> io::Result<()> {
    const SIOCETHTOOL: libc::c_ulong = 0x8946;
    let data = std::ptr::from_mut(value).cast();
    // SAFETY: the data is an `ethtool_value`, as these commands have it.
    unsafe {
        request(interface, SIOCETHTOOL, |request| {
            request.ifr_ifru.ifru_data = data;
        })
    }
}

/// An interface's ioctl.
///
/// # Safety
/// `fill` writes what `command` reads.
unsafe fn request(
    interface: &str,
    command: libc::c_ulong,
    fill: impl FnOnce(&mut libc::ifreq),
) -> io::Result<()> {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    // SAFETY: zeros are values of the structure's integers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last octet stays the end of the string.
    let room = request.ifr_name.len() - 1;
    if interface.len() > room {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from.cast_signed();
    }
    fill(&mut request);
    // SAFETY: the name ends in zero, and the rest is the caller's.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), command, &raw mut request) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// The other end of a veth.
#[derive(Debug)]
pub struct Peer {
    /// The interface.
    pub interface: Interface,
    namespace: Namespace,
}

impl Peer {
    /// Whether it has a feature on.
    ///
    /// # Errors
    /// As for [`get`].
    pub fn get(&self, feature: Feature) -> Result<bool, Error> {
        self.namespace.run(|| get(&self.interface.name, feature))
    }

    /// Switches a feature of it.
    ///
    /// # Errors
    /// As for [`set`].
    pub fn set(&self, feature: Feature, is_on: bool) -> Result<(), Error> {
        self.namespace
            .run(|| set(&self.interface.name, feature, is_on))
    }

    /// Whether frames can be redirected to this end's other end.
    fn takes_redirects(&self) -> Result<bool, Error> {
        Ok(self.interface.program().is_some() || self.get(Feature::Gro)?)
    }
}

/// What is at the other end of an interface.
#[derive(Debug)]
pub enum OtherEnd {
    /// It is no veth: a wire, or a virtual machine.
    NotVeth,
    /// A veth in a network namespace that can be entered.
    Peer(Peer),
    /// A veth in a namespace that was not found.
    Unknown,
}

/// The other end of an interface of this network namespace.
///
/// # Errors
/// Where the interface is not there.
pub fn other_end(interface_index: u32) -> Result<OtherEnd, Error> {
    let interface = netlink::interface(interface_index)?;
    let Some(peer) = interface.peer_index.filter(|_| interface.kind == "veth") else {
        return Ok(OtherEnd::NotVeth);
    };
    let namespace = match interface.peer_namespace {
        None => Some(Namespace::current()?),
        Some(id) => Namespace::of_id(id),
    };
    let Some(namespace) = namespace else {
        return Ok(OtherEnd::Unknown);
    };
    match namespace.run(|| netlink::interface(peer)) {
        Ok(interface) => Ok(OtherEnd::Peer(Peer {
            interface,
            namespace,
        })),
        Err(_) => Ok(OtherEnd::Unknown),
    }
}

/// Gives an interface of this network namespace an Ethernet address.
///
/// # Errors
/// Where there is no such interface, or its driver refuses.
pub fn set_mac(interface: &str, mac: MacAddress) -> Result<(), Error> {
    const SIOCSIFHWADDR: libc::c_ulong = 0x8924;
    let change = |request: &mut libc::ifreq| {
        let mut address = libc::sockaddr {
            sa_family: libc::ARPHRD_ETHER,
            sa_data: [0; 14],
        };
        for (to, from) in address.sa_data.iter_mut().zip(mac.octets()) {
            *to = from.cast_signed();
        }
        request.ifr_ifru.ifru_hwaddr = address;
    };
    // SAFETY: the request takes an address of the link's type, which `change` writes.
    unsafe { request(interface, SIOCSIFHWADDR, change) }
        .map_err(error(interface, "change its address"))
}

/// Makes the other end of a port's interface what an XDP port needs, where it can be reached: GRO on, and
/// checksums filled in before they are sent. The interface itself gets the virtual router's address: the
/// node sends to it, and the kernel takes what is passed to it for its own only where it had that address
/// from the start.
///
/// # Errors
/// Where the interface is not there, or a driver refuses.
pub fn prepare_port(interface_index: u32) -> Result<(), Error> {
    let interface = netlink::interface(interface_index)?;
    if interface.mac != MacAddress::ROUTER {
        set_mac(&interface.name, MacAddress::ROUTER)?;
    }
    if let OtherEnd::Peer(peer) = other_end(interface_index)? {
        if !peer.takes_redirects()? {
            peer.set(Feature::Gro, true)?;
        }
        if peer.get(Feature::TransmitChecksum)? {
            peer.set(Feature::TransmitChecksum, false)?;
        }
    }
    Ok(())
}

/// Makes the other end of an uplink take redirected frames, where that can be reached.
///
/// # Errors
/// As for [`prepare_port`].
pub fn prepare_uplink(interface_index: u32) -> Result<(), Error> {
    if let OtherEnd::Peer(peer) = other_end(interface_index)?
        && !peer.takes_redirects()?
    {
        peer.set(Feature::Gro, true)?;
    }
    Ok(())
}

/// What the conditions of an interface are found to be.
pub(crate) fn redirects(end: &OtherEnd) -> Option<bool> {
    match end {
        OtherEnd::NotVeth => Some(true),
        OtherEnd::Peer(peer) => peer.takes_redirects().ok(),
        OtherEnd::Unknown => None,
    }
}
