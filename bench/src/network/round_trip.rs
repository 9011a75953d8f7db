//! One small packet there and back at a time, many times over.

use std::{
    net::UdpSocket,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    path::{PAYLOAD_BYTES, Path, receive},
    processor::{self, End},
};

/// Exchanges a round.
const EXCHANGES: u32 = 5_000;
/// Of which so many may be lost; they count for nothing.
const LOST_MAX: u32 = 50;
/// How long an exchange may take before it is lost.
const LOSS: Duration = Duration::from_millis(200);

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoundTrip {
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

/// Makes all exchanges of a round.
pub(super) fn measure(path: &Path) -> Result<RoundTrip> {
    let (client, server) = path.udp()?;
    client.set_read_timeout(Some(LOSS))?;
    server.set_read_timeout(Some(LOSS))?;
    let is_over = AtomicBool::new(false);
    let times = thread::scope(|scope| {
        let echoing = scope.spawn(|| echo(&server, &is_over));
        let asking = scope.spawn(|| {
            let times = exchange(&client);
            is_over.store(true, Ordering::Release);
            times
        });
        let (Ok(echoed), Ok(times)) = (echoing.join(), asking.join()) else {
            bail!("a thread panicked");
        };
        echoed.and(times)
    })?;
    Ok(summary(times))
}

/// Sends back what comes, until that is over and nothing comes.
fn echo(server: &UdpSocket, is_over: &AtomicBool) -> Result<()> {
    processor::pin(End::Receiver)?;
    let mut buffer = [0; PAYLOAD_BYTES];
    // With time-outs and strays, still less than twice the exchanges.
    for _ in 0..EXCHANGES * 2 {
        let was_over = is_over.load(Ordering::Acquire);
        match receive(server, &mut buffer)? {
            Some((len_bytes, client)) => {
                server
                    .send_to(&buffer[..len_bytes], client)
                    .context("send back")?;
            }
            None if was_over => break,
            None => {}
        }
    }
    Ok(())
}

fn exchange(client: &UdpSocket) -> Result<Vec<Duration>> {
    processor::pin(End::Sender)?;
    let mut times = Vec::with_capacity(EXCHANGES as usize);
    let mut lost = 0;
    for number in 0..EXCHANGES {
        let start = Instant::now();
        if ask(client, number)? {
            times.push(start.elapsed());
        } else {
            lost += 1;
            ensure!(lost <= LOST_MAX, "{lost} of {number} exchanges were lost");
        }
    }
    Ok(times)
}

/// Whether the question comes back. Answers to former questions, which were given up as lost, are skipped.
fn ask(client: &UdpSocket, number: u32) -> Result<bool> {
    let mut packet = [0; PAYLOAD_BYTES];
    packet[..4].copy_from_slice(&number.to_be_bytes());
    client.send(&packet).context("send")?;
    let mut answer = [0; PAYLOAD_BYTES];
    for _ in 0..=LOST_MAX {
        match receive(client, &mut answer)? {
            Some(_) if answer == packet => return Ok(true),
            Some(_) => {}
            None => return Ok(false),
        }
    }
    Ok(false)
}

fn summary(mut times: Vec<Duration>) -> RoundTrip {
    times.sort_unstable();
    let at = |hundredth| {
        times
            .get(times.len() * hundredth / 100)
            .copied()
            .unwrap_or_default()
    };
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    RoundTrip {
        p50_us: us(at(50)),
        p99_us: us(at(99)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_seen() {
        let RoundTrip { p50_us, p99_us } =
            summary((0..100).rev().map(Duration::from_micros).collect());
        assert!((p50_us - 50.0).abs() < 1e-9, "{p50_us}");
        assert!((p99_us - 99.0).abs() < 1e-9, "{p99_us}");
    }
}
