//! Connections: how many, and how long each may take for everything. What HTTP is answered is not known here.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use axum::{Router, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::{door::Door, stall::WriteDeadline};

/// Limits of connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections at a time. Each takes up to 128 KiB besides its request's body; the next wait to be accepted.
    pub connections_max: usize,
    /// Connections of one address at a time, so that one machine cannot take them all; more are closed.
    pub per_address_max: usize,
    /// For the TLS handshake.
    pub handshake_time: Duration,
    /// For the head of a request, from the connection's or the previous answer's end: also how long an idle connection
    /// is kept.
    pub head_time: Duration,
    /// For the client to take one part of an answer.
    pub write_time: Duration,
    /// How long a client is listened to after the last answer, so that it reads the answer and not a reset.
    pub linger_time: Duration,
    /// For requests that are worked on at the server's end.
    pub shutdown_time: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: 2_048,
            per_address_max: 512,
            handshake_time: Duration::from_secs(10),
            head_time: Duration::from_secs(30),
            write_time: Duration::from_secs(30),
            linger_time: Duration::from_secs(2),
            shutdown_time: Duration::from_secs(10),
        }
    }
}

/// Bytes that are read and thrown away after the last answer, at most.
const LINGER_BYTES_MAX: usize = 16 << 20;
/// Bytes that a request's head may have. The API refuses less, with a problem; this is what protects it.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Header fields that a request's head may have, as above.
const HEAD_FIELDS_MAX: usize = 128;
/// Before accepting is tried again, after it failed: the process has no file descriptors left.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Serves HTTP over TLS until `shutdown` is ready and what was asked until then is answered.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    app: Router,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()> + Send,
) {
    accept(
        listener,
        Some(TlsAcceptor::from(tls)),
        app,
        limits,
        shutdown,
    )
    .await;
}

/// As [`serve`], without TLS: for what only this machine asks.
pub async fn serve_plain(
    listener: TcpListener,
    app: Router,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()> + Send,
) {
    accept(listener, None, app, limits, shutdown).await;
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    app: Router,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let door = Door::new(limits);
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = door.next(&listener) => accepted,
            () = &mut shutdown => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, slot)) => {
                let connection = Connection {
                    app: app.clone(),
                    limits,
                    stopped: stopped.clone(),
                };
                let tls = tls.clone();
                connections.spawn(async move {
                    connection.serve(stream, tls).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection is not accepted");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    drop(listener);
    let _ = stop.send(true);
    let all_done = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.shutdown_time, all_done).await.is_err() {
        tracing::warn!("requests are given up, for the server ends");
    }
}

/// What a connection is served with.
struct Connection {
    app: Router,
    limits: ConnectionLimits,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // An answer is one write; there is nothing to wait for.
        let _ = stream.set_nodelay(true);
        let stream = WriteDeadline::new(stream, self.limits.write_time);
        let Some(tls) = tls else {
            return self.http(stream).await;
        };
        match timeout(self.limits.handshake_time, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.http(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn http<S: AsyncRead + AsyncWrite + Unpin>(mut self, stream: S) {
        let app = self.app.clone();
        let service = service_fn(move |request: Request<Incoming>| answer(app.clone(), request));
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_time)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEAD_FIELDS_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut is_stopping = false;
        let served = loop {
            tokio::select! {
                served = poll_fn(|context| connection.poll_without_shutdown(context)) => break served,
                _ = self.stopped.wait_for(|stopped| *stopped), if !is_stopping => {
                    is_stopping = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a connection ended early");
        }
        linger(connection.into_parts().io.into_inner(), self.limits).await;
    }
}

/// A boxed future, for hyper polls a connection that may be taken apart only if all of it may be moved.
fn answer(
    app: Router,
    request: Request<Incoming>,
) -> Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>> {
    Box::pin(app.oneshot(request))
}

/// Ends a connection so that its last answer arrives: what the client still sends would otherwise be answered by a
/// reset, which may overtake the answer.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, limits: ConnectionLimits) {
    let read_to_end = async {
        stream.shutdown().await?;
        let mut thrown_away = vec![0; 16 * 1024];
        let mut total = 0;
        while total < LINGER_BYTES_MAX {
            match stream.read(&mut thrown_away).await? {
                0 => break,
                some => total += some,
            }
        }
        io::Result::Ok(())
    };
    // Whoever has closed it already is not missed.
    let _ = timeout(limits.linger_time, read_to_end).await;
}
