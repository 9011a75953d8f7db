//! A packet socket: frames of one interface, as they are on the link.

use std::{
    io, mem,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use crate::readable::Readable;

/// Longest frame that is read; a client's message is 548 bytes by default.
pub(super) const FRAME_BYTES_MAX: usize = 2048;
/// Frames that wait to be read, in bytes: what a burst of messages needs.
const QUEUE_BYTES: libc::c_int = 64 << 10;
const ETH_P_IP: u16 = 0x0800;

/// A socket for the IPv4 frames of an interface of this thread's network namespace.
#[derive(Debug)]
pub(super) struct Socket(Readable<OwnedFd>);

impl Socket {
    /// Within a tokio runtime.
    pub(super) fn open(interface_index: u32) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // No protocol yet: nothing of other interfaces comes before it is bound.
        // SAFETY: no pointers; the descriptor is nobody else's.
        let socket = unsafe {
            let fd = libc::socket(libc::AF_PACKET, kind, 0);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        limit_queue(&socket)?;
        bind(&socket, interface_index)?;
        Ok(Self(Readable::new(socket)?))
    }

    /// Waits for a frame, and reads as much of it as fits. May be dropped while it waits.
    pub(super) async fn receive(&self, frame: &mut [u8; FRAME_BYTES_MAX]) -> io::Result<usize> {
        self.0
            .read(|socket| {
                let (at, len) = (frame.as_mut_ptr().cast(), frame.len());
                // SAFETY: the buffer is written for at most its length.
                let got = unsafe { libc::recv(socket.as_raw_fd(), at, len, 0) };
                usize::try_from(got).map_err(|_| io::Error::last_os_error())
            })
            .await
    }

    /// Sends a frame, or loses it where the interface has no room.
    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        let (at, len) = (frame.as_ptr().cast(), frame.len());
        // SAFETY: the frame is read for its length.
        let sent = unsafe { libc::send(self.0.get().as_raw_fd(), at, len, 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

fn limit_queue(socket: &OwnedFd) -> io::Result<()> {
    let value: libc::c_int = QUEUE_BYTES;
    // SAFETY: the option takes an integer, which is read for its size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUF,
            (&raw const value).cast(),
            length(&value),
        )
    };
    checked(result)
}

fn bind(socket: &OwnedFd, interface_index: u32) -> io::Result<()> {
    // SAFETY: zeros are values of the structure's integers.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET.cast_unsigned().to_le_bytes()[0].into();
    address.sll_protocol = ETH_P_IP.to_be();
    address.sll_ifindex = interface_index.cast_signed();
    // SAFETY: the address is read for its size.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            length(&address),
        )
    };
    checked(result)
}

fn length<T>(_: &T) -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or_default()
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
