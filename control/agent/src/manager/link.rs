//! The stream to the manager: makes it, again and again, and carries messages. It decides nothing about the host.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use inlay_api::wire::agent::{
    FromAgent, FromManager, Hello, Question, agents_client::AgentsClient, from_agent, from_manager,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tracing::{error, info, warn};

use super::{
    backoff::Backoff,
    collect::{Batch, Collector},
};
use crate::{
    identity::{Identity, now_s},
    tls,
};

/// Messages to the manager that wait to be sent; more than that, and it does not read them.
pub const OUTGOING_MAX: usize = 256;
/// Events that wait for the agent; then the manager waits.
pub const EVENTS_MAX: usize = 64;
/// Bytes of the longest message that is taken.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Reports after which nothing was heard of the manager: it hangs, though its connection may be alive. It gives an agent
/// up after three intervals, and so is the first.
const UNHEARD_MAX: u32 = 6;
/// How long the manager may take until it has looked at a stream's first message.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a report is due, before a manager said so; and then at least and at most.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
const REPORT_INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(50)..=Duration::from_mins(5);
/// The metadata by which a manager says when to come again, in milliseconds (gRFC A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";
/// A host that is refused is so until somebody does something.
const REFUSED_HINT: Duration = Duration::from_secs(10);

/// What the agent is told.
#[derive(Debug)]
pub enum Event {
    /// A stream begins: it is to be said what is held.
    Opening(oneshot::Sender<Hello>),
    /// The manager answered: messages for it go here, until the stream is over.
    Open(mpsc::Sender<FromAgent>),
    /// A whole change, and when it was.
    Batch(Batch, Instant),
    /// It is time to report.
    ReportDue,
    /// The manager wants to know something.
    Question(Question),
    /// The stream is over.
    Lost,
}

/// Why a stream is over.
#[derive(Debug)]
struct End {
    error: anyhow::Error,
    /// When to come again at the earliest.
    hint: Option<Duration>,
    /// How long it was a good one.
    lasted: Duration,
}

impl End {
    fn of(error: anyhow::Error) -> Self {
        Self {
            error,
            hint: None,
            lasted: Duration::ZERO,
        }
    }
}

/// One end of the stream.
#[derive(Debug)]
pub struct Link {
    identity: watch::Receiver<Identity>,
    events: mpsc::Sender<Event>,
    report_interval: Duration,
}

impl Link {
    /// A link for the host `identity`, which may change. What happens goes to `events`.
    #[must_use]
    pub fn new(identity: watch::Receiver<Identity>, events: mpsc::Sender<Event>) -> Self {
        Self {
            identity,
            events,
            report_interval: REPORT_INTERVAL,
        }
    }

    /// Keeps the stream up until nobody listens for events.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let Err(end) = self.follow().await;
            backoff.ended_after(end.lasted);
            let wait = backoff.next(end.hint);
            self.tell_end(&end, wait);
            if self.events.send(Event::Lost).await.is_err() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn tell_end(&self, end: &End, wait: Duration) {
        let identity = self.identity.borrow();
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let (manager, reason) = (&identity.manager, &end.error);
        if let Some(outside) = identity.is_outside_its_time(now_s()) {
            error!(%manager, wait_ms, "{outside} ({reason:#})");
        } else {
            warn!(%manager, wait_ms, "no stream to the manager: {reason:#}");
        }
    }

    /// One stream, until it is over.
    async fn follow(&mut self) -> Result<std::convert::Infallible, End> {
        let (outgoing, mut stream) = self.open().await?;
        let began = Instant::now();
        let end = self.carry(outgoing, &mut stream).await;
        Err(End {
            lasted: began.elapsed(),
            ..end
        })
    }

    async fn open(&mut self) -> Result<(mpsc::Sender<FromAgent>, Streaming<FromManager>), End> {
        let identity = self.identity.borrow_and_update().clone();
        let endpoint = tls::endpoint(&identity.manager, &identity.authority, Some(&identity))
            .map_err(End::of)?
            // Together three intervals: a peer that is silent for so long is dead.
            .http2_keep_alive_interval(self.report_interval)
            .keep_alive_timeout(self.report_interval * 2)
            .keep_alive_while_idle(true);
        let channel = endpoint
            .connect()
            .await
            .map_err(|error| End::of(error.into()))?;
        let (outgoing, messages) = mpsc::channel(OUTGOING_MAX);
        let hello = self.hello().await.map_err(End::of)?;
        // There is room: it is the first.
        let _ = outgoing.try_send(FromAgent {
            message: Some(from_agent::Message::Hello(hello)),
        });
        let mut client = AgentsClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let call = client.follow(ReceiverStream::new(messages));
        let stream = timeout(WELCOME_TIMEOUT, call)
            .await
            .map_err(|_| End::of(anyhow::anyhow!("the manager does not answer")))?;
        let stream = stream.map_err(|status| refused(&status))?.into_inner();
        Ok((outgoing, stream))
    }

    async fn hello(&self) -> anyhow::Result<Hello> {
        let (sender, hello) = oneshot::channel();
        self.tell(Event::Opening(sender)).await?;
        hello.await.context("the agent stops")
    }

    async fn tell(&self, event: Event) -> anyhow::Result<()> {
        let sent = self.events.send(event).await;
        sent.ok().context("the agent stops")
    }

    async fn carry(
        &mut self,
        outgoing: mpsc::Sender<FromAgent>,
        stream: &mut Streaming<FromManager>,
    ) -> End {
        let epoch = match timeout(WELCOME_TIMEOUT, next(stream)).await {
            Ok(Ok(from_manager::Message::Welcome(welcome))) => {
                let asked = Duration::from_millis(welcome.report_interval_ms.into());
                self.report_interval =
                    asked.clamp(*REPORT_INTERVALS.start(), *REPORT_INTERVALS.end());
                welcome.epoch
            }
            Ok(Ok(_)) => return End::of(anyhow::anyhow!("the manager did not say which it is")),
            Ok(Err(end)) => return end,
            Err(_) => return End::of(anyhow::anyhow!("the manager does not answer")),
        };
        info!(epoch, "the manager is connected");
        if let Err(error) = self.tell(Event::Open(outgoing)).await {
            return End::of(error);
        }
        let mut collector = Collector::new(&epoch);
        let mut clock = interval(self.report_interval);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unheard = 0;
        loop {
            let told = tokio::select! {
                message = next(stream) => match message {
                    Ok(message) => {
                        unheard = 0;
                        self.receive(message, &mut collector).await
                    }
                    Err(end) => return end,
                },
                _ = clock.tick() => {
                    unheard += 1;
                    if unheard > UNHEARD_MAX {
                        return End::of(anyhow::anyhow!("the manager answers no reports"));
                    }
                    self.tell(Event::ReportDue).await
                }
                // The manager takes the certificate before it too, but not the one before that.
                Ok(()) = self.identity.changed() => return End::of(anyhow::anyhow!(
                    "the certificate is another one: the stream begins again with it"
                )),
            };
            if let Err(error) = told {
                return End::of(error);
            }
        }
    }

    async fn receive(
        &self,
        message: from_manager::Message,
        collector: &mut Collector,
    ) -> anyhow::Result<()> {
        match message {
            from_manager::Message::Welcome(_) => {
                anyhow::bail!("the manager said twice which it is")
            }
            from_manager::Message::Update(update) => match collector.add(update)? {
                Some(batch) => self.tell(Event::Batch(batch, Instant::now())).await,
                None => Ok(()),
            },
            from_manager::Message::Question(question) => self.tell(Event::Question(question)).await,
            from_manager::Message::Heard(_) => Ok(()),
        }
    }
}

/// The next message that this agent knows.
async fn next(stream: &mut Streaming<FromManager>) -> Result<from_manager::Message, End> {
    loop {
        match stream.message().await {
            Ok(Some(FromManager {
                message: Some(message),
            })) => return Ok(message),
            Ok(Some(FromManager { message: None })) => {
                warn!("a message that this agent does not know; upgrade it");
            }
            Ok(None) => return Err(End::of(anyhow::anyhow!("the manager ended the stream"))),
            Err(status) => return Err(refused(&status)),
        }
    }
}

/// What a status means, and when to come again.
fn refused(status: &Status) -> End {
    let pushback = status.metadata().get(PUSHBACK);
    let pushback = pushback.and_then(|value| value.to_str().ok()?.parse().ok());
    let is_refusal = matches!(
        status.code(),
        Code::PermissionDenied | Code::Unauthenticated
    );
    let error = if is_refusal {
        anyhow::anyhow!(
            "the manager refused this host: {}; if it was removed and is to come back, type `inlay host token NAME` there",
            status.message()
        )
    } else {
        anyhow::Error::new(status.clone())
    };
    End {
        hint: pushback
            .map(Duration::from_millis)
            .or(is_refusal.then_some(REFUSED_HINT)),
        ..End::of(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_that_is_full_says_when_to_come_again() {
        let mut status = Status::resource_exhausted("full");
        assert_eq!(refused(&status).hint, None);
        status
            .metadata_mut()
            .insert(PUSHBACK, "1500".parse().unwrap());
        assert_eq!(refused(&status).hint, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn a_host_that_is_refused_is_told_what_to_do() {
        let end = refused(&Status::permission_denied("host1 was removed"));
        let text = end.error.to_string();
        assert!(
            text.contains("refused") && text.contains("host1 was removed"),
            "{text}"
        );
        assert!(end.hint.is_some());
    }
}
