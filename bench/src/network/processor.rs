//! The machine's processors: how long they were busy, and which of them a thread stays on.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// A tick of /proc/stat. The kernel shows 100 of them a second, whatever it counts in.
const TICK: Duration = Duration::from_millis(10);
/// Fields of /proc/stat's first line that are work: user, nice, system; irq, softirq. Between them are
/// idle and iowait; what follows was never this machine's, or is counted in user already.
const WORK: [usize; 5] = [0, 1, 2, 5, 6];

/// One end's processor. Ends keep to two different ones, where there are two: else the scheduler's mood
/// would be measured.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// Of whoever sends first.
    Sender,
    /// Of the other.
    Receiver,
}

/// Keeps this thread on one processor of those that it may use.
pub(super) fn pin(end: End) -> Result<()> {
    let this_thread = Pid::from_raw(0);
    let allowed = sched_getaffinity(this_thread)?;
    let mut numbers = (0..CpuSet::count()).filter(|&number| allowed.is_set(number) == Ok(true));
    let first = numbers.next().context("no processor to run on")?;
    let mut only = CpuSet::new();
    only.set(match end {
        End::Sender => first,
        End::Receiver => numbers.next().unwrap_or(first),
    })?;
    sched_setaffinity(this_thread, &only).context("stay on one processor")
}

/// How long all processors together have been busy since boot, with whatever.
pub(super) fn busy() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat").context("read /proc/stat")?;
    busy_in(&text).context("/proc/stat is not as proc(5) has it")
}

fn busy_in(stat: &str) -> Option<Duration> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u32> = fields
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    WORK.into_iter()
        .map(|at| ticks.get(at).map(|&count| TICK * count))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_and_idling_is_not() {
        let stat = "cpu  1 20 300 4000 50000 600000 7000000 8 9 10\ncpu0 1 1 1 1\n";
        assert_eq!(busy_in(stat), Some(TICK * 7_600_321));
    }

    #[test]
    fn another_file_is_refused() {
        assert_eq!(busy_in("cpu  1 2 3\n"), None);
        assert_eq!(busy_in("MemTotal: 1 kB\n"), None);
        assert_eq!(busy_in(""), None);
    }
}
