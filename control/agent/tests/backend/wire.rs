//! Whole Ethernet frames at an interface of a named namespace (`AF_PACKET`).

use std::{
    fs::File,
    os::fd::{AsRawFd as _, OwnedFd},
    thread,
};

use nix::{
    errno::Errno,
    libc,
    sched::{CloneFlags, setns},
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket},
};
use tokio::io::unix::AsyncFd;

/// A socket that sees every frame of an interface.
pub(crate) struct Wire(AsyncFd<OwnedFd>);

impl Wire {
    /// Within a tokio runtime.
    pub(crate) fn open(namespace: &str, interface: &str) -> Self {
        let file = File::open(format!("/run/netns/{namespace}")).unwrap();
        let open = || {
            setns(file, CloneFlags::CLONE_NEWNET).unwrap();
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let protocol = SockProtocol::EthAll;
            let socket = socket(AddressFamily::Packet, SockType::Raw, flags, protocol).unwrap();
            bind(&socket, nix::net::if_::if_nametoindex(interface).unwrap());
            socket
        };
        let socket = thread::scope(|scope| scope.spawn(open).join().unwrap());
        // SAFETY: the value owns one descriptor, which it never changes, and closes it when dropped.
        Self(unsafe { AsyncFd::register(socket) }.unwrap())
    }

    pub(crate) fn send(&self, frame: &[u8]) {
        send(self.0.as_raw_fd(), frame, MsgFlags::empty()).unwrap();
    }

    /// The next frame, sent ones too.
    pub(crate) async fn receive(&self) -> Vec<u8> {
        let mut buffer = vec![0; 4096];
        loop {
            let mut guard = self.0.readable().await.unwrap();
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(len) => {
                    buffer.truncate(len);
                    return buffer;
                }
                Err(Errno::EAGAIN) => guard.clear_ready(),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// nix has no bind for `sockaddr_ll`.
fn bind(socket: &OwnedFd, interface_index: u32) {
    // SAFETY: all zeros are a valid `sockaddr_ll`.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap();
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL).unwrap().to_be();
    address.sll_ifindex = i32::try_from(interface_index).unwrap();
    let len = u32::try_from(size_of_val(&address)).unwrap();
    // SAFETY: the address is of the length that is passed.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    Errno::result(bound).unwrap();
}
