//! One TCP connection as fast as it goes.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{
    path::{PATIENCE, Path},
    processor::{self, End},
};

/// How long is sent.
const ROUND: Duration = Duration::from_secs(1);
/// Bytes a system call of either end.
const CHUNK_BYTES: usize = 1 << 17;
/// System calls of one end in a round: a hundred times what a fast machine makes.
const CALLS_MAX: u64 = 100_000_000;

/// Gigabits a second that arrived, from the first byte's sending until the end was received.
pub(super) fn measure(path: &Path) -> Result<f64> {
    let (sender, receiver) = path.tcp()?;
    let start = Instant::now();
    let (count_bytes, elapsed) = thread::scope(|scope| {
        let sending = scope.spawn(|| send(sender, start));
        let receiving = scope.spawn(|| receive(receiver, start));
        let (Ok(sent), Ok(received)) = (sending.join(), receiving.join()) else {
            bail!("a thread panicked");
        };
        sent.and(received)
    })?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "fewer bytes than 2^52 in a second"
    )]
    Ok(count_bytes as f64 * 8.0 / 1e9 / elapsed.as_secs_f64())
}

fn send(mut sender: TcpStream, start: Instant) -> Result<()> {
    processor::pin(End::Sender)?;
    let chunk = vec![0; CHUNK_BYTES];
    for _ in 0..CALLS_MAX {
        if start.elapsed() >= ROUND {
            break;
        }
        sender.write_all(&chunk).context("send")?;
    }
    sender.shutdown(Shutdown::Write).context("end the stream")
}

/// The bytes that came, and when the last had.
fn receive(mut receiver: TcpStream, start: Instant) -> Result<(u64, Duration)> {
    processor::pin(End::Receiver)?;
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut received = 0;
    for _ in 0..CALLS_MAX {
        match receiver.read(&mut buffer).context("receive")? {
            0 => return Ok((received, start.elapsed())),
            len_bytes => received += len_bytes as u64,
        }
        if start.elapsed() > ROUND + PATIENCE {
            break;
        }
    }
    bail!("the stream does not end")
}
