//! What has to be done from time to time, whoever asks for what.

use std::{sync::Arc, time::Duration};

use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::warn;

use crate::{service::Service, store::sqlite::SqliteStore, trust::Trust};

/// How often the history is compacted, and expired join tokens are forgotten.
const STORE_INTERVAL: Duration = Duration::from_mins(1);
/// How often what has had its time is taken away: a bounded part of it each time.
const JANITOR_INTERVAL: Duration = Duration::from_secs(5);

/// Keeps the store small, for ever. What fails is tried again the next time.
pub(crate) async fn keep(store: Arc<SqliteStore>, trust: Arc<Trust>, service: Arc<Service>) {
    let (mut store_clock, mut janitor_clock) = (clock(STORE_INTERVAL), clock(JANITOR_INTERVAL));
    loop {
        tokio::select! {
            _ = store_clock.tick() => forget(&store, &trust).await,
            _ = janitor_clock.tick() => sweep(&service).await,
        }
    }
}

fn clock(every: Duration) -> Interval {
    let mut clock = interval(every);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock
}

async fn forget(store: &SqliteStore, trust: &Trust) {
    if let Err(error) = store.compact_history().await {
        warn!(%error, "the store's history is not compacted");
    }
    if let Err(error) = trust.sweep_join_tokens().await {
        warn!(%error, "expired join tokens are not forgotten");
    }
}

async fn sweep(service: &Service) {
    if let Err(problem) = service.janitor().await {
        warn!(
            problem = problem.detail,
            "what has had its time is not taken away"
        );
    }
}
