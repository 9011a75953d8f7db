//! Tells that something happened to the interfaces of this network namespace, by rtnetlink's multicast.
//! What it was is asked of the kernel then: messages may be lost, and the answer may not.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use anyhow::Context as _;
use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
    },
};

use crate::readable::Readable;

/// `RTMGRP_LINK`.
const LINK_GROUP: u32 = 1;
/// Longer messages are cut, which is of no matter.
const MESSAGE_BYTES: usize = 4096;

/// A subscription.
#[derive(Debug)]
pub(crate) struct LinkEvents(Readable<OwnedFd>);

impl LinkEvents {
    /// Subscribes. What happens from here on is told.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let protocol = SockProtocol::NetlinkRoute;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)
            .context("cannot open an rtnetlink socket")?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, LINK_GROUP))
            .context("cannot subscribe to interfaces")?;
        Ok(Self(Readable::new(socket)?))
    }

    /// Waits for an event, and takes all that are there. May be dropped while it waits.
    pub(crate) async fn next(&self) -> io::Result<()> {
        self.0.read(drain).await
    }
}

/// Reads until nothing is left. `WouldBlock` where nothing was there.
fn drain(socket: &OwnedFd) -> io::Result<()> {
    let mut buffer = [0; MESSAGE_BYTES];
    let mut is_first = true;
    loop {
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            // Messages were lost, so there were some.
            Ok(_) | Err(Errno::ENOBUFS) => is_first = false,
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if !is_first => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
