//! The core against the kernel: random frames through random worlds must come out alike.

pub mod packets;
pub mod prng;
pub mod replays;
pub mod worlds;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
};

use inlay_core::{
    drop_reason::DropReason,
    flow::{FlowKey, FlowRecord},
    ids::Tick,
    tables::Direction,
};

use crate::{
    dataplane::{Dataplane, Frame},
    kernel::Kernel,
    row::{difference, hex},
    user_space::UserSpace,
};
use prng::Prng;

/// Something that happens in a world.
#[derive(Clone, Debug)]
pub enum Step {
    /// A frame.
    Frame(Frame),
    /// So many ticks pass, a multiple of 64: rates count in windows of as many.
    Wait(u32),
    /// The agent's tables become those of another seed.
    Change(u64),
}

/// Frames of a world: long enough for flows to be answered, stale, over and pushed out.
const STEPS: usize = 300;

/// Random steps of a seed.
#[must_use]
pub fn steps(seed: u64) -> Vec<Step> {
    let mut prng = Prng::new(seed);
    let mut talk = packets::Talk::default();
    (0..STEPS).map(|_| step(&mut prng, &mut talk)).collect()
}

fn step(prng: &mut Prng, talk: &mut packets::Talk) -> Step {
    match prng.below(60) {
        0 => Step::Wait(64 * prng.pick(&[1, 15, 30, 70, 200, 8000])),
        1 if prng.once_in(4) => Step::Change(prng.number()),
        _ => Step::Frame(packets::frame(prng, talk)),
    }
}

/// Both, side by side.
pub struct Pair {
    /// The kernel.
    pub kernel: Kernel,
    core: UserSpace,
    /// How much later it is for the core, whose records do not age but its clock goes on.
    offset: u32,
    /// Frames that were compared.
    pub frames: u64,
    /// Reasons of drops that were seen.
    pub reasons: BTreeSet<(Direction, DropReason)>,
    /// Worlds that had to be given up, as the kernel's clock went on between the two.
    pub given_up: u64,
}

/// How the two differ, or that the clock made it impossible to say.
enum Difference {
    Real(String),
    Clock,
}

impl Pair {
    /// With a kernel's dataplane.
    #[must_use]
    pub fn new(kernel: Kernel) -> Self {
        Self {
            kernel,
            core: UserSpace::default(),
            offset: 0,
            frames: 0,
            reasons: BTreeSet::new(),
            given_up: 0,
        }
    }

    /// How many frames the core's fast path decided.
    #[must_use]
    pub fn fast(&self) -> u64 {
        self.core.fast
    }

    /// Runs steps in the world of a seed: the number of the step at which the two differ, and how.
    pub fn run(&mut self, world: u64, steps: &[Step]) -> Option<(usize, String)> {
        let known: Vec<FlowKey> = self.core.tables.flows.borrow().keys().copied().collect();
        let world = worlds::world(world);
        self.kernel.load_without(&world, known.into_iter());
        self.core.load(&world);
        self.offset = 0;
        for (number, step) in steps.iter().enumerate() {
            match self.step(step) {
                Ok(()) => {}
                Err(Difference::Real(how)) => return Some((number, how)),
                Err(Difference::Clock) => {
                    self.given_up += 1;
                    self.forget_kernel_flows();
                    return None;
                }
            }
        }
        self.reasons.extend(
            self.core
                .counted()
                .drops
                .keys()
                .map(|(_, direction, reason)| (*direction, *reason)),
        );
        let difference = self.compare_flows();
        self.forget_kernel_flows();
        difference.map(|how| (steps.len() - 1, how))
    }

    /// What the core does not know of cannot be forgotten by its keys.
    fn forget_kernel_flows(&mut self) {
        let world = crate::world::World::standard();
        self.kernel.load(&world);
        self.core.load(&world);
    }

    fn step(&mut self, step: &Step) -> Result<(), Difference> {
        match step {
            Step::Frame(frame) => self.frame(frame),
            Step::Wait(ticks) => {
                self.kernel.wait(*ticks);
                self.offset += ticks;
                Ok(())
            }
            Step::Change(seed) => {
                let world = worlds::world(*seed);
                self.kernel.change(&world);
                self.core.change(&world);
                Ok(())
            }
        }
    }

    fn frame(&mut self, frame: &Frame) -> Result<(), Difference> {
        self.frames += 1;
        let started = self.kernel.now();
        let in_kernel = self.kernel.run(frame);
        let is_one_tick = self.kernel.now() == started;
        self.core
            .tables
            .clock
            .set(Tick(started.0.wrapping_add(self.offset)));
        let in_core = catch_unwind(AssertUnwindSafe(|| self.core.run(frame)));
        let Ok(in_core) = in_core else {
            return Err(Difference::Real("the core panicked: see above".to_owned()));
        };
        let mut how = String::new();
        if in_core.xdp_action() != in_kernel.xdp_action() {
            let _ = writeln!(
                how,
                "core {:?}, kernel {:?}",
                in_core.action, in_kernel.action
            );
            let _ = writeln!(how, "{}", difference(&in_kernel.bytes, &in_core.bytes));
        } else if in_core.bytes != in_kernel.bytes {
            let _ = writeln!(
                how,
                "bytes\n{}",
                difference(&in_kernel.bytes, &in_core.bytes)
            );
        }
        let (core, kernel) = (self.core.counted(), self.kernel.counted());
        if core != kernel {
            let _ = writeln!(how, "core   {core:?}\nkernel {kernel:?}");
        }
        match (how.is_empty(), is_one_tick) {
            (true, true) => Ok(()),
            (true, false) => {
                self.adopt_ages();
                Ok(())
            }
            (false, true) => Err(Difference::Real(how)),
            (false, false) => Err(Difference::Clock),
        }
    }

    /// Takes the kernel's word for when flows were seen, after the clock went on between the two.
    fn adopt_ages(&mut self) {
        let now = self.core.now();
        for (key, flow) in self.core.tables.flows.borrow().iter() {
            if let Some(record) = self.kernel.flow(key) {
                flow.set_last_seen(Tick(now.0.wrapping_sub(record.last_seen)));
            }
        }
    }

    fn compare_flows(&mut self) -> Option<String> {
        let (core, kernel) = (ageless(&self.core.flows()), ageless(&self.kernel.flows()));
        if core == kernel {
            None
        } else {
            Some(format!("flows\ncore   {core:?}\nkernel {kernel:?}"))
        }
    }

    /// As few of the steps as still make a difference.
    pub fn shrink(&mut self, world: u64, steps: &[Step]) -> Vec<Step> {
        let mut steps = steps.to_vec();
        let mut at = steps.len();
        while at > 0 {
            at -= 1;
            let mut fewer = steps.clone();
            fewer.remove(at);
            if !fewer.is_empty() && self.run(world, &fewer).is_some() {
                steps = fewer;
            }
        }
        steps
    }
}

fn ageless(flows: &BTreeMap<FlowKey, FlowRecord>) -> BTreeMap<FlowKey, FlowRecord> {
    let ageless = |record: &FlowRecord| FlowRecord {
        last_seen: 0,
        started: 0,
        ..*record
    };
    flows
        .iter()
        .map(|(key, record)| (*key, ageless(record)))
        .collect()
}

/// Steps as a replay has them.
#[must_use]
pub fn to_text(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        let _ = match step {
            Step::Frame(frame) => {
                let direction = frame.direction.name();
                let bytes: String = frame.bytes.chunks(100).map(hex).collect();
                writeln!(
                    text,
                    "            \"{direction} {} {bytes}\",",
                    frame.interface
                )
            }
            Step::Wait(ticks) => writeln!(text, "            \"wait {ticks}\","),
            Step::Change(seed) => writeln!(text, "            \"change {seed:#x}\","),
        };
    }
    text
}

/// The step of a line that [`to_text`] wrote.
#[must_use]
pub fn from_text(line: &str) -> Step {
    let words: Vec<&str> = line.split(' ').collect();
    match *words {
        ["wait", ticks] => Step::Wait(ticks.parse().unwrap()),
        ["change", seed] => Step::Change(u64::from_str_radix(&seed[2..], 16).unwrap()),
        [direction, interface, bytes] => Step::Frame(Frame {
            interface: interface.parse().unwrap(),
            direction: if direction == "inbound" {
                Direction::Inbound
            } else {
                Direction::Outbound
            },
            bytes: (0..bytes.len() / 2)
                .map(|at| u8::from_str_radix(&bytes[at * 2..at * 2 + 2], 16).unwrap())
                .collect(),
        }),
        _ => panic!("no step: {line}"),
    }
}
