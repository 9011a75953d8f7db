//! A server of the HTTP API on loopback, over TLS, and clients of it.

#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use inlay_manager::{
    hosts::Hosts,
    http::{
        Api, ConnectionLimits, RequestLimits, ServedCertificate, Verbs, router, serve,
        server_config,
    },
    metrics::{self, HttpMetrics},
};
use prometheus_client::registry::Registry;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::{oneshot, watch},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use ureq::{
    Agent,
    http::{HeaderMap, Request},
    tls::{Certificate, RootCerts, TlsConfig},
};

/// How long a test waits for what has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate of 127.0.0.1 and its key.
pub(crate) fn certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let (certificate, key, _) = certificate_and_pem();
    (certificate, key)
}

/// The same, and the certificate as programs read it.
fn certificate_and_pem() -> (CertificateDer<'static>, PrivateKeyDer<'static>, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    (cert.der().clone(), private_key(&signing_key), cert.pem())
}

fn private_key(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()))
}

/// A running server. It ends when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) root: CertificateDer<'static>,
    pub(crate) root_pem: String,
    pub(crate) certificate: Arc<ServedCertificate>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) runtime: Runtime,
    ended: Option<tokio::task::JoinHandle<()>>,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) ready: watch::Sender<bool>,
}

impl Server {
    pub(crate) fn start(
        verbs: Arc<dyn Verbs>,
        hosts: Arc<dyn Hosts>,
        requests: RequestLimits,
        connections: ConnectionLimits,
    ) -> Self {
        let runtime = runtime();
        Self::start_on(runtime, verbs, hosts, requests, connections)
    }

    /// On the runtime that what is served may need too.
    pub(crate) fn start_on(
        runtime: Runtime,
        verbs: Arc<dyn Verbs>,
        hosts: Arc<dyn Hosts>,
        requests: RequestLimits,
        connections: ConnectionLimits,
    ) -> Self {
        let (root, key, root_pem) = certificate_and_pem();
        let certificate = Arc::new(ServedCertificate::new(vec![root.clone()], key).unwrap());
        let tls = Arc::new(server_config(Arc::clone(&certificate)).unwrap());
        let mut registry = metrics::registry();
        let http_metrics = HttpMetrics::register(&mut registry);
        let (ready, is_ready) = watch::channel(true);
        let app = router(Api::new(verbs, hosts, requests, http_metrics, is_ready));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = runtime.spawn(serve(listener, tls, app, connections, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            root,
            root_pem,
            certificate,
            registry: Arc::new(registry),
            runtime,
            ended: Some(ended),
            stop: Some(stop),
            ready,
        }
    }

    /// Asks it to end, without waiting for it.
    pub(crate) fn stop(&mut self) -> tokio::task::JoinHandle<()> {
        drop(self.stop.take());
        self.ended.take().unwrap()
    }

    pub(crate) fn client(&self, token: &str) -> Client {
        Client::new(self.address, &self.root, token)
    }

    /// A TLS connection on which a test sends what it likes.
    pub(crate) async fn connect(&self) -> TlsStream<TcpStream> {
        self.try_connect().await.unwrap()
    }

    /// The same; the server may not want it.
    pub(crate) async fn try_connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await
    }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// A client of the API, as users have one.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    base: String,
    token: String,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, root: &CertificateDer<'_>, token: &str) -> Self {
        let root = Certificate::from_der(root.as_ref()).to_owned();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[root]))
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .tls_config(tls)
            .allow_non_standard_methods(true)
            .timeout_global(Some(PATIENCE))
            .build()
            .new_agent();
        Self {
            agent,
            base: format!("https://{address}"),
            token: token.to_owned(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, &[], Some(body))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, &[], Some(body))
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, &[], None)
    }

    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let text = body.map(Value::to_string);
        let json = ("Content-Type", "application/json");
        let with_type: Vec<_> = headers.iter().copied().chain([json]).collect();
        let headers = if body.is_some() { &with_type } else { headers };
        self.send(method, path, headers, text.map(String::into_bytes))
    }

    /// Sends a body as it is.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if !self.token.is_empty() {
            request = request.header("Authorization", format!("Bearer {}", self.token));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answered = match body {
            Some(body) => self.agent.run(request.body(body).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut response = answered.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let text = response
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_string();
        let text = text.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }
}

impl Answer {
    /// Fails with the whole answer where the status is another one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// A problem of RFC 9457 with this status.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16) -> Self {
        let answer = self.expect(status);
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{answer:#?}"
        );
        assert_eq!(answer.body["status"], status, "{answer:#?}");
        for member in ["type", "title", "detail"] {
            let text = answer.body[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{member}: {answer:#?}");
        }
        answer
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap_or_default()
    }
}

/// Waits until `holds`, and fails where it does not in time.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}: not in time");
        std::thread::yield_now();
    }
}
