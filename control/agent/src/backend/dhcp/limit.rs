//! How often a port's messages are read: what a node sends faster waits in its socket, and is lost there.

use std::time::{Duration, Instant};

/// Messages at once.
const BURST: u32 = 16;
/// The time after which another may be read: 8 in a second.
const INTERVAL: Duration = Duration::from_millis(125);

/// What is left of a port's messages.
#[derive(Debug)]
pub(super) struct Limit {
    left: u32,
    counted: Instant,
}

impl Limit {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            left: BURST,
            counted: now,
        }
    }

    /// Takes one message; or says how long to wait until there is one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.counted);
        let more = passed.as_millis() / INTERVAL.as_millis();
        let more = u32::try_from(more).unwrap_or(BURST).min(BURST);
        if more > 0 {
            self.left = (self.left + more).min(BURST);
            self.counted = now;
        }
        if self.left == 0 {
            return Err(INTERVAL.saturating_sub(passed));
        }
        self.left -= 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_one_an_interval() {
        let start = Instant::now();
        let mut limit = Limit::new(start);
        for _ in 0..BURST {
            assert_eq!(limit.take(start), Ok(()));
        }
        assert_eq!(limit.take(start), Err(INTERVAL));
        let later = start + INTERVAL;
        assert_eq!(limit.take(later), Ok(()));
        assert!(limit.take(later).is_err());
        let much_later = later + INTERVAL * 1000;
        let taken = (0..100).filter(|_| limit.take(much_later).is_ok()).count();
        assert_eq!(taken, BURST as usize);
    }
}
