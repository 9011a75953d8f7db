//! How long is waited before the manager is tried again: a random part of a time that doubles ("full jitter"),
//! so that hosts that lost it together do not come back together.

use std::time::Duration;

use rand::RngExt as _;

/// The longest first wait.
pub const FIRST: Duration = Duration::from_millis(200);
/// The longest wait.
pub const LONGEST: Duration = Duration::from_secs(30);
/// The longest wait that a manager may ask for.
pub const HINT_MAX: Duration = Duration::from_mins(5);
/// A stream that lasted this long was a good one: the next failure is a first one.
pub const HEALTHY: Duration = Duration::from_secs(30);

/// Waits, one after each failure.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Notes that a stream that lasted `lasted` is over.
    pub fn ended_after(&mut self, lasted: Duration) {
        if lasted >= HEALTHY {
            self.failures = 0;
        }
    }

    /// The longest that the next wait can be.
    #[must_use]
    pub fn ceiling(&self) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        FIRST.saturating_mul(factor).min(LONGEST)
    }

    /// The next wait. A manager's `hint` is the least that is waited.
    pub fn next(&mut self, hint: Option<Duration>) -> Duration {
        self.next_with(hint, rand::rng().random())
    }

    /// As `next`, with a random number from 0 to 1.
    fn next_with(&mut self, hint: Option<Duration>, random: f64) -> Duration {
        let jitter = self.ceiling().mul_f64(random.clamp(0.0, 1.0));
        self.failures = (self.failures + 1).min(31);
        hint.unwrap_or_default().min(HINT_MAX) + jitter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_again_after_a_good_stream() {
        let mut backoff = Backoff::default();
        let mut waits = Vec::new();
        for _ in 0..40 {
            backoff.ended_after(Duration::from_secs(1));
            waits.push(backoff.next_with(None, 1.0));
        }
        assert_eq!(waits[0], FIRST);
        assert_eq!(waits[1], FIRST * 2);
        assert_eq!(waits[39], LONGEST);
        assert!(waits.is_sorted());
        backoff.ended_after(HEALTHY);
        assert_eq!(backoff.next_with(None, 1.0), FIRST);
    }

    #[test]
    fn jitter_is_full_and_a_hint_is_the_least() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next_with(None, 0.0), Duration::ZERO);
        let hint = Duration::from_secs(2);
        assert_eq!(backoff.next_with(Some(hint), 0.0), hint);
        assert!(backoff.next_with(Some(hint), 1.0) > hint);
        let absurd = Some(Duration::from_secs(1 << 40));
        assert!(backoff.next_with(absurd, 1.0) <= HINT_MAX + LONGEST);
    }
}
