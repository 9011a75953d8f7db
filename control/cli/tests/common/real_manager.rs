//! The manager's own store, service and API on loopback. What its hosts would say is made up: they have everything
//! at once, or one of them never does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _, ready};
use inlay_api::{
    objects::{Applied, HostCondition, HostPending, JoinToken, Kind},
    wire::agent::{Answer, answer, question::Question},
};
use inlay_manager::{
    hosts::{AskError, HostView, Hosts},
    http::{Api, ConnectionLimits, RequestLimits, ServedCertificate, router, serve, server_config},
    keys,
    metrics::{self, HttpMetrics},
    service::{JoinTokens, Service, ServiceSettings, Target, secret_hash},
    store::{Operation, Revision, Store as _, StoreError, Transaction, sqlite::SqliteStore},
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    sync::{oneshot, watch},
};

use crate::common::Inlay;

/// Secret of the operator's token.
const ADMIN: &str = "secret-of-the-operator";

/// The manager; it is gone with this.
pub(crate) struct RealManager {
    server: String,
    ca: String,
    hosts: Arc<MadeUpHosts>,
    runtime: Option<Runtime>,
    _stop: oneshot::Sender<()>,
    _ready: watch::Sender<bool>,
    _directory: tempfile::TempDir,
}

impl RealManager {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::create(&directory.path().join("inlay.db")).unwrap();
        let store = Arc::new(store);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let hosts = Arc::new(MadeUpHosts::default());
        let service = runtime.block_on(async {
            store.commit(admin()).await.unwrap();
            let settings = ServiceSettings::new(Arc::new(Issuer));
            let opened = Service::open(store.clone(), hosts.clone(), settings);
            opened.await.unwrap()
        });
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let certificate = ServedCertificate::new(vec![cert.der().clone()], key).unwrap();
        let tls = Arc::new(server_config(Arc::new(certificate)).unwrap());
        let mut registry = metrics::registry();
        let (is_ready, readiness) = watch::channel(true);
        let api = Api::new(
            service,
            hosts.clone(),
            RequestLimits::default(),
            HttpMetrics::register(&mut registry),
            readiness,
        );
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let server = format!("https://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let limits = ConnectionLimits::default();
        runtime.spawn(serve(listener, tls, router(api), limits, async {
            let _ = stopped.await;
        }));
        Self {
            server,
            ca: cert.pem(),
            hosts,
            runtime: Some(runtime),
            _stop: stop,
            _ready: is_ready,
            _directory: directory,
        }
    }

    /// The command with the operator's token, in project `acme` and network `main`.
    pub(crate) fn operator(&self) -> Inlay {
        self.with_token(ADMIN)
    }

    /// The command with a context of this token.
    pub(crate) fn with_token(&self, token: &str) -> Inlay {
        let inlay = Inlay::new();
        let ca = inlay.file("ca.pem", &self.ca);
        let arguments = [
            "context",
            "set",
            "lab",
            "--server",
            &self.server,
            "--ca",
            &ca,
            "--token-file",
            "-",
            "--project",
            "acme",
            "--network",
            "main",
        ];
        inlay.run_with(&arguments, token).expect(0);
        inlay
    }

    /// Host `host2` applies nothing any more, or again.
    pub(crate) fn set_behind(&self, is_behind: bool) {
        self.hosts.is_behind.store(is_behind, Ordering::SeqCst);
    }
}

impl Drop for RealManager {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The operator's token, as `inlay manager init` would store it.
fn admin() -> Transaction {
    let object = json!({"kind": "token", "spec": {"role": "admin"}, "status": {"hint": &ADMIN[..4]},
        "metadata": {"name": "operator", "uid": "uid-operator",
            "created_at": "2001-01-01T00:00:00Z", "updated_at": "2001-01-01T00:00:00Z"}});
    let token = format!("{}operator", keys::kind(Kind::Token));
    let operations = vec![
        Operation::Put(token, Bytes::from(object.to_string())),
        Operation::Put(
            keys::token(&secret_hash(ADMIN)),
            Bytes::from("operator".to_owned()),
        ),
    ];
    Transaction {
        conditions: Vec::new(),
        operations,
    }
}

#[derive(Debug)]
struct Issuer;

impl JoinTokens for Issuer {
    fn issue<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<JoinToken, StoreError>> {
        let token = JoinToken {
            token: format!("join-{host}"),
            expires_at: "2126-01-01T00:00:00Z".to_owned(),
        };
        ready(Ok(token)).boxed()
    }
}

#[derive(Debug, Default)]
struct MadeUpHosts {
    is_behind: AtomicBool,
}

impl Hosts for MadeUpHosts {
    fn subscribers(&self, _: u32) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn held(&self, _: u32) -> Revision {
        Revision::MAX
    }

    fn host(&self, _: &str) -> HostView {
        HostView {
            state: HostCondition::Ready,
            ..HostView::default()
        }
    }

    fn degraded(&self, _: &str, _: &str, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn wait_applied(&self, revision: Revision, _: &Target, _: Instant) -> BoxFuture<'_, Applied> {
        let is_behind = self.is_behind.load(Ordering::SeqCst);
        let pending = is_behind.then(|| HostPending {
            host: "host2".to_owned(),
            applied_revision: 0,
            reason: "it is not connected".to_owned(),
        });
        let applied = Applied {
            revision,
            complete: !is_behind,
            pending: pending.into_iter().collect(),
        };
        ready(applied).boxed()
    }

    fn ask(&self, _: &str, _: Question) -> BoxFuture<'_, Result<Answer, AskError>> {
        let explanation =
            json!({"verdict": "delivered", "steps": [{"step": "route", "found": "local"}]});
        ready(Ok(Answer {
            id: 0,
            answer: Some(answer::Answer::Explanation(explanation.to_string())),
            frame: Vec::new(),
        }))
        .boxed()
    }
}
