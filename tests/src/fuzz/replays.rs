//! Differences that the fuzzer found, as it printed them: each is run again by every test. One whose cause
//! is understood becomes a row; that is then what says how it must be.

/// Steps in the world of a seed.
pub struct Replay {
    /// What went wrong, in a sentence.
    pub name: &'static str,
    /// The seed of the world.
    pub world: u64,
    /// What happened in it.
    pub steps: &'static [&'static str],
}

/// All of them.
pub const ALL: &[Replay] = &[];
