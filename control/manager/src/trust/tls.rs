//! TLS for the agents' listener.

use std::{io, pin::pin, sync::Arc, time::Duration};

use futures_util::Stream;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::CertificateDer,
    server::{ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tracing::{debug, warn};

use super::TrustError;

/// Handshakes at a time; further connections wait to be accepted.
const HANDSHAKES_MAX: usize = 256;
/// For a handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Connections that are ready and wait for the server.
const READY_MAX: usize = 64;
/// Before accepting is tried again, after it failed: the process has no file descriptors left.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// TLS 1.3 with HTTP/2 for agents. A client may show no certificate, as one that joins has none; one that is shown must
/// be of our CA, for clients, and not have ended. Whoever serves a call must look which: `peer`, then
/// `Trust::standing`.
///
/// # Errors
/// Where the CA's certificate cannot be used.
pub fn agents_server_config(
    authority: &CertificateDer<'static>,
    certificate: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = client_verifier(authority)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn client_verifier(
    authority: &CertificateDer<'static>,
) -> Result<Arc<dyn ClientCertVerifier>, TrustError> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).map_err(unusable)?;
    let provider = Arc::new(ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(unusable)
}

fn unusable(error: impl std::fmt::Display) -> TrustError {
    TrustError::Authority(error.to_string())
}

/// Connections of a listener whose handshake is done, for tonic's `serve_with_incoming`: a slow client holds up nobody
/// else. It ends, and the listener with it, when the stream is dropped.
pub fn incoming(
    listener: TcpListener,
    config: Arc<ServerConfig>,
) -> impl Stream<Item = io::Result<TlsStream<TcpStream>>> + Send + Unpin {
    let (ready, connections) = mpsc::channel(READY_MAX);
    tokio::spawn(accept(listener, TlsAcceptor::from(config), ready));
    ReceiverStream::new(connections)
}

type Ready = mpsc::Sender<io::Result<TlsStream<TcpStream>>>;

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, ready: Ready) {
    let slots = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let mut closed = pin!(ready.closed());
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut closed => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "a connection is not accepted");
                sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            shake_hands(stream, &acceptor, &ready).await;
            drop(slot);
        });
    }
}

async fn shake_hands(stream: TcpStream, acceptor: &TlsAcceptor, ready: &Ready) {
    // Small messages, each of which somebody waits for.
    let _ = stream.set_nodelay(true);
    match timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await {
        // Where the server has ended, so does the connection.
        Ok(Ok(stream)) => drop(ready.send(Ok(stream)).await),
        Ok(Err(error)) => debug!(%error, "a TLS handshake failed"),
        Err(_) => debug!("a TLS handshake took too long"),
    }
}
