//! A subject with its namespaces open: makes sockets at either end, with the time-outs and buffers that
//! every measurement has.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::sys::{
    socket::{
        setsockopt,
        sockopt::{RcvBufForce, ReceiveTimeout},
    },
    time::{TimeVal, TimeValLike as _},
};

use super::{namespace::Namespace, subject::Subject};

/// Where the receiver listens; two-hosts lets both through.
const UDP_PORT: u16 = 9000;
const TCP_PORT: u16 = 5201;
/// UDP payload of a frame of 64 bytes with an IPv4 header, the frame check sequence not counted. With
/// IPv6, the same payload makes 84 bytes.
pub(super) const PAYLOAD_BYTES: usize = 64 - 14 - 20 - 8;
/// How long a socket waits for what must come.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// What a receiver can be behind: some 5,000 datagrams, since each counts with its kernel structures.
const RECEIVE_BUFFER_BYTES: usize = 1 << 22;
/// Datagrams that may be lost before one arrives, and how long each is waited for.
const WARM_UP_MAX: u32 = 50;
const WARM_UP_PATIENCE: Duration = Duration::from_millis(100);

/// A subject, ready.
#[derive(Debug)]
pub(super) struct Path {
    subject: &'static Subject,
    from: Namespace,
    to: Namespace,
}

impl Path {
    pub(super) fn open(subject: &'static Subject) -> Result<Self> {
        let (from, to) = (Namespace::open(subject.from)?, Namespace::open(subject.to)?);
        Ok(Self { subject, from, to })
    }

    pub(super) fn subject(&self) -> &'static Subject {
        self.subject
    }

    /// Sends until something arrives: neighbours get resolved, code and tables get into the caches.
    pub(super) fn warm_up(&self) -> Result<()> {
        let (sender, receiver) = self.udp()?;
        receiver.set_read_timeout(Some(WARM_UP_PATIENCE))?;
        let mut buffer = [0; PAYLOAD_BYTES];
        for _ in 0..WARM_UP_MAX {
            sender.send(&buffer).context("send")?;
            if receive(&receiver, &mut buffer)?.is_some() {
                return Ok(());
            }
        }
        let Subject {
            name,
            from,
            address,
            ..
        } = self.subject;
        bail!("{name}: none of {WARM_UP_MAX} datagrams from {from} arrived at {address}")
    }

    /// A sender that is connected to a receiver.
    pub(super) fn udp(&self) -> Result<(UdpSocket, UdpSocket)> {
        let bind =
            |at: SocketAddr| move || UdpSocket::bind(at).with_context(|| format!("bind {at}"));
        let receiver = self.to.run(bind(self.any(UDP_PORT)))?;
        let sender = self.from.run(bind(self.any(0)))?;
        sender
            .connect((self.subject.address, UDP_PORT))
            .context("connect")?;
        for socket in [&sender, &receiver] {
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.set_write_timeout(Some(PATIENCE))?;
            setsockopt(socket, RcvBufForce, &RECEIVE_BUFFER_BYTES)?;
        }
        Ok((sender, receiver))
    }

    /// Both ends of a connection, the sender's first.
    pub(super) fn tcp(&self) -> Result<(TcpStream, TcpStream)> {
        let at = self.any(TCP_PORT);
        let listen = move || TcpListener::bind(at).with_context(|| format!("listen at {at}"));
        let listener = self.to.run(listen)?;
        // Accepting waits as long as receiving.
        setsockopt(
            &listener,
            ReceiveTimeout,
            &TimeVal::seconds(PATIENCE.as_secs().cast_signed()),
        )?;
        let to = SocketAddr::new(self.subject.address, TCP_PORT);
        let sender = self.from.run(|| {
            TcpStream::connect_timeout(&to, PATIENCE).with_context(|| format!("connect to {to}"))
        })?;
        let (receiver, _) = listener.accept().context("accept")?;
        sender.set_write_timeout(Some(PATIENCE))?;
        receiver.set_read_timeout(Some(PATIENCE))?;
        Ok((sender, receiver))
    }

    fn any(&self, l4_port: u16) -> SocketAddr {
        let address = match self.subject.address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        SocketAddr::new(address, l4_port)
    }
}

/// A datagram and who sent it, or none within the socket's time-out.
pub(super) fn receive(
    socket: &UdpSocket,
    buffer: &mut [u8],
) -> Result<Option<(usize, SocketAddr)>> {
    match socket.recv_from(buffer) {
        Ok(received) => Ok(Some(received)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error).context("receive"),
    }
}
