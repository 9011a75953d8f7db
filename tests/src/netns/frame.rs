//! Whole Ethernet frames, sent from and received at an interface of a namespace (`AF_PACKET`).

use std::{
    os::fd::{AsRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use nix::{
    errno::Errno,
    net::if_::if_nametoindex,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket},
};
use std::os::fd::AsFd as _;

use super::Namespace;

/// A socket that sees every frame of an interface.
#[derive(Debug)]
pub struct FrameSocket {
    socket: OwnedFd,
}

impl FrameSocket {
    /// Opens one at `interface` in `namespace`.
    ///
    /// # Errors
    /// Where the interface is not there.
    pub fn open(namespace: &Namespace, interface: &str) -> Result<Self> {
        let socket = namespace.run(|| {
            let index = if_nametoindex(interface).with_context(|| format!("find {interface}"))?;
            let socket = socket(
                AddressFamily::Packet,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                SockProtocol::EthAll,
            )?;
            bind(&socket, index)?;
            Ok(socket)
        })?;
        Ok(Self { socket })
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// Those of send(2).
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        send(self.socket.as_raw_fd(), frame, MsgFlags::empty()).context("send a frame")?;
        Ok(())
    }

    /// The first frame that `is_wanted`, within `deadline`.
    ///
    /// # Errors
    /// Those of recv(2); none where nothing comes.
    pub fn receive(
        &self,
        deadline: Duration,
        mut is_wanted: impl FnMut(&[u8]) -> bool,
    ) -> Result<Option<Vec<u8>>> {
        let start = Instant::now();
        let mut buffer = vec![0; 65_536];
        while let Some(left) = deadline.checked_sub(start.elapsed()) {
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut waiting = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            if poll(&mut waiting, timeout)? == 0 {
                break;
            }
            match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(len_bytes) if is_wanted(&buffer[..len_bytes]) => {
                    buffer.truncate(len_bytes);
                    return Ok(Some(buffer));
                }
                Ok(_) | Err(Errno::EAGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

/// nix has no bind for `sockaddr_ll`.
fn bind(socket: &OwnedFd, interface_index: u32) -> Result<()> {
    // SAFETY: all zeros are a valid `sockaddr_ll`.
    let mut address: nix::libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(nix::libc::AF_PACKET)?;
    address.sll_protocol = u16::try_from(nix::libc::ETH_P_ALL)?.to_be();
    address.sll_ifindex = i32::try_from(interface_index)?;
    let len = u32::try_from(size_of_val(&address))?;
    // SAFETY: the address is of the length that is passed.
    let bound = unsafe { nix::libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    Errno::result(bound).context("bind to the interface")?;
    Ok(())
}
