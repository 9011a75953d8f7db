//! All agents come back at once: after the manager was killed, with what they held; and with nothing.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::{
    HOSTS, against_goal,
    client::Client,
    fleet::{self, Fleet},
    manager::Manager,
};
use crate::report::Measurement;

const GOAL_S: f64 = 10.0;
/// A run that takes longer has failed.
const DEADLINE: Duration = Duration::from_mins(2);
/// Of the manager's metrics.
const SNAPSHOTS: &str = "inlay_manager_agents_snapshots_built";

/// Measures both.
///
/// # Errors
/// Where they do not all come back.
pub(super) async fn run(manager: &mut Manager, fleet: &mut Fleet) -> Result<Vec<Measurement>> {
    let held = fleet.stop().await?;
    manager.restart()?;
    let resumed = {
        let began = Instant::now();
        fleet.start(manager.listening.agents, 0..HOSTS, |place| {
            held[place].clone()
        });
        in_step(manager, began).await?
    };
    let built_for_resume = manager.counter(SNAPSHOTS).unwrap_or(0.0);
    fleet.stop().await?;
    manager.restart()?;
    let began = Instant::now();
    fleet.start(manager.listening.agents, 0..HOSTS, fleet::nothing);
    let anew = in_step(manager, began).await?;
    let built = manager.counter(SNAPSHOTS)?;
    let scopes = scopes(manager).await?;
    Ok(vec![
        against_goal("500 agents resume, in step", resumed, "s", GOAL_S),
        against_goal("snapshots built for that", built_for_resume, "", 1.0),
        against_goal("500 agents begin anew, in step", anew, "s", GOAL_S),
        against_goal(
            "snapshots built for that, of each scope",
            built / scopes,
            "",
            1.0,
        ),
    ])
}

/// Seconds until the manager says of every host that it holds what it should.
///
/// # Errors
/// Where one does not in time.
pub(super) async fn in_step(manager: &Manager, began: Instant) -> Result<f64> {
    let client = Client::of(manager)?;
    let wait = tokio::task::spawn_blocking(move || {
        loop {
            let status = client.get("status")?;
            let hosts = status["hosts"].as_array().context("the status has hosts")?;
            let behind = hosts.iter().filter(|host| !is_in_step(host)).count();
            if behind == 0 && hosts.len() == HOSTS {
                return Ok(began.elapsed().as_secs_f64());
            }
            anyhow::ensure!(
                began.elapsed() < DEADLINE,
                "{behind} of {} hosts are not in step after {DEADLINE:?}",
                hosts.len()
            );
            std::thread::park_timeout(Duration::from_millis(50));
        }
    });
    wait.await?
}

fn is_in_step(host: &serde_json::Value) -> bool {
    let status = &host["status"];
    let status = if status.is_null() { host } else { status };
    let revision = |name: &str| status[name].as_u64().unwrap_or(0);
    status["state"] == "ready" && revision("applied_revision") >= revision("desired_revision")
}

/// Scopes that hosts are sent: one of each network, and one of each host.
#[expect(clippy::cast_precision_loss, reason = "some hundreds")]
async fn scopes(manager: &Manager) -> Result<f64> {
    let client = Client::of(manager)?;
    let networks =
        tokio::task::spawn_blocking(move || client.get("projects/bench/networks?limit=1000"))
            .await??;
    let networks = networks["items"].as_array().map_or(0, Vec::len);
    Ok((networks + HOSTS) as f64)
}
