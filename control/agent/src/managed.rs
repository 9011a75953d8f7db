//! The agent of a host that has a manager: its session, the stream, the disk and the machine, brought together.

use std::{path::PathBuf, sync::Arc, time::Instant};

use anyhow::Context as _;
use inlay_api::wire::agent::{Answer, FromAgent, Question, answer, from_agent};
use jiff::Timestamp;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinHandle,
};
use tracing::{error, info};

use crate::{
    agent::Agent,
    backend::Backends,
    config::AgentConfig,
    disk::{Saver, StateFile},
    host::Host,
    identity::{DataDirectory, Identity},
    join::{JoinTarget, join},
    kernel::Kernel,
    manager::{
        answer::{Dataplane, Explain},
        backend::Backend,
        collect::Batch,
        link::{EVENTS_MAX, Event, Link},
        session::{Session, is_final},
    },
    metrics::{self, Instance, Meters},
    renew::renew,
    run::{Events, MachineEvent, MachineEvents},
    run_directory::RunDirectory,
};

/// Batches that are applied together, where they come faster than one by one.
const BATCHES_MAX: usize = 64;
/// Questions that are answered at the same time.
const QUESTIONS_MAX: usize = 4;

/// What an agent of a manager is run with.
#[derive(Clone, Debug)]
pub struct ManagedOptions {
    /// Its configuration.
    pub config: AgentConfig,
    /// Joins this manager first.
    pub join: Option<JoinTarget>,
    /// Joins even where it has joined before.
    pub rejoin: bool,
    /// Logs what becomes of packets that start or change a flow.
    pub packet_log: bool,
}

/// Keeps the host as its manager says, until it is told to stop. Its dataplane goes on then.
///
/// # Errors
/// Where it has not joined or cannot, the dataplane cannot be loaded, another agent has it, or its pins are removed.
pub async fn run_managed(options: ManagedOptions) -> anyhow::Result<()> {
    let ManagedOptions {
        config,
        join: target,
        rejoin,
        packet_log,
    } = options;
    let data = DataDirectory::open(&config.data_dir)?;
    let directory = RunDirectory::open(&inlay_dataplane::run_directory(&config.instance))?;
    let identity = identify(&data, target, rejoin).await?;
    let meters = Meters::default();
    if let Some(address) = config.metrics {
        let registry = meters.registry(Instance(config.instance.clone()));
        metrics::serve(address, registry).await?;
    }
    // Before anything is looked at, so that nothing is missed.
    let mut machine = Events::open()?;
    let kernel = Kernel::open(&config.instance, packet_log)?;
    let run_directory = inlay_dataplane::run_directory(&config.instance);
    let backend = Backends::open(&config.instance, &run_directory, &config.host.uplinks)?;
    let agent = Agent::open(kernel, directory)?;
    let session = Session::new(agent, backend, config.host, boot()?);
    let (sender, _) = watch::channel(identity);
    let explain = Dataplane::new(&config.instance);
    let mut follower = Follower::new(session, data, sender, explain, meters);
    follower.restore();
    follower.run(&mut machine).await
}

/// Who this host is: as it was, or as the manager says that it joins.
async fn identify(
    data: &DataDirectory,
    target: Option<JoinTarget>,
    rejoin: bool,
) -> anyhow::Result<Identity> {
    // A file that cannot be read is what --rejoin replaces.
    let present = if rejoin { None } else { data.identity()? };
    match (present, target) {
        (Some(identity), None) => Ok(identity),
        (Some(identity), Some(target)) => {
            anyhow::ensure!(
                target.is_of(&identity),
                "this host has joined another manager, {}, as {}: type --rejoin too to leave that one",
                identity.manager,
                identity.host
            );
            info!(
                host = identity.host,
                manager = %identity.manager,
                "this host has joined already: the token is not used; --rejoin replaces what it joined"
            );
            Ok(identity)
        }
        (None, Some(target)) => join(&target, data).await,
        (None, None) => anyhow::bail!(
            "this host has not joined a manager: type `inlay host token NAME` there, and `inlay agent --join \
             TOKEN@MANAGER` here"
        ),
    }
}

/// Changes at each boot of the machine.
fn boot() -> anyhow::Result<String> {
    let file = PathBuf::from("/proc/sys/kernel/random/boot_id");
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text.trim().to_owned())
}

/// An agent and its manager.
#[derive(Debug)]
pub struct Follower<H, B> {
    session: Session<H, B>,
    file: StateFile,
    saver: Saver,
    data: DataDirectory,
    identity: watch::Sender<Identity>,
    explain: Arc<dyn Explain>,
    questions: Arc<Semaphore>,
    meters: Meters,
    outgoing: Option<mpsc::Sender<FromAgent>>,
}

/// Ends a task with whoever started it.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<H: Host, B: Backend> Follower<H, B> {
    /// Of `session`, whose last state and certificates are in `data`.
    pub fn new(
        session: Session<H, B>,
        data: DataDirectory,
        identity: watch::Sender<Identity>,
        explain: impl Explain,
        meters: Meters,
    ) -> Self {
        let file = StateFile::of(data.path());
        Self {
            session,
            saver: Saver::new(file.clone()),
            file,
            data,
            identity,
            explain: Arc::new(explain),
            questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            meters,
            outgoing: None,
        }
    }

    /// Has the host as it was last. Where nothing is known, nothing is changed.
    pub fn restore(&mut self) {
        match self.file.read() {
            Ok(Some(stored)) => {
                if let Err(error) = self.session.restore(stored) {
                    error!("{error:#}");
                }
            }
            Ok(None) => {
                info!(
                    "there is no last state; the maps stay as they are until the manager answers"
                );
            }
            Err(error) => error!("{error}"),
        }
    }

    /// Follows the manager until `machine` says to stop.
    ///
    /// # Errors
    /// Where the pins are removed.
    pub async fn run(&mut self, machine: &mut impl MachineEvents) -> anyhow::Result<()> {
        let (sender, mut events) = mpsc::channel(EVENTS_MAX);
        let link = Link::new(self.identity.subscribe(), sender);
        let _link = Task(tokio::spawn(link.run()));
        let renewal = renew(self.identity.clone(), self.data.clone());
        let _renewal = Task(tokio::spawn(renewal));
        loop {
            let done = tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.handle(event, &mut events),
                    None => anyhow::bail!("the stream's task ended"),
                },
                event = machine.next() => match event? {
                    MachineEvent::Check => self.session.check(),
                    MachineEvent::Retry => self.session.retry(),
                    MachineEvent::Reapply => self.session.reapply(),
                    MachineEvent::Stop => break,
                },
                () = self.saver.due() => {
                    self.saver.begin(self.session.stored());
                    Ok(())
                }
            };
            if let Err(error) = done {
                if is_final(&error) {
                    self.save().await;
                    return Err(error);
                }
                error!("{error:#}");
            }
            self.acknowledge();
            self.measure(events.len());
        }
        self.save().await;
        info!("stopped; the dataplane goes on");
        Ok(())
    }

    async fn save(&mut self) {
        let session = &self.session;
        self.saver.flush(|| session.stored()).await;
    }

    fn handle(&mut self, event: Event, events: &mut mpsc::Receiver<Event>) -> anyhow::Result<()> {
        match event {
            Event::Batch(batch, received) => return self.take(batch, received, events),
            Event::Opening(reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(self.session.hello());
            }
            Event::Open(outgoing) => {
                self.outgoing = Some(outgoing);
                self.meters.is_connected.set(1);
            }
            Event::ReportDue => self.report(),
            Event::Question(question) => self.answer(question),
            Event::Lost => {
                self.outgoing = None;
                self.meters.is_connected.set(0);
                self.meters.lost_streams.inc();
            }
        }
        Ok(())
    }

    /// Takes a batch, and those that came with it.
    fn take(
        &mut self,
        batch: Batch,
        received: Instant,
        events: &mut mpsc::Receiver<Event>,
    ) -> anyhow::Result<()> {
        let mut batches = vec![batch];
        let mut other = None;
        while batches.len() < BATCHES_MAX && other.is_none() {
            match events.try_recv() {
                Ok(Event::Batch(batch, _)) => batches.push(batch),
                Ok(event) => other = Some(event),
                Err(_) => break,
            }
        }
        let taken = self.session.take(batches, received);
        self.saver.note();
        match other {
            // It is no batch, so this goes no deeper.
            Some(event) => taken.and(self.handle(event, events)),
            None => taken,
        }
    }

    /// Acknowledges what is in force.
    fn acknowledge(&mut self) {
        let Some(acknowledgement) = self.session.acknowledgement() else {
            return;
        };
        // 0: nothing was applied, and what was acknowledged before is acknowledged otherwise.
        if acknowledgement.apply_us > 0 {
            let micros = u32::try_from(acknowledgement.apply_us).unwrap_or(u32::MAX);
            self.meters.apply.observe(f64::from(micros) / 1e6);
        }
        self.send(from_agent::Message::Acknowledgement(acknowledgement));
    }

    fn report(&mut self) {
        let validity = self.identity.borrow().validity().ok();
        if let Some(validity) = validity {
            self.meters.note_certificate(validity);
        }
        let ends_s = validity.map_or(0, |it| it.ends_s);
        let report = self
            .session
            .report(Timestamp::now().as_millisecond(), ends_s);
        self.send(from_agent::Message::Report(report));
    }

    fn answer(&mut self, question: Question) {
        let Some(outgoing) = self.outgoing.clone() else {
            return;
        };
        let Ok(permit) = Arc::clone(&self.questions).try_acquire_owned() else {
            let error = format!("{QUESTIONS_MAX} questions are being answered; ask again");
            self.send(from_agent::Message::Answer(Answer {
                id: question.id,
                answer: Some(answer::Answer::Error(error)),
                frame: Vec::new(),
            }));
            return;
        };
        let explain = Arc::clone(&self.explain);
        tokio::task::spawn_blocking(move || {
            let message = Some(from_agent::Message::Answer(explain.answer(question)));
            // Whoever asked may have gone.
            let _ = outgoing.blocking_send(FromAgent { message });
            drop(permit);
        });
    }

    fn send(&mut self, message: from_agent::Message) {
        let Some(outgoing) = &self.outgoing else {
            return;
        };
        let message = FromAgent {
            message: Some(message),
        };
        if outgoing.try_send(message).is_err() {
            error!("the manager does not read what this agent says; the stream begins again");
            self.outgoing = None;
        }
    }

    fn measure(&self, queue: usize) {
        let session = &self.session;
        let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let revision = |revision: u64| i64::try_from(revision).unwrap_or(i64::MAX);
        self.meters.queue.set(number(queue));
        self.meters
            .held_revision
            .set(revision(session.held().revision));
        self.meters
            .applied_revision
            .set(revision(session.applied_revision()));
        self.meters.resources.set(number(session.held().len()));
        self.meters.rejected.set(number(session.rejections().len()));
        self.meters.degraded.set(number(session.degraded().len()));
        self.meters.mappings.set(number(session.agent().mappings()));
    }
}
