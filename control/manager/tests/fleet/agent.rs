//! A simulated agent: the real protocol over real TLS, and a `Follower` in place of a host.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use inlay_api::wire::{
    Follower,
    agent::{
        Acknowledgement, Answer, Degraded, FromAgent, FromManager, Rejection,
        agents_client::AgentsClient, enrollment_client::EnrollmentClient, from_agent, from_manager,
    },
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName},
};
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Code, Status, Streaming,
    transport::{Channel, Endpoint, Uri},
};

/// The name that the manager's certificate has.
pub(crate) const SERVER: &str = "manager.test";

/// What a host shows: its certificate and key, DER.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

pub(crate) fn client_config(
    authority: &CertificateDer<'static>,
    shown: Option<&Shown>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match shown {
        Some(Shown { certificate, key }) => {
            let key = PrivatePkcs8KeyDer::from(key.clone()).into();
            builder
                .with_client_auth_cert(vec![certificate.clone().into()], key)
                .unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// A connection to a manager. A dead one is noticed within two seconds.
pub(crate) async fn connect(
    address: SocketAddr,
    config: Arc<ClientConfig>,
) -> Result<Channel, tonic::transport::Error> {
    connect_for(address, config, Duration::from_secs(1)).await
}

/// A connection to a manager, on which an answer to a ping is waited for so long.
async fn connect_for(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    patience: Duration,
) -> Result<Channel, tonic::transport::Error> {
    let connector = tower::service_fn(move |_: Uri| {
        let connector = TlsConnector::from(Arc::clone(&config));
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(SERVER).unwrap();
            connector.connect(name, stream).await.map(TokioIo::new)
        }
    });
    Endpoint::from_static("http://manager.test")
        .connect_timeout(patience * 4)
        .http2_keep_alive_interval(patience)
        .keep_alive_timeout(patience)
        .keep_alive_while_idle(true)
        .connect_with_connector(connector)
        .await
}

pub(crate) fn signing_request() -> (Vec<u8>, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    (request.der().to_vec(), key.serialize_der())
}

/// Joins with a token's secret.
pub(crate) async fn join(
    address: SocketAddr,
    authority: &CertificateDer<'static>,
    secret: &str,
) -> Result<Shown, Status> {
    let channel = connect(address, client_config(authority, None))
        .await
        .unwrap();
    let (signing_request, key) = signing_request();
    let request = inlay_api::wire::agent::JoinRequest {
        secret: secret.into(),
        signing_request,
    };
    let joined = EnrollmentClient::new(channel).join(request).await?;
    let certificate = joined.into_inner().certificate;
    Ok(Shown { certificate, key })
}

/// What an agent says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Says {
    #[default]
    All,
    /// It acknowledges nothing.
    NoAcknowledgement,
    /// It answers no question.
    NoAnswer,
    /// Nothing after its Hello.
    Nothing,
}

/// How an agent behaves; changed while it runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behaviour {
    pub(crate) says: Says,
    pub(crate) rejections: Vec<Rejection>,
    pub(crate) degraded: Vec<Degraded>,
    /// With its reports it acknowledges again what it acknowledged.
    pub(crate) repeats: bool,
    /// How far its clock is ahead.
    pub(crate) skew_ms: i64,
    /// It reports every five seconds, and waits as long for a dead connection.
    pub(crate) is_patient: bool,
}

/// What a test sees of an agent.
pub(crate) struct Agent {
    pub(crate) follower: Arc<Mutex<Follower>>,
    pub(crate) behaviour: Arc<Mutex<Behaviour>>,
    /// Updates that it received.
    pub(crate) updates: watch::Receiver<u64>,
    /// Answers to its reports.
    pub(crate) heard: watch::Receiver<u64>,
    /// How its streams ended.
    pub(crate) ends: watch::Receiver<Vec<Status>>,
    task: JoinHandle<()>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Running {
    address: SocketAddr,
    config: Arc<ClientConfig>,
    interval: Duration,
    patience: Duration,
    follower: Arc<Mutex<Follower>>,
    behaviour: Arc<Mutex<Behaviour>>,
    updates: watch::Sender<u64>,
    heard: watch::Sender<u64>,
    ends: watch::Sender<Vec<Status>>,
}

impl Agent {
    /// One that follows for ever, as an agent does: it begins again whenever its stream ends.
    pub(crate) fn start(
        address: SocketAddr,
        config: Arc<ClientConfig>,
        follower: Follower,
    ) -> Self {
        Self::start_with(address, config, follower, Behaviour::default())
    }

    pub(crate) fn start_with(
        address: SocketAddr,
        config: Arc<ClientConfig>,
        follower: Follower,
        behaviour: Behaviour,
    ) -> Self {
        let (interval, patience) = if behaviour.is_patient {
            (Duration::from_secs(5), Duration::from_secs(5))
        } else {
            (super::scene::REPORT_INTERVAL, Duration::from_secs(1))
        };
        let follower = Arc::new(Mutex::new(follower));
        let behaviour = Arc::new(Mutex::new(behaviour));
        let (updates, seen_updates) = watch::channel(0);
        let (heard, seen_heard) = watch::channel(0);
        let (ends, seen_ends) = watch::channel(Vec::new());
        let running = Running {
            address,
            config,
            interval,
            patience,
            follower: Arc::clone(&follower),
            behaviour: Arc::clone(&behaviour),
            updates,
            heard,
            ends,
        };
        Self {
            follower,
            behaviour,
            updates: seen_updates,
            heard: seen_heard,
            ends: seen_ends,
            task: tokio::spawn(running.run()),
        }
    }

    /// What it holds.
    pub(crate) fn follower(&self) -> Follower {
        self.follower.lock().unwrap().clone()
    }

    pub(crate) fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    /// Waits for a stream to end, and says how.
    pub(crate) async fn ended(&mut self) -> Status {
        let ends = self.ends.wait_for(|ends| !ends.is_empty());
        let ends = tokio::time::timeout(Duration::from_secs(20), ends).await;
        ends.expect("a stream should have ended")
            .unwrap()
            .last()
            .cloned()
            .unwrap()
    }
}

impl Running {
    async fn run(self) {
        // So that one that is refused does not take the processor from those who are not.
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            let end = match connect_for(self.address, Arc::clone(&self.config), self.patience).await
            {
                Ok(channel) => self.follow(channel).await.err(),
                Err(error) => Some(Status::unavailable(format!("{error:?}"))),
            };
            let end = end.unwrap_or_else(|| Status::new(Code::Ok, "it ended"));
            self.ends.send_modify(|ends| ends.push(end));
        }
    }

    async fn follow(&self, channel: Channel) -> Result<(), Status> {
        let (to, messages) = mpsc::channel(16);
        let hello = self.follower.lock().unwrap().hello("simulated", "boot");
        say(&to, from_agent::Message::Hello(hello)).await?;
        let mut client = AgentsClient::new(channel);
        let answered = tokio::time::timeout(
            Duration::from_secs(8),
            client.follow(ReceiverStream::new(messages)),
        );
        let answered = answered
            .await
            .map_err(|_| Status::deadline_exceeded("no answer"))?;
        let mut incoming = answered?.into_inner();
        let mut reports = tokio::time::interval(self.interval);
        loop {
            tokio::select! {
                message = next(&mut incoming) => match message? {
                    Some(message) => self.receive(&to, message).await?,
                    None => return Ok(()),
                },
                _ = reports.tick() => self.report(&to).await?,
            }
        }
    }

    async fn receive(
        &self,
        to: &mpsc::Sender<FromAgent>,
        message: FromManager,
    ) -> Result<(), Status> {
        let behaviour = self.behaviour.lock().unwrap().clone();
        match message.message.unwrap() {
            from_manager::Message::Welcome(welcome) => {
                self.follower.lock().unwrap().welcome(&welcome);
            }
            from_manager::Message::Update(update) => {
                let received = self.follower.lock().unwrap().receive(update);
                let revision = received.map_err(|error| Status::internal(error.to_string()))?;
                self.updates.send_modify(|count| *count += 1);
                if let Some(revision) = revision
                    && matches!(behaviour.says, Says::All | Says::NoAnswer)
                {
                    let acknowledgement = Acknowledgement {
                        revision,
                        rejections: behaviour.rejections,
                        apply_us: 1,
                    };
                    say(to, from_agent::Message::Acknowledgement(acknowledgement)).await?;
                }
            }
            from_manager::Message::Heard(_) => self.heard.send_modify(|count| *count += 1),
            from_manager::Message::Question(question) => {
                if matches!(behaviour.says, Says::All | Says::NoAcknowledgement) {
                    let answer = Answer {
                        id: question.id,
                        answer: Some(inlay_api::wire::agent::answer::Answer::Explanation(
                            format!("{question:?}"),
                        )),
                        frame: Vec::new(),
                    };
                    say(to, from_agent::Message::Answer(answer)).await?;
                }
            }
        }
        Ok(())
    }

    async fn report(&self, to: &mpsc::Sender<FromAgent>) -> Result<(), Status> {
        let behaviour = self.behaviour.lock().unwrap().clone();
        if behaviour.says == Says::Nothing {
            return Ok(());
        }
        if behaviour.repeats {
            let acknowledgement = Acknowledgement {
                revision: self.follower.lock().unwrap().revision(),
                rejections: behaviour.rejections,
                apply_us: 0,
            };
            say(to, from_agent::Message::Acknowledgement(acknowledgement)).await?;
        }
        let now_ms = jiff::Timestamp::now().as_millisecond() + behaviour.skew_ms;
        let mut report = self.follower.lock().unwrap().report(now_ms);
        report.degraded = behaviour.degraded;
        say(to, from_agent::Message::Report(report)).await
    }
}

async fn next(incoming: &mut Streaming<FromManager>) -> Result<Option<FromManager>, Status> {
    incoming.message().await
}

async fn say(to: &mpsc::Sender<FromAgent>, message: from_agent::Message) -> Result<(), Status> {
    let message = FromAgent {
        message: Some(message),
    };
    to.send(message)
        .await
        .map_err(|_| Status::unavailable("the stream is over"))
}
