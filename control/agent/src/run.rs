//! The agent's loop: a state, an interface, a signal or the clock has it look again. It waits for nothing
//! else, and alone decides what happens when.

use std::{future::Future, path::PathBuf, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Interval, MissedTickBehavior, interval},
};
use tracing::{error, info};

use crate::{
    agent::{Agent, PinsGone},
    file_source::FileSource,
    host::Host,
    kernel::Kernel,
    link_events::LinkEvents,
    run_directory::RunDirectory,
    source::{Desired, Source},
};

/// How often the machine is looked at without an event: what could not be done is tried again.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// What an agent of a file is run with.
#[derive(Clone, Debug)]
pub struct StaticOptions {
    /// The desired state of this host, as YAML.
    pub file: PathBuf,
    /// Name of the dataplane: one for each network namespace that has one.
    pub instance: String,
    /// Applies the file and returns.
    pub once: bool,
    /// Logs what becomes of packets that start or change a flow.
    pub packet_log: bool,
}

/// Keeps the host as the file says, until it is told to stop. Its dataplane goes on then.
///
/// # Errors
/// Where the dataplane cannot be loaded, another agent has it, or its pins are removed; with `once`, also where the file is
/// refused or cannot be applied.
pub async fn run_static(options: StaticOptions) -> anyhow::Result<()> {
    let mut source = FileSource::open(&options.file)?;
    // A file that is refused touches nothing.
    let desired = if options.once {
        Some(source.next().await?)
    } else {
        None
    };
    let directory = RunDirectory::open(&inlay_dataplane::run_directory(&options.instance))?;
    // Before anything is looked at, so that nothing is missed.
    let mut events = Events::open()?;
    let kernel = Kernel::open(&options.instance, options.packet_log)?;
    let mut agent = Agent::open(kernel, directory)?;
    if let Some(desired) = desired {
        return agent.set_desired(desired);
    }
    run(&mut agent, &mut source, &mut events).await
}

/// What tells an agent when to look.
pub trait MachineEvents {
    /// Waits for the next event. May be dropped while it waits.
    fn next(&mut self) -> impl Future<Output = anyhow::Result<MachineEvent>>;
}

/// Signals, interfaces and the clock.
pub(crate) struct Events {
    links: LinkEvents,
    clock: Interval,
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

/// What an agent has to do, besides taking another state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MachineEvent {
    /// An interface may be other than it was left.
    Check,
    /// What did not work may work.
    Retry,
    /// Everything is to be applied again.
    Reapply,
    /// It is to end. The dataplane goes on.
    Stop,
}

impl Events {
    pub(crate) fn open() -> anyhow::Result<Self> {
        let mut clock = interval(CHECK_INTERVAL);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            links: LinkEvents::open()?,
            clock,
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

impl MachineEvents for Events {
    async fn next(&mut self) -> anyhow::Result<MachineEvent> {
        Ok(tokio::select! {
            event = self.links.next() => event.map(|()| MachineEvent::Check)?,
            _ = self.clock.tick() => MachineEvent::Retry,
            _ = self.hangup.recv() => MachineEvent::Reapply,
            _ = self.terminate.recv() => MachineEvent::Stop,
            _ = self.interrupt.recv() => MachineEvent::Stop,
        })
    }
}

async fn run<H: Host, S: Source>(
    agent: &mut Agent<H>,
    source: &mut S,
    events: &mut Events,
) -> anyhow::Result<()> {
    loop {
        let done = tokio::select! {
            desired = source.next() => match desired {
                Ok(desired) => take(agent, desired),
                Err(refusal) => {
                    for problem in &refusal.problems {
                        error!(%problem, "state refused");
                    }
                    error!(more = refusal.more_count, "the state that was running goes on");
                    Ok(())
                }
            },
            event = events.next() => match event? {
                MachineEvent::Check => agent.check(),
                MachineEvent::Retry => agent.retry(),
                MachineEvent::Reapply => {
                    info!("applying everything again");
                    source.ask_again();
                    agent.distrust()
                }
                MachineEvent::Stop => break,
            },
        };
        if let Err(error) = done {
            // A supervisor starts another agent, which loads the dataplane.
            if error.is::<PinsGone>() {
                return Err(error);
            }
            error!("{error:#}");
        }
    }
    info!("stopped; the dataplane goes on");
    Ok(())
}

fn take<H: Host>(agent: &mut Agent<H>, desired: Desired) -> anyhow::Result<()> {
    info!(revision = desired.revision, "state received");
    agent.set_desired(desired)
}
