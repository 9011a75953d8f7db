//! Connections, counted: so many at a time, and those without a certificate few and for a short time, since anybody can
//! make them.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, StreamExt as _, future};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// Connections of hosts at a time, for each stream that may be open: one that ends, and one that begins.
const PER_SESSION: usize = 2;
/// Connections without a certificate at a time.
const STRANGERS_MAX: usize = 128;
/// How long such a connection may last: it is for one call.
const STRANGER_TIME: Duration = Duration::from_secs(30);

/// A connection with its place among others.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    /// When it must end.
    end: Option<Pin<Box<Sleep>>>,
    /// Given back as it is dropped.
    _place: OwnedSemaphorePermit,
}

/// Those connections for which there is a place; the others are cut off.
pub(super) fn admitted(
    connections: impl Stream<Item = io::Result<TlsStream<TcpStream>>> + Send + Unpin,
    sessions_max: usize,
) -> impl Stream<Item = io::Result<Connection>> + Send {
    let hosts = Arc::new(Semaphore::new(sessions_max.saturating_mul(PER_SESSION)));
    let strangers = Arc::new(Semaphore::new(STRANGERS_MAX));
    connections.filter_map(move |stream| {
        future::ready(match stream {
            Ok(stream) => admit(stream, &hosts, &strangers).map(Ok),
            Err(error) => Some(Err(error)),
        })
    })
}

fn admit(
    stream: TlsStream<TcpStream>,
    hosts: &Arc<Semaphore>,
    strangers: &Arc<Semaphore>,
) -> Option<Connection> {
    let is_host = stream.get_ref().1.peer_certificates().is_some();
    let places = if is_host { hosts } else { strangers };
    let Ok(place) = Arc::clone(places).try_acquire_owned() else {
        tracing::warn!(is_host, "too many connections: one is cut off");
        return None;
    };
    Some(Connection {
        stream,
        end: (!is_host).then(|| Box::pin(sleep(STRANGER_TIME))),
        _place: place,
    })
}

impl Connected for Connection {
    type ConnectInfo = <TlsStream<TcpStream> as Connected>::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(end) = &mut self.end
            && end.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
