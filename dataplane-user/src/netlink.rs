//! What the kernel tells of an interface by rtnetlink: one question, one answer, no library.

use std::{
    ffi::CStr,
    io, mem,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use inlay_core::ids::MacAddress;

use crate::{Error, Mode};

/// An interface.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Interface {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its largest packet, in bytes.
    pub mtu: u32,
    /// Its Ethernet address.
    pub mac: MacAddress,
    /// Whether it is up.
    pub is_up: bool,
    /// What made it: `veth`, `tun`; empty for hardware.
    pub kind: String,
    /// The interface at its other end, of a veth.
    pub peer_index: Option<u32>,
    /// The network namespace of that, by this one's number for it; the same one where there is none.
    pub peer_namespace: Option<i32>,
    /// `IFLA_XDP_ATTACHED`.
    xdp_attached: u8,
    /// `IFLA_XDP_PROG_ID`.
    xdp_program: Option<u32>,
}

const XDP_ATTACHED_DRIVER: u8 = 1;
const XDP_ATTACHED_GENERIC: u8 = 2;

impl Interface {
    /// How an XDP program is attached to it, where one is.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        match self.xdp_attached {
            XDP_ATTACHED_DRIVER => Some(Mode::Native),
            XDP_ATTACHED_GENERIC => Some(Mode::Generic),
            _ => None,
        }
    }

    /// The number of the XDP program that is attached to it.
    #[must_use]
    pub fn program(&self) -> Option<u32> {
        self.xdp_program
    }
}

/// The interface of a number.
///
/// # Errors
/// Where there is none.
pub fn interface(index: u32) -> Result<Interface, Error> {
    let error = |cause| Error::Interface {
        interface: index.to_string(),
        verb: "ask for it",
        cause,
    };
    ask(&request(index))
        .and_then(|answer| parse(&answer))
        .map_err(error)
}

/// What this network namespace calls the one that is open as `fd`, where it has a number for it.
pub(crate) fn namespace_id(fd: i32) -> io::Result<Option<i32>> {
    const NETNSA_NSID: u16 = 1;
    const NETNSA_FD: u16 = 3;
    const GENERIC_LEN: usize = 4;
    let mut body = vec![0; GENERIC_LEN];
    body.extend(8u16.to_ne_bytes());
    body.extend(NETNSA_FD.to_ne_bytes());
    body.extend(fd.to_ne_bytes());
    let answer = ask(&message(libc::RTM_GETNSID, &body))?;
    let mut found = attributes(answer.get(GENERIC_LEN..).unwrap_or_default());
    let id = found
        .find(|(kind, _)| *kind == NETNSA_NSID)
        .map(|(_, value)| read_u32(value));
    Ok(id.map(u32::cast_signed).filter(|id| *id >= 0))
}

/// The number of the interface `name`.
///
/// # Errors
/// Where there is none.
pub fn interface_index(name: &str) -> Result<u32, Error> {
    nix::net::if_::if_nametoindex(name).map_err(|error| Error::Interface {
        interface: name.to_owned(),
        verb: "find it",
        cause: error.into(),
    })
}

const HEADER_LEN: usize = 16;
const LINK_LEN: usize = 16;
const ERROR: u16 = 2;

fn request(index: u32) -> Vec<u8> {
    let mut link = [0; LINK_LEN];
    link[4..8].copy_from_slice(&index.to_ne_bytes());
    message(libc::RTM_GETLINK, &link)
}

/// A message of one request.
pub(crate) fn message(kind: u16, body: &[u8]) -> Vec<u8> {
    const REQUEST: u16 = 1;
    let len = u32::try_from(HEADER_LEN + body.len()).unwrap_or_default();
    let mut message = Vec::with_capacity(HEADER_LEN + body.len());
    message.extend(len.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    message
}

/// Sends one request and returns the body of its answer.
pub(crate) fn ask(request: &[u8]) -> io::Result<Vec<u8>> {
    // SAFETY: no pointers; the descriptor is nobody else's.
    let socket = unsafe {
        let fd = libc::socket(
            libc::AF_NETLINK,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            libc::NETLINK_ROUTE,
        );
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(fd)
    };
    // SAFETY: the request is read for its length. An unconnected netlink socket sends to the kernel.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            request.as_ptr().cast(),
            request.len(),
            0,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut answer = vec![0; 32 << 10];
    // SAFETY: the buffer is written for at most its length.
    let got = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            answer.as_mut_ptr().cast(),
            answer.len(),
            0,
        )
    };
    let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
    answer.truncate(got);
    let kind = answer
        .get(4..6)
        .map(|bytes| u16::from_ne_bytes([bytes[0], bytes[1]]));
    if kind == Some(ERROR) {
        let code = read_u32(answer.get(HEADER_LEN..).unwrap_or_default()).cast_signed();
        return Err(io::Error::from_raw_os_error(-code));
    }
    Ok(answer.split_off(HEADER_LEN.min(got)))
}

/// The attributes of a message's rest: kind and value.
pub(crate) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(u16::from_ne_bytes([*rest.first()?, *rest.get(1)?]));
        let kind = u16::from_ne_bytes([*rest.get(2)?, *rest.get(3)?]) & 0x3fff;
        let value = rest.get(4..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

pub(crate) fn read_u32(bytes: &[u8]) -> u32 {
    let mut word = [0; mem::size_of::<u32>()];
    let len = bytes.len().min(word.len());
    word[..len].copy_from_slice(&bytes[..len]);
    u32::from_ne_bytes(word)
}

fn text(bytes: &[u8]) -> String {
    CStr::from_bytes_until_nul(bytes)
        .map(|text| text.to_string_lossy().into_owned())
        .unwrap_or_default()
}

const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_PROG_ID: u16 = 4;
const IFLA_INFO_KIND: u16 = 1;

fn parse(answer: &[u8]) -> io::Result<Interface> {
    let link = answer.get(..LINK_LEN).ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut interface = Interface {
        index: read_u32(&link[4..8]),
        is_up: read_u32(&link[8..12]) & 1 != 0,
        ..Interface::default()
    };
    for (kind, value) in attributes(&answer[LINK_LEN..]) {
        match kind {
            libc::IFLA_IFNAME => interface.name = text(value),
            libc::IFLA_MTU => interface.mtu = read_u32(value),
            libc::IFLA_ADDRESS => {
                if let Ok(octets) = value.try_into() {
                    interface.mac = MacAddress::from_octets(octets);
                }
            }
            libc::IFLA_LINK => interface.peer_index = Some(read_u32(value)),
            IFLA_LINK_NETNSID => {
                interface.peer_namespace = Some(read_u32(value).cast_signed());
            }
            libc::IFLA_LINKINFO => {
                let kind = attributes(value).find(|(kind, _)| *kind == IFLA_INFO_KIND);
                interface.kind = kind.map(|(_, value)| text(value)).unwrap_or_default();
            }
            IFLA_XDP => {
                for (kind, value) in attributes(value) {
                    match kind {
                        IFLA_XDP_ATTACHED => {
                            interface.xdp_attached = value.first().copied().unwrap_or(0);
                        }
                        IFLA_XDP_PROG_ID => interface.xdp_program = Some(read_u32(value)),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(interface)
}
