//! Small packets as fast as one thread sends them: how many arrive, and what each costs the machine.

use std::{
    io::{IoSlice, IoSliceMut},
    net::UdpSocket,
    os::fd::AsRawFd as _,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg},
};

use super::{
    path::{PATIENCE, PAYLOAD_BYTES, Path},
    processor::{self, End},
};

/// How long packets are sent.
const ROUND: Duration = Duration::from_secs(1);
/// Datagrams a system call.
const BATCH: usize = 64;
/// System calls of one end in a round: a hundred times what a fast machine makes.
const CALLS_MAX: u64 = 100_000_000;
/// How long the receiver waits for a datagram before it asks whether there will be any.
const SILENCE: Duration = Duration::from_millis(20);

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Received, not sent.
    pub(super) packets_per_s: f64,
    /// Of all processors: both ends, all that is between them, and whatever else ran.
    pub(super) busy_ns_per_packet: f64,
}

/// Sends for one round.
pub(super) fn measure(path: &Path) -> Result<Load> {
    let (sender, receiver) = path.udp()?;
    receiver.set_read_timeout(Some(SILENCE))?;
    let is_over = AtomicBool::new(false);
    let busy_before = processor::busy()?;
    let (elapsed, count) = thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let sent = send(&sender);
            is_over.store(true, Ordering::Release);
            sent
        });
        let receiving = scope.spawn(|| receive(&receiver, &is_over));
        let (Ok(sent), Ok(received)) = (sending.join(), receiving.join()) else {
            bail!("a thread panicked");
        };
        Ok((sent?, received?))
    })?;
    let busy = processor::busy()?.saturating_sub(busy_before);
    ensure!(count > 0, "no packet arrived");
    Ok(load(count, elapsed, busy))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "fewer packets than 2^52 in a second"
)]
fn load(count: u64, elapsed: Duration, busy: Duration) -> Load {
    Load {
        packets_per_s: count as f64 / elapsed.as_secs_f64(),
        busy_ns_per_packet: busy.as_secs_f64() * 1e9 / count as f64,
    }
}

/// How long it sent.
fn send(socket: &UdpSocket) -> Result<Duration> {
    processor::pin(End::Sender)?;
    let payload = [0; PAYLOAD_BYTES];
    let batch = [[IoSlice::new(&payload)]; BATCH];
    let mut headers = MultiHeaders::<()>::preallocate(BATCH, None);
    let start = Instant::now();
    for _ in 0..CALLS_MAX {
        let elapsed = start.elapsed();
        if elapsed >= ROUND {
            return Ok(elapsed);
        }
        let none = MsgFlags::empty();
        sendmmsg(
            socket.as_raw_fd(),
            &mut headers,
            &batch,
            [None; BATCH],
            [],
            none,
        )
        .context("send")?;
    }
    bail!("{CALLS_MAX} calls take less than {ROUND:?}")
}

/// How many packets came until the sending was over and no more came.
fn receive(socket: &UdpSocket, is_over: &AtomicBool) -> Result<u64> {
    processor::pin(End::Receiver)?;
    let mut buffers = [[0; PAYLOAD_BYTES]; BATCH];
    let mut headers = MultiHeaders::<()>::preallocate(BATCH, None);
    let mut received = 0;
    let start = Instant::now();
    for _ in 0..CALLS_MAX {
        ensure!(
            start.elapsed() < ROUND + PATIENCE,
            "packets still come long after the last was sent"
        );
        let was_over = is_over.load(Ordering::Acquire);
        let mut batch = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let flags = MsgFlags::MSG_WAITFORONE;
        match recvmmsg(socket.as_raw_fd(), &mut headers, &mut batch, flags, None) {
            Ok(results) => received += results.count() as u64,
            Err(Errno::EAGAIN) if was_over => break,
            Err(Errno::EAGAIN) => {}
            Err(error) => return Err(error).context("receive"),
        }
    }
    Ok(received)
}
