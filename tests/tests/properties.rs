//! For any bytes in any world: no panic, and the fast path's answer is the full pipeline's.

use inlay_core::tables::Direction;
use inlay_tests::{
    dataplane::{Dataplane as _, Frame},
    fuzz::{Step, prng::Prng, steps, worlds},
    nodes::{STRANGER_INTERFACE, UPLINK_INTERFACE},
    user_space::UserSpace,
};
use proptest::{collection::vec, prelude::*};

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    // An Ethernet type that is read on comes up more often than by chance.
    let kind = prop_oneof![
        Just([8, 0]),
        Just([8, 6]),
        Just([0x86, 0xdd]),
        any::<[u8; 2]>()
    ];
    (vec(any::<u8>(), 0..200), kind).prop_map(|(mut bytes, kind)| {
        if bytes.len() > 14 {
            bytes[12..14].copy_from_slice(&kind);
        }
        bytes
    })
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let interface = prop_oneof![
        101u32..107,
        Just(UPLINK_INTERFACE),
        Just(STRANGER_INTERFACE),
        any::<u32>()
    ];
    let direction = prop_oneof![Just(Direction::Outbound), Just(Direction::Inbound)];
    (interface, direction, any_bytes()).prop_map(|(interface, direction, bytes)| Frame {
        interface,
        direction,
        bytes,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// `UserSpace::run` fails where the fast path's answer is another than the full pipeline's.
    #[test]
    fn any_bytes_in_any_world_are_decided(seed: u64, frames in vec(any_frame(), 1..8)) {
        let mut core = UserSpace::default();
        core.load(&worlds::world(seed));
        for frame in &frames {
            let _ = core.run(frame);
        }
    }
}

/// Worlds whose frames are run.
const WORLDS: usize = 60;

#[test]
fn the_fast_path_gives_the_answer_of_the_full_pipeline_in_random_worlds() {
    let mut prng = Prng::new(0x1a_1a_1a);
    let mut core = UserSpace::default();
    for _ in 0..WORLDS {
        core.load(&worlds::world(prng.number()));
        for step in steps(prng.number()) {
            match step {
                Step::Frame(frame) => {
                    let _ = core.run(&frame);
                }
                Step::Wait(ticks) => core.wait(ticks),
                Step::Change(seed) => core.change(&worlds::world(seed)),
            }
        }
    }
    assert!(
        core.fast > 100,
        "the fast path decided {} frames",
        core.fast
    );
}

/// Every frame of every row, cut off after every one of its bytes.
#[test]
fn frames_cut_off_anywhere_are_decided() {
    let mut core = UserSpace::default();
    for row in inlay_tests::rows::all() {
        let frame = row.frame.expect("a row has a frame");
        core.load(&row.world);
        for len in 0..frame.bytes.len().min(120) {
            let _ = core.run(&frame.clone().edited(|bytes| bytes.truncate(len)));
        }
    }
}
