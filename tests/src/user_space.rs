//! The core over tables in memory, as the programs call it: the fast path first, then the full one.

use std::collections::{BTreeMap, BTreeSet};

use inlay_core::{
    drop_reason::DropReason,
    event::DropEvent,
    flow::{FlowKey, FlowRecord},
    ids::Tick,
    linear::{self, Slice},
    packet::Packet,
    pipeline::{
        self, Frame as PipelineFrame, Work, account_drop,
        fast::{self, Fast},
    },
    rewrite::{Rewrite, Verdict},
    tables::{Direction, Tables as _},
};

use crate::{
    dataplane::{Action, Counted, Dataplane, Frame, Outcome, aged},
    memory::MemoryTables,
    world::World,
};

/// Room before a frame: XDP's.
const HEADROOM: usize = 256;

/// Where the clock of a fresh world stands: not at its start, and not near a power of two.
const START: Tick = Tick(1_000_003);

/// The core.
pub struct UserSpace {
    /// Its tables.
    pub tables: MemoryTables,
    removed_devices: BTreeSet<u32>,
    /// How many frames the fast path decided.
    pub fast: u64,
}

impl Default for UserSpace {
    fn default() -> Self {
        let world = World::standard();
        Self {
            tables: MemoryTables::new(world.image, world.neighbours, START),
            removed_devices: BTreeSet::new(),
            fast: 0,
        }
    }
}

impl UserSpace {
    /// Runs a frame through the full pipeline alone.
    #[must_use]
    pub fn run_full(&self, frame: &Frame) -> Outcome {
        run_full(&self.tables, &self.removed_devices, frame)
    }
}

fn pipeline_frame(frame: &Frame) -> PipelineFrame {
    let len_bytes = u32::try_from(frame.bytes.len()).unwrap();
    PipelineFrame {
        interface_index: frame.interface,
        len_bytes,
    }
}

/// What the full pipeline says, applied and accounted for as `inlay-ebpf` does it.
fn run_full(tables: &MemoryTables, removed: &BTreeSet<u32>, frame: &Frame) -> Outcome {
    let mut work = Work::new(pipeline_frame(frame), frame.direction);
    work.start(pipeline_frame(frame), frame.direction);
    let mut bytes = frame.bytes.clone();
    let mut packet = Packet::new(&mut bytes);
    let decided = match frame.direction {
        Direction::Outbound => pipeline::outbound(tables, &mut packet, &mut work),
        Direction::Inbound => pipeline::inbound(tables, &mut packet, &mut work),
    };
    assert_eq!(
        bytes, frame.bytes,
        "the pipeline decides and does not write"
    );
    let applied = decided.and_then(|verdict| applied(verdict, &work.rewrite, frame));
    let left = applied.and_then(|outcome| {
        if let (Some(reason), Ok(Action::Reply)) = (work.told, outcome.action) {
            account_drop(tables, &work, reason);
        }
        leave(outcome, work.subject.port, removed)
    });
    left.unwrap_or_else(|reason| {
        account_drop(tables, &work, reason);
        Outcome {
            action: Ok(Action::Drop),
            bytes: Vec::new(),
        }
    })
}

/// Out of a device, where it is there: a reply out of its sender's.
fn leave(outcome: Outcome, port: u32, removed: &BTreeSet<u32>) -> Result<Outcome, DropReason> {
    let device = match outcome.action {
        Ok(Action::Deliver(device) | Action::Send(device)) => Some(device),
        Ok(Action::Reply) => Some(port),
        _ => None,
    };
    if device.is_some_and(|device| removed.contains(&device)) {
        return Err(DropReason::NoDevice);
    }
    Ok(outcome)
}

fn applied(verdict: Verdict, rewrite: &Rewrite, frame: &Frame) -> Result<Outcome, DropReason> {
    let mut buffer = [&[0xa5; HEADROOM], &frame.bytes[..]].concat();
    let end = buffer.len();
    let mut slice = Slice {
        buffer: &mut buffer,
        start: HEADROOM,
        end,
    };
    linear::apply(&mut slice, rewrite)?;
    let (start, end) = (slice.start, slice.end);
    Ok(Outcome {
        action: Ok(verdict.into()),
        bytes: buffer[start..end].to_vec(),
    })
}

/// What the fast path says, where it says anything.
fn run_fast(tables: &MemoryTables, frame: &Frame) -> Option<Outcome> {
    let mut bytes = frame.bytes.clone();
    let mut packet = Packet::new(&mut bytes);
    let described = pipeline_frame(frame);
    let (verdict, rewrite) = match frame.direction {
        Direction::Outbound => match fast::outbound(tables, &mut packet, &described) {
            Fast::Done(outbound) => (
                Verdict::Send(outbound.device),
                Rewrite::Inlay(outbound.inlay),
            ),
            Fast::Drop(network, reason) => {
                tables.count_drop(network, Direction::Outbound, reason);
                return Some(Outcome {
                    action: Ok(Action::Drop),
                    bytes: Vec::new(),
                });
            }
            Fast::Decline => return None,
        },
        Direction::Inbound => {
            let inbound = fast::inbound(tables, &mut packet, &described)?;
            (
                Verdict::Deliver(inbound.port),
                Rewrite::Restore(inbound.restore),
            )
        }
    };
    assert_eq!(
        bytes, frame.bytes,
        "the fast path decides and does not write"
    );
    Some(applied(verdict, &rewrite, frame).expect("the fast path's rewrites apply"))
}

impl Dataplane for UserSpace {
    fn load(&mut self, world: &World) {
        let clock = self.tables.clock.get();
        self.tables = MemoryTables::new(world.image.clone(), world.neighbours.clone(), clock);
        self.tables.flows_max = world.flows_max;
        self.removed_devices.clear();
    }

    fn change(&mut self, world: &World) {
        self.tables.image = world.image.clone();
    }

    /// Both ways: where the fast path decides, the full pipeline must have said the same, counted the
    /// same and left the same flows.
    fn run(&mut self, frame: &Frame) -> Outcome {
        let before = self.tables.copy();
        let full = run_full(&self.tables, &self.removed_devices, frame);
        if !self.removed_devices.is_empty() {
            return full;
        }
        let Some(fast) = run_fast(&before, frame) else {
            return full;
        };
        self.fast += 1;
        assert_eq!(fast, full, "the fast path's answer is the full pipeline's");
        assert_eq!(
            before.drops, self.tables.drops,
            "the fast path counts what the full one does"
        );
        assert_eq!(
            before.counters, self.tables.counters,
            "the fast path counts what the full one does"
        );
        assert_eq!(
            before.flow_records(),
            self.tables.flow_records(),
            "both leave the same flows"
        );
        full
    }

    fn wait(&mut self, ticks: u32) {
        let clock = &self.tables.clock;
        clock.set(Tick(clock.get().0.wrapping_add(ticks)));
    }

    fn now(&self) -> Tick {
        self.tables.clock.get()
    }

    fn clear_counters(&mut self) {
        self.tables.drops.borrow_mut().clear();
        self.tables.counters.borrow_mut().clear();
        self.tables.events.borrow_mut().clear();
    }

    fn counted(&mut self) -> Counted {
        Counted {
            drops: self.tables.drops.borrow().clone(),
            ports: self.tables.counters.borrow().clone(),
        }
    }

    fn events(&mut self) -> Vec<DropEvent> {
        self.tables.events.take()
    }

    fn flows(&mut self) -> BTreeMap<FlowKey, FlowRecord> {
        let now = self.now();
        self.tables
            .flow_records()
            .iter()
            .map(|(key, record)| (*key, aged(record, now)))
            .collect()
    }

    fn remove_device(&mut self, device: u32) {
        self.removed_devices.insert(device);
    }
}
