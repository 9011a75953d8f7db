//! A manager in memory with its own CA and real TLS: it does what the test says, and notes what agents send.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use futures_util::Stream;
use inlay_agent::{
    identity::{DataDirectory, Identity},
    join::{JoinTarget, join},
};
use inlay_api::wire::agent::{
    Acknowledgement, Answer, FromAgent, FromManager, Heard, Hello, JoinRequest, JoinResponse,
    Question, RenewRequest, RenewResponse, Report, Update, Welcome,
    agents_server::{Agents, AgentsServer},
    enrollment_server::{Enrollment, EnrollmentServer},
    from_agent, from_manager,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use sha2::{Digest as _, Sha256};
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Certificate, Identity as ServerIdentity, Server, ServerTlsConfig},
};

use super::temporary::Directory;

/// How long anything may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// The one token that it takes.
pub(crate) const SECRET: &str = "00112233445566778899aabbccddeeff";

/// What agents sent, and what it is to do.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) epoch: String,
    /// Whether streams are refused, and how.
    pub(crate) refusal: Option<Status>,
    /// What is sent when a stream begins, after the welcome.
    pub(crate) greeting: Vec<Update>,
    pub(crate) hellos: Vec<Hello>,
    pub(crate) acknowledgements: Vec<Acknowledgement>,
    pub(crate) reports: Vec<Report>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) secrets: Vec<String>,
    pub(crate) renewals: usize,
    /// Whether reports are not answered.
    pub(crate) is_deaf: bool,
    /// How long certificates are valid, and from when on, seconds from now.
    pub(crate) validity_s: (i64, i64),
    /// The stream that is there.
    stream: Option<mpsc::Sender<Result<FromManager, Status>>>,
}

/// What handlers share.
#[derive(Clone)]
struct Shared {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    authority: Arc<CertifiedIssuer<'static, KeyPair>>,
}

/// A running manager, which goes with its test.
pub(crate) struct FakeManager {
    shared: Shared,
    pub(crate) address: SocketAddr,
    server: Option<JoinHandle<()>>,
    tls: ServerTlsConfig,
}

impl Drop for FakeManager {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "inlay test CA");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

impl FakeManager {
    pub(crate) async fn start() -> Self {
        let authority = authority();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let loopback = SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into());
        params.subject_alt_names.push(loopback);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &authority).unwrap();
        // The CA goes with it, so that who joins can see it.
        let chain = format!("{}{}", certificate.pem(), authority.pem());
        let tls = ServerTlsConfig::new()
            .identity(ServerIdentity::from_pem(chain, key.serialize_pem()))
            .client_ca_root(Certificate::from_pem(authority.pem()))
            .client_auth_optional(true);
        let shared = Shared {
            state: Arc::default(),
            changed: Arc::default(),
            authority: Arc::new(authority),
        };
        "one".clone_into(&mut shared.state().epoch);
        shared.state().validity_s = (-60, 3600);
        let mut manager = Self {
            shared,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            server: None,
            tls,
        };
        manager.resume().await;
        manager
    }

    /// Listens, where it listened before.
    pub(crate) async fn resume(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let server = Server::builder()
            .tls_config(self.tls.clone())
            .unwrap()
            .add_service(EnrollmentServer::new(self.shared.clone()))
            .add_service(AgentsServer::new(self.shared.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        self.server = Some(tokio::spawn(async move {
            let _ = server.await;
        }));
    }

    /// Ends, with all streams.
    pub(crate) async fn stop(&mut self) {
        self.cut();
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = server.await;
        }
    }

    /// Ends the stream that is there.
    pub(crate) fn cut(&self) {
        self.state().stream = None;
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// Waits until the state is as `is_right` says, and returns what it found.
    pub(crate) async fn until<T>(&self, mut is_right: impl FnMut(&State) -> Option<T>) -> T {
        let waited = tokio::time::timeout(DEADLINE, async {
            loop {
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(found) = is_right(&self.state()) {
                    return found;
                }
                changed.await;
            }
        });
        waited.await.expect("in time")
    }

    /// Sends a message on the stream that is there.
    pub(crate) async fn send(&self, message: from_manager::Message) {
        let stream = self.until(|state| state.stream.clone()).await;
        let message = FromManager {
            message: Some(message),
        };
        let _ = stream.send(Ok(message)).await;
    }

    pub(crate) async fn update(&self, update: Update) {
        self.send(from_manager::Message::Update(update)).await;
    }

    pub(crate) async fn ask(&self, question: Question) {
        self.send(from_manager::Message::Question(question)).await;
    }

    /// Waits until `revision` is acknowledged.
    pub(crate) async fn acknowledged(&self, revision: u64) -> Acknowledgement {
        self.until(|state| {
            let mut all = state.acknowledgements.iter();
            all.rfind(|it| it.revision == revision).cloned()
        })
        .await
    }

    /// SHA-256 of its CA, in hex digits.
    pub(crate) fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.shared.authority.der());
        let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        pairs.concat()
    }

    pub(crate) fn target(&self, secret: &str, fingerprint: &str) -> JoinTarget {
        format!("{secret}.{fingerprint}@{}", self.address)
            .parse()
            .unwrap()
    }

    /// Has a host join, that keeps its certificate in `directory`.
    pub(crate) async fn enrolled(&self, directory: &Directory) -> (DataDirectory, Identity) {
        let data = DataDirectory::open(directory.path()).unwrap();
        let target = self.target(SECRET, &self.fingerprint());
        let identity = join(&target, &data).await.unwrap();
        (data, identity)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn note(&self, note: impl FnOnce(&mut State)) {
        note(&mut self.state());
        self.changed.notify_waiters();
    }

    fn certificate(&self, request: &[u8]) -> Vec<u8> {
        let der = request.to_vec().into();
        let mut request = CertificateSigningRequestParams::from_der(&der).unwrap();
        let (begins_s, ends_s) = self.state().validity_s;
        let at = |second: i64| {
            let offset = Duration::from_secs(second.unsigned_abs());
            let now = SystemTime::now();
            if second < 0 {
                now - offset
            } else {
                now + offset
            }
        };
        request.params.not_before = at(begins_s).into();
        request.params.not_after = at(ends_s).into();
        request
            .params
            .distinguished_name
            .push(DnType::CommonName, "host1");
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let signed = request.signed_by(&*self.authority).unwrap();
        signed.der().to_vec()
    }
}

#[tonic::async_trait]
impl Enrollment for Shared {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let request = request.into_inner();
        self.note(|state| state.secrets.push(request.secret.clone()));
        if request.secret != SECRET {
            return Err(Status::permission_denied("the token is not known"));
        }
        Ok(Response::new(JoinResponse {
            host: "host1".to_owned(),
            certificate: self.certificate(&request.signing_request),
            authority: self.authority.der().to_vec(),
        }))
    }
}

type Messages = std::pin::Pin<Box<dyn Stream<Item = Result<FromManager, Status>> + Send>>;

#[tonic::async_trait]
impl Agents for Shared {
    type FollowStream = Messages;

    async fn follow(
        &self,
        request: Request<Streaming<FromAgent>>,
    ) -> Result<Response<Messages>, Status> {
        if request.peer_certs().is_none_or(|it| it.is_empty()) {
            return Err(Status::unauthenticated("no certificate"));
        }
        if let Some(refusal) = self.state().refusal.clone() {
            return Err(refusal);
        }
        let mut messages = request.into_inner();
        let (sender, stream) = mpsc::channel(64);
        let shared = self.clone();
        tokio::spawn(async move {
            let mut sender = Some(sender);
            while let Ok(Some(message)) = messages.message().await {
                shared.receive(message, &mut sender);
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        if request.peer_certs().is_none_or(|it| it.is_empty()) {
            return Err(Status::unauthenticated("no certificate"));
        }
        let certificate = self.certificate(&request.into_inner().signing_request);
        self.note(|state| state.renewals += 1);
        Ok(Response::new(RenewResponse {
            certificate,
            authority: self.authority.der().to_vec(),
        }))
    }
}

impl Shared {
    fn receive(
        &self,
        message: FromAgent,
        sender: &mut Option<mpsc::Sender<Result<FromManager, Status>>>,
    ) {
        self.note(|state| match message.message.unwrap() {
            from_agent::Message::Hello(hello) => {
                let welcome = from_manager::Message::Welcome(Welcome {
                    epoch: state.epoch.clone(),
                    report_interval_ms: 100,
                });
                // The stream lasts as long as this is in the state.
                let sender = sender.take().unwrap();
                let updates = state.greeting.iter().cloned();
                let updates = updates.map(from_manager::Message::Update);
                for message in [welcome].into_iter().chain(updates) {
                    let message = FromManager {
                        message: Some(message),
                    };
                    sender.try_send(Ok(message)).unwrap();
                }
                state.hellos.push(hello);
                state.stream = Some(sender);
            }
            from_agent::Message::Acknowledgement(it) => state.acknowledgements.push(it),
            from_agent::Message::Report(it) => {
                state.reports.push(it);
                let heard = FromManager {
                    message: Some(from_manager::Message::Heard(Heard {})),
                };
                if let Some(stream) = state.stream.as_ref().filter(|_| !state.is_deaf) {
                    let _ = stream.try_send(Ok(heard));
                }
            }
            from_agent::Message::Answer(it) => state.answers.push(it),
        });
    }
}

/// A port of loopback that counts what comes in and answers nothing.
pub(crate) async fn silent_port() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&accepted);
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            kept.push(stream);
        }
    });
    (address, accepted)
}
