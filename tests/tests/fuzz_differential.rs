//! Random frames and tables through the core and through the loaded programs: equal action, bytes, counters
//! and flows. It runs for a minute; `INLAY_FUZZ_SECONDS` says otherwise, `INLAY_FUZZ_SEED` where to start.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use inlay_tests::{
    fuzz::{Pair, Step, from_text, prng::Prng, replays, steps, to_text},
    kernel::{Kernel, in_namespace},
};

const SECONDS: u64 = 60;

#[test]
fn the_core_and_the_kernel_agree() {
    in_namespace("the_core_and_the_kernel_agree", || {
        let mut pair = Pair::new(Kernel::open()?);
        replay(&mut pair);
        fuzz(&mut pair);
        Ok(())
    });
}

fn replay(pair: &mut Pair) {
    for replay in replays::ALL {
        let steps: Vec<Step> = replay.steps.iter().map(|line| from_text(line)).collect();
        if let Some((number, how)) = pair.run(replay.world, &steps) {
            panic!("{}: step {number}: {how}", replay.name);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let digits = text.strip_prefix("0x");
    let parsed = digits.map_or_else(|| text.parse(), |digits| u64::from_str_radix(digits, 16));
    Some(parsed.unwrap_or_else(|error| panic!("{name} is no number: {error}")))
}

fn fuzz(pair: &mut Pair) {
    let clock = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970");
    let seed = number("INLAY_FUZZ_SEED").unwrap_or(clock.as_secs());
    let duration = Duration::from_secs(number("INLAY_FUZZ_SECONDS").unwrap_or(SECONDS));
    println!("INLAY_FUZZ_SEED={seed:#x}, for {duration:?}");
    let mut prng = Prng::new(seed);
    let started = Instant::now();
    let mut worlds = 0u64;
    while started.elapsed() < duration {
        worlds += 1;
        let world = prng.number();
        let steps = steps(prng.number());
        if let Some((number, how)) = pair.run(world, &steps) {
            report(pair, world, &steps[..=number], &how);
        }
    }
    let (frames, fast, given_up) = (pair.frames, pair.fast(), pair.given_up);
    println!(
        "{frames} frames in {worlds} worlds, {fast} by the fast path; {given_up} worlds given up"
    );
    println!("{} reasons of drops, by direction", pair.reasons.len());
    assert!(
        frames > 0 && fast > 0 && given_up * 2 < worlds,
        "the fuzzer reached nothing"
    );
}

/// Ready to be pasted into `src/fuzz/replays.rs`.
fn report(pair: &mut Pair, world: u64, steps: &[Step], how: &str) -> ! {
    let fewer = pair.shrink(world, steps);
    let text = to_text(&fewer);
    let last = pair
        .run(world, &fewer)
        .map_or_else(String::new, |(_, how)| how);
    panic!(
        "{how}\nafter fewer steps:\n{last}\n    Replay {{\n        name: \"\",\n        \
         world: {world:#x},\n        steps: &[\n{text}        ],\n    }},"
    );
}
