//! Many simulated hosts, and a board on which each writes what it has applied.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use inlay_api::wire::{Follower, Keep};
use serde_json::json;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use super::{
    client::Client,
    host::{self, Joined},
    manager::Manager,
};

/// Joins under way at a time.
const JOINS_MAX: usize = 16;

/// What the hosts have applied.
#[derive(Debug)]
pub(super) struct Board {
    applied: Vec<AtomicU64>,
    changed: Notify,
    breaks: AtomicUsize,
    last_break: Mutex<String>,
}

impl Board {
    fn new(hosts: usize) -> Self {
        Self {
            applied: (0..hosts).map(|_| AtomicU64::new(0)).collect(),
            changed: Notify::new(),
            breaks: AtomicUsize::new(0),
            last_break: Mutex::default(),
        }
    }

    pub(super) fn applied(&self, place: usize, revision: u64) {
        self.applied[place].store(revision, Ordering::Release);
        self.changed.notify_waiters();
    }

    pub(super) fn count_break(&self, host: &str, error: &anyhow::Error) {
        self.breaks.fetch_add(1, Ordering::Relaxed);
        let mut last = self
            .last_break
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = format!("{host}: {error:#}");
    }

    /// Waits until the hosts at `places` have `revision`. Returns how long after `began` that was.
    pub(super) async fn wait(
        &self,
        places: std::ops::Range<usize>,
        revision: u64,
        began: Instant,
        deadline: Duration,
    ) -> Result<Duration> {
        let missing = || {
            places
                .clone()
                .filter(|place| self.applied[*place].load(Ordering::Acquire) < revision)
                .count()
        };
        let all = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if missing() == 0 {
                    return began.elapsed();
                }
                changed.await;
            }
        };
        if let Ok(took) = tokio::time::timeout(deadline, all).await {
            return Ok(took);
        }
        let last = self
            .last_break
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        bail!(
            "{} hosts have not applied revision {revision} within {deadline:?}; {} streams broke, the last: {last}",
            missing(),
            self.breaks.load(Ordering::Relaxed)
        )
    }

    fn forget(&self) {
        for applied in &self.applied {
            applied.store(0, Ordering::Release);
        }
    }
}

/// Hosts that have joined.
#[derive(Debug)]
pub(super) struct Fleet {
    hosts: Vec<Arc<Joined>>,
    pub(super) board: Arc<Board>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<(usize, Follower)>>,
}

impl Fleet {
    /// Creates `count` hosts over the API and joins them. None follows yet.
    pub(super) async fn join(manager: &Manager, client: &Client, count: usize) -> Result<Self> {
        eprintln!("control: {count} hosts join");
        let mut joined = Vec::with_capacity(count);
        let mut tasks = JoinSet::new();
        for place in 0..count {
            if tasks.len() >= JOINS_MAX {
                joined.push(tasks.join_next().await.context("a join")???);
            }
            let (client, authority) = (client.clone(), manager.authority.clone());
            let agents = manager.listening.agents;
            tasks.spawn(async move {
                let token = tokio::task::spawn_blocking(move || create(&client, place)).await??;
                let host = host::join(agents, &authority, &token).await?;
                anyhow::Ok((place, Arc::new(host)))
            });
        }
        while let Some(host) = tasks.join_next().await {
            joined.push(host??);
        }
        joined.sort_by_key(|(place, _)| *place);
        Ok(Self {
            hosts: joined.into_iter().map(|(_, host)| host).collect(),
            board: Arc::new(Board::new(count)),
            running: None,
        })
    }

    /// Has the hosts at `places` follow from what `held` gives each.
    pub(super) fn start(
        &mut self,
        agents: SocketAddr,
        places: std::ops::Range<usize>,
        held: impl Fn(usize) -> Follower,
    ) {
        self.board.forget();
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for (place, host) in self.hosts.iter().enumerate() {
            if !places.contains(&place) {
                continue;
            }
            let (host, board, stopped) =
                (Arc::clone(host), Arc::clone(&self.board), stopped.clone());
            let follower = held(place);
            tasks.spawn(async move {
                let held = host.follow(agents, follower, place, board, stopped).await?;
                Ok((place, held))
            });
        }
        self.running = Some(Running { stop, tasks });
    }

    /// Ends all streams. Returns what each host held, in their order.
    pub(super) async fn stop(&mut self) -> Result<Vec<Follower>> {
        let Some(mut running) = self.running.take() else {
            return Ok(Vec::new());
        };
        running.stop.send_replace(true);
        let mut held = Vec::with_capacity(self.hosts.len());
        while let Some(ended) = running.tasks.join_next().await {
            held.push(ended??);
        }
        held.sort_by_key(|(place, _)| *place);
        Ok(held.into_iter().map(|(_, follower)| follower).collect())
    }
}

/// One that holds nothing, and keeps digests alone.
pub(super) fn nothing(_place: usize) -> Follower {
    Follower::new(Keep::States)
}

/// Name of the host at a place.
pub(super) fn name(place: usize) -> String {
    format!("h{place:03}")
}

/// Creates a host. Returns its join token.
fn create(client: &Client, place: usize) -> Result<String> {
    let name = name(place);
    let body = json!({
        "metadata": { "name": name },
        "spec": {
            "prefix": format!("2001:db8:1:{place:x}::/64"),
            "location": if place < 10 { "large" } else { "rack" },
            "mappings_max": 2_000_000,
            "flows_per_port": 64,
            "node_types": [{ "type": "netns", "capacity": 4_096 }],
        },
    });
    client.post("hosts", &body)?;
    let token = client.post(&format!("hosts/{name}/join-token"), &json!({}))?;
    let token = token["token"].as_str();
    Ok(token.context("the manager gives a token")?.to_owned())
}
