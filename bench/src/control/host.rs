//! One simulated host: it joins with a token, follows the manager and acknowledges what it gets.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use inlay_api::{
    join_token::JoinToken,
    wire::{
        Follower,
        agent::{
            Acknowledgement, FromAgent, JoinRequest, agents_client::AgentsClient,
            enrollment_client::EnrollmentClient, from_agent, from_manager,
        },
    },
};
use rcgen::{CertificateParams, KeyPair};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::fleet::Board;

/// Messages of an agent that wait for its connection.
const QUEUE_MAX: usize = 8;
/// As the manager asks of real agents.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Who a host is, once it has joined.
#[derive(Clone, Debug)]
pub(super) struct Joined {
    pub(super) name: String,
    identity: Identity,
    authority: Certificate,
}

/// Trades a join token for a certificate.
pub(super) async fn join(
    agents: std::net::SocketAddr,
    authority_pem: &str,
    token: &str,
) -> Result<Joined> {
    let key = KeyPair::generate()?;
    let request = CertificateParams::default().serialize_request(&key)?;
    let authority = Certificate::from_pem(authority_pem);
    let tls = ClientTlsConfig::new()
        .ca_certificate(authority.clone())
        .domain_name("localhost");
    let channel = endpoint(agents)?.tls_config(tls)?.connect().await?;
    let response = EnrollmentClient::new(channel)
        .join(JoinRequest {
            secret: JoinToken::parse(token)?.secret,
            signing_request: request.der().to_vec(),
        })
        .await?
        .into_inner();
    let certificate = pem(&response.certificate);
    Ok(Joined {
        name: response.host,
        identity: Identity::from_pem(certificate, key.serialize_pem()),
        authority,
    })
}

/// PEM of a certificate (RFC 7468).
fn pem(der: &[u8]) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", der))
}

fn endpoint(agents: std::net::SocketAddr) -> Result<Endpoint> {
    Ok(Endpoint::from_shared(format!("https://{agents}"))?
        .connect_timeout(Duration::from_secs(20))
        .http2_keep_alive_interval(Duration::from_secs(20)))
}

impl Joined {
    /// Follows the manager until `stop`, from what `follower` holds. Returns what is held then.
    pub(super) async fn follow(
        &self,
        agents: std::net::SocketAddr,
        mut follower: Follower,
        place: usize,
        board: Arc<Board>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Follower> {
        while !*stop.borrow() {
            let ended = tokio::select! {
                ended = self.stream(agents, &mut follower, place, &board) => ended,
                _ = stop.changed() => break,
            };
            if let Err(error) = ended {
                board.count_break(&self.name, &error);
                // As an agent does: not all at the same moment.
                let jitter = Duration::from_millis(u64::try_from(place % 97).unwrap_or(0) + 20);
                tokio::select! {
                    () = tokio::time::sleep(jitter) => {}
                    _ = stop.changed() => break,
                }
            }
        }
        Ok(follower)
    }

    async fn stream(
        &self,
        agents: std::net::SocketAddr,
        follower: &mut Follower,
        place: usize,
        board: &Board,
    ) -> Result<()> {
        let mut client = AgentsClient::new(self.connect(agents).await?);
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let hello = follower.hello("bench", &self.name);
        send(&sender, from_agent::Message::Hello(hello)).await?;
        let mut stream = client
            .follow(ReceiverStream::new(receiver))
            .await?
            .into_inner();
        let mut reports = tokio::time::interval(REPORT_INTERVAL);
        loop {
            let message = tokio::select! {
                message = stream.message() => message?.context("the manager ended the stream")?,
                _ = reports.tick() => {
                    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
                    let report = follower.report(i64::try_from(now.as_millis())?);
                    send(&sender, from_agent::Message::Report(report)).await?;
                    continue;
                }
            };
            match message.message.context("an empty message")? {
                from_manager::Message::Welcome(welcome) => follower.welcome(&welcome),
                from_manager::Message::Question(_) | from_manager::Message::Heard(_) => {}
                from_manager::Message::Update(update) => {
                    if let Some(revision) = follower.receive(update)? {
                        board.applied(place, revision);
                        let acknowledgement = Acknowledgement {
                            revision,
                            ..Acknowledgement::default()
                        };
                        send(
                            &sender,
                            from_agent::Message::Acknowledgement(acknowledgement),
                        )
                        .await?;
                    }
                }
            }
        }
    }

    async fn connect(&self, agents: std::net::SocketAddr) -> Result<Channel> {
        let tls = ClientTlsConfig::new()
            .ca_certificate(self.authority.clone())
            .identity(self.identity.clone())
            .domain_name("localhost");
        Ok(endpoint(agents)?.tls_config(tls)?.connect().await?)
    }
}

async fn send(sender: &mpsc::Sender<FromAgent>, message: from_agent::Message) -> Result<()> {
    let message = FromAgent {
        message: Some(message),
    };
    sender.send(message).await.context("the stream is closed")
}
