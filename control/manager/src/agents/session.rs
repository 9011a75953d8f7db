//! One stream of one host: says what the host lacks, and hears what it holds. Woken by what concerns its host alone.

mod heard;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use inlay_api::wire::agent::{
    Answer, FromAgent, FromManager, Hello, Welcome, from_agent, from_manager,
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot, watch},
    time::{sleep_until, timeout},
};
use tonic::{Status, Streaming};

use super::{
    caller::Caller,
    compare::Comparison,
    entry::{Asked, Handle},
    fleet::Fleet,
    outgoing::Outgoing,
    refusal,
    settings::{QUESTIONS_MAX, SILENT_INTERVALS, WINDOW_MAX},
};
use crate::{
    store::Revision,
    trust::Trust,
    world::{Held, Plan, Planned, World},
};

/// How often a plan is made anew because the world changed as snapshots were built.
const PLANS_MAX: usize = 16;

/// How long an agent may take to be told why its stream ends.
const LAST_WORDS_TIME: Duration = Duration::from_secs(1);

/// Messages to the agent.
pub(super) type ToAgent = mpsc::Sender<Result<FromManager, Status>>;

/// What a session is made of.
pub(super) struct Session {
    pub(super) fleet: Arc<Fleet>,
    pub(super) trust: Arc<Trust>,
    pub(super) caller: Caller,
    pub(super) to: ToAgent,
    /// Becomes true when the server ends.
    pub(super) closing: watch::Receiver<bool>,
    /// Its place among the open streams.
    #[expect(dead_code, reason = "it is given back as it is dropped")]
    pub(super) place: OwnedSemaphorePermit,
}

impl Session {
    /// Serves the stream until it ends.
    pub(super) async fn run(self, mut incoming: Streaming<FromAgent>) {
        let to = self.to.clone();
        if let Err(status) = self.greet(&mut incoming).await {
            tracing::info!(%status, "the stream of a host ends");
            // An agent that does not read sees the stream end.
            let _ = timeout(LAST_WORDS_TIME, to.send(Err(status))).await;
        }
    }

    async fn greet(mut self, incoming: &mut Streaming<FromAgent>) -> Result<(), Status> {
        let silence = self.fleet.settings.report_interval * SILENT_INTERVALS;
        let first = tokio::select! {
            first = timeout(silence, incoming.message()) => first,
            () = closed(&mut self.closing) => return Err(refusal::closing()),
        };
        let first = first.map_err(|_| refusal::silent())??;
        let Some(from_agent::Message::Hello(hello)) = first.and_then(|first| first.message) else {
            return Err(Status::invalid_argument(
                "the first message must be a Hello",
            ));
        };
        let welcome = Welcome {
            epoch: self.fleet.world.epoch().to_owned(),
            report_interval_ms: u32::try_from(self.fleet.settings.report_interval.as_millis())
                .unwrap_or(u32::MAX),
        };
        let welcome = FromManager {
            message: Some(from_manager::Message::Welcome(welcome)),
        };
        if self.to.send(Ok(welcome)).await.is_err() {
            return Ok(());
        }
        Open::begin(self, hello).serve(incoming).await
    }
}

/// Complete updates that are sent and not acknowledged, oldest first.
type Window = VecDeque<(Revision, Instant)>;

/// A session that knows what its host holds. Dropping it ends it.
struct Open {
    session: Session,
    world: Arc<World>,
    host: Arc<str>,
    id: u64,
    superseded: Arc<Notify>,
    listener: Option<Arc<Notify>>,
    asked: mpsc::Receiver<Asked>,
    answers: HashMap<u64, oneshot::Sender<Answer>>,
    last_question: u64,
    /// What the host will hold once it has everything that was planned.
    held: Held,
    outgoing: Outgoing,
    window: Window,
    acknowledged: Revision,
    comparison: Comparison,
    /// Whether there may be something to plan.
    is_stale: bool,
    /// Whether a plan was made.
    has_planned: bool,
    turn: Option<(OwnedSemaphorePermit, Instant)>,
    /// When the host's certificates changed last, as far as it was looked at.
    identity: Revision,
}

impl Open {
    fn begin(session: Session, hello: Hello) -> Self {
        let world = Arc::clone(&session.fleet.world);
        let host: Arc<str> = session.caller.certificate.host.as_str().into();
        let superseded = Arc::new(Notify::new());
        let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
        let listener = world.listen(&host);
        let id = session.fleet.begin(&host, |id| Handle {
            id,
            superseded: Arc::clone(&superseded),
            questions,
        });
        let knows_us = hello.epoch == world.epoch();
        let acknowledged = if knows_us { hello.revision } else { 0 };
        let states = hello.scopes.into_iter().filter(|_| knows_us);
        let held: Held = states.map(|state| (state.vni, state)).collect();
        tracing::info!(%host, agent_version = hello.version, acknowledged, "a host is connected");
        session.fleet.note(&host, id, |entry| {
            entry.version = hello.version;
            entry.applied = acknowledged.min(world.revision());
            entry.seen_ms = Some(now_ms());
            entry.certificate_ends_s = Some(session.caller.certificate.ends_s);
            entry.begin();
        });
        Self {
            identity: session.caller.identity,
            session,
            world,
            host,
            id,
            superseded,
            listener: Some(listener),
            asked,
            answers: HashMap::new(),
            last_question: 0,
            held,
            outgoing: Outgoing::default(),
            window: Window::new(),
            acknowledged,
            comparison: Comparison::default(),
            is_stale: true,
            has_planned: false,
            turn: None,
        }
    }

    async fn serve(mut self, incoming: &mut Streaming<FromAgent>) -> Result<(), Status> {
        let to = self.session.to.clone();
        let mut closing = self.session.closing.clone();
        let superseded = Arc::clone(&self.superseded);
        let Some(listener) = self.listener.clone() else {
            return Ok(());
        };
        let silence = self.session.fleet.settings.report_interval * SILENT_INTERVALS;
        let mut deadline = tokio::time::Instant::now() + silence;
        loop {
            if self.is_stale && !self.outgoing.has_plan() && self.window.len() < WINDOW_MAX {
                self.plan().await?;
            }
            tokio::select! {
                () = superseded.notified() => return Err(refusal::superseded()),
                () = closed(&mut closing) => return Err(refusal::closing()),
                message = incoming.message() => {
                    let Some(message) = message? else {
                        return Ok(());
                    };
                    self.receive(message)?;
                    deadline = tokio::time::Instant::now() + silence;
                }
                () = listener.notified() => {
                    self.is_stale = true;
                    self.check_identity().await?;
                }
                Some(asked) = self.asked.recv() => self.ask(asked),
                slot = to.reserve(), if !self.outgoing.is_empty() => {
                    let Ok(slot) = slot else {
                        return Ok(());
                    };
                    if let Some(message) = self.next_message() {
                        slot.send(Ok(message));
                    }
                }
                () = sleep_until(deadline) => return Err(refusal::silent()),
            }
        }
    }

    /// Decides what to send next, if anything.
    async fn plan(&mut self) -> Result<(), Status> {
        let mut snapshots = BTreeMap::new();
        for _ in 0..PLANS_MAX {
            match self.world.plan(&self.host, &self.held, &snapshots) {
                Planned::Gone => return Err(refusal::removed(&self.host)),
                Planned::Ready(plan) => {
                    self.take(plan);
                    return Ok(());
                }
                Planned::Lacking(networks) => {
                    self.take_turn().await?;
                    for vni in networks {
                        if let Some(snapshot) = self.world.snapshot(vni).await {
                            snapshots.insert(vni, snapshot);
                        }
                    }
                    let built = i64::try_from(self.world.snapshots_built()).unwrap_or(i64::MAX);
                    self.session.fleet.metrics.snapshots_built.set(built);
                }
            }
        }
        Err(refusal::too_many(
            "networks change faster than they can be sent",
        ))
    }

    /// Waits for a turn among the hosts that are sent whole scopes.
    async fn take_turn(&mut self) -> Result<(), Status> {
        if self.turn.is_some() {
            return Ok(());
        }
        let fleet = &self.session.fleet;
        let Some(turn) = fleet.turn().await else {
            fleet.metrics.deferred.inc();
            return Err(refusal::too_many(
                "too many hosts are sent everything at the same time",
            ));
        };
        self.turn = Some((turn, Instant::now()));
        Ok(())
    }

    fn take(&mut self, plan: Plan) {
        self.is_stale = false;
        let is_first = !std::mem::replace(&mut self.has_planned, true);
        if plan.is_empty() && !is_first {
            return;
        }
        for vni in &plan.dropped {
            self.held.remove(vni);
        }
        self.held
            .extend(plan.scopes.iter().map(|state| (state.vni, *state)));
        let fleet = &self.session.fleet;
        fleet.metrics.replaced.inc_by(plan.replaced.len() as u64);
        let lost_all = is_first && !plan.replaced.is_empty();
        fleet.note(&self.host, self.id, |entry| {
            entry.behind_since.get_or_insert_with(Instant::now);
            if lost_all {
                entry.applied = 0;
            }
        });
        self.outgoing.plan(plan);
    }

    fn next_message(&mut self) -> Option<FromManager> {
        let message = self.outgoing.next()?;
        if let Some(from_manager::Message::Update(update)) = &message.message {
            let metrics = &self.session.fleet.metrics;
            metrics.updates.inc();
            let bytes: usize = update.changes.iter().map(bytes::Bytes::len).sum();
            metrics.update_bytes.inc_by(bytes as u64);
            if update.complete {
                self.window.push_back((update.revision, Instant::now()));
                self.turn = None;
            }
        }
        Some(message)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.session.fleet.end(&self.host, self.id);
        if let Some(listener) = self.listener.take() {
            self.world.unlisten(&self.host, listener);
        }
    }
}

/// Waits until the server ends.
pub(super) async fn closed(closing: &mut watch::Receiver<bool>) {
    // Where the sender is gone, so is the server.
    drop(closing.wait_for(|closing| *closing).await);
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
