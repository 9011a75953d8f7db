//! The control plane under load: the real manager, clients over real HTTPS, and 500 agents that speak the real
//! protocol over real TLS.
//!
//! The agents are simulated in what is behind the protocol alone: they share a process, hold digests and not resources,
//! and acknowledge at once, where a real one first writes its BPF maps. `apply` measures that part.

mod client;
mod fleet;
mod host;
mod large;
mod latency;
mod manager;
mod reconnect;

use anyhow::{Context as _, Result};

use crate::report::Measurement;

/// Hosts, each with a simulated agent.
const HOSTS: usize = 500;

/// Measures with `rounds` rounds of what is paired.
///
/// # Errors
/// Where the manager cannot be run, or does not do what it is asked.
pub(crate) fn run(rounds: u32) -> Result<Vec<Measurement>> {
    // One process serves both TLS stacks; whoever is first decides.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().context("cannot start tokio")?;
    let mut measured = runtime.block_on(latency::run(rounds))?;
    measured.extend(runtime.block_on(large::run(rounds))?);
    Ok(measured)
}

/// A line of the report that is compared with a goal: the ratio says how much of it was used.
fn against_goal(case: &str, value: f64, unit: &str, goal: f64) -> Measurement {
    Measurement {
        bench: "control".to_owned(),
        case: case.to_owned(),
        subject: "inlay".to_owned(),
        value,
        unit: unit.to_owned(),
        baseline: format!("goal {goal} {unit}"),
        ratio: value / goal,
    }
}

/// The value below which `share` of the values are.
fn percentile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list of thousands"
    )]
    let place = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len().max(1)) - 1;
    values.get(place).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.5).to_bits(), 100_f64.to_bits());
        assert_eq!(percentile(&values, 0.99).to_bits(), 198_f64.to_bits());
        assert_eq!(percentile(&[7.0], 0.99).to_bits(), 7_f64.to_bits());
    }
}
