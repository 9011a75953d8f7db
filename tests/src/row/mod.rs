//! A fixture row: a name, what came before, a frame, and everything that must come of it - the verdict,
//! the bytes, every counter, every event and the number of flows.

mod check;

pub use check::{difference, hex};
use inlay_core::{drop_reason::DropReason, ids::Tick, tables::Direction};

use crate::{
    dataplane::{Action, Counted, Frame, UPLINK},
    nodes::{Host, Node},
    packet::Packet,
    world::World,
};

/// Something that happens before the row's frame.
pub enum Before {
    /// A frame. True where it must be dropped, false where it must not.
    Frame(Frame, bool),
    /// Time passes.
    Wait(u32),
    /// The agent changes its tables.
    Change(Box<dyn Fn(&mut World)>),
    /// A device disappears.
    RemoveDevice(u32),
}

/// A row.
pub struct Row {
    /// What it shows, in a sentence.
    pub name: &'static str,
    /// The tables.
    pub world: World,
    /// What happens first.
    pub before: Vec<Before>,
    /// The frame.
    pub frame: Option<Frame>,
    /// The verdict.
    pub action: Action,
    /// What becomes of the frame; empty for a drop.
    pub bytes: Vec<u8>,
    /// Everything that the frame counts.
    pub counted: Counted,
    /// The rule that the drop's event names.
    pub rule: Option<u32>,
    /// Whether the drop may go without an event: the fast path tells of none where a device is gone.
    pub may_be_untold: bool,
    /// Flows afterwards.
    pub flows: usize,
    /// Why the kernel's programs are not asked, where they are not.
    pub core_only: Option<&'static str>,
}

impl Row {
    /// A row in the standard world.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            world: World::standard(),
            before: Vec::new(),
            frame: None,
            action: Action::Drop,
            bytes: Vec::new(),
            counted: Counted::default(),
            rule: None,
            may_be_untold: false,
            flows: 0,
            core_only: None,
        }
    }

    /// In another world.
    #[must_use]
    pub fn world(mut self, edit: impl FnOnce(&mut World)) -> Self {
        edit(&mut self.world);
        self
    }

    /// After this frame, which passes.
    #[must_use]
    pub fn after(mut self, frame: Frame) -> Self {
        self.before.push(Before::Frame(frame, false));
        self
    }

    /// After this frame, which is dropped.
    #[must_use]
    pub fn after_drop(mut self, frame: Frame) -> Self {
        self.before.push(Before::Frame(frame, true));
        self
    }

    /// After these frames, which pass.
    #[must_use]
    pub fn after_all(self, frames: impl IntoIterator<Item = Frame>) -> Self {
        frames.into_iter().fold(self, Self::after)
    }

    /// So many seconds later, less a little.
    #[must_use]
    pub fn wait_s(self, seconds: u32) -> Self {
        self.wait_ticks(seconds * Tick::PER_SECOND)
    }

    /// So many ticks later.
    #[must_use]
    pub fn wait_ticks(mut self, ticks: u32) -> Self {
        self.before.push(Before::Wait(ticks));
        self
    }

    /// After a change by the agent.
    #[must_use]
    pub fn change(mut self, edit: impl Fn(&mut World) + 'static) -> Self {
        self.before.push(Before::Change(Box::new(edit)));
        self
    }

    /// After a device has disappeared.
    #[must_use]
    pub fn remove_device(mut self, device: u32) -> Self {
        self.before.push(Before::RemoveDevice(device));
        self
    }

    /// The row's frame.
    #[must_use]
    pub fn frame(mut self, frame: Frame) -> Self {
        self.frame = Some(frame);
        self
    }

    /// Not run in the kernel.
    #[must_use]
    pub fn core_only(mut self, why: &'static str) -> Self {
        self.core_only = Some(why);
        self
    }

    /// Is inlaid as `packet` and sent to `host`.
    #[must_use]
    pub fn sends(mut self, from: &Node, packet: &Packet, host: Host) -> Self {
        self.action = Action::Send(UPLINK);
        self.bytes = from.inlaid(packet, host);
        self.flows(1)
            .counts(from, Direction::Outbound, packet.len_bytes())
    }

    /// Reaches a node of this host as `packet`.
    #[must_use]
    pub fn delivers(mut self, to: &Node, packet: &Packet) -> Self {
        self.action = Action::Deliver(to.slot());
        self.bytes = to.gets(packet);
        let frame = self.frame.as_ref().expect("the frame comes first");
        let sender = frame
            .interface
            .checked_sub(101)
            .filter(|_| frame.direction == Direction::Outbound);
        let Some(sender) = sender else {
            return self
                .flows(1)
                .counts(to, Direction::Inbound, packet.len_bytes());
        };
        self.count(sender, Direction::Outbound, packet.len_bytes());
        self.flows(2)
            .counts(to, Direction::Inbound, packet.len_bytes())
    }

    /// Goes back as these bytes.
    #[must_use]
    pub fn replies(mut self, bytes: Vec<u8>) -> Self {
        self.action = Action::Reply;
        self.bytes = bytes;
        self
    }

    /// Goes to the kernel as these bytes.
    #[must_use]
    pub fn passes(mut self, bytes: Vec<u8>) -> Self {
        self.action = Action::Pass;
        self.bytes = bytes;
        self
    }

    /// Goes to the kernel as it is.
    #[must_use]
    pub fn passes_as_it_is(self) -> Self {
        let bytes = self
            .frame
            .as_ref()
            .expect("the frame comes first")
            .bytes
            .clone();
        self.passes(bytes)
    }

    /// With these octets after the packet.
    #[must_use]
    pub fn padded(mut self, padding: &[u8]) -> Self {
        self.bytes.extend(padding);
        self
    }

    /// Is dropped, or answered in place of being carried.
    #[must_use]
    pub fn drops(mut self, network: u32, direction: Direction, reason: DropReason) -> Self {
        self.counted.drops.insert((network, direction, reason), 1);
        self
    }

    /// Perhaps without an event.
    #[must_use]
    pub fn may_be_untold(mut self) -> Self {
        self.may_be_untold = true;
        self
    }

    /// By this rule.
    #[must_use]
    pub fn rule(mut self, rule: u32) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Counts a packet at a port, beside what follows from the verdict.
    #[must_use]
    pub fn counts(mut self, node: &Node, direction: Direction, len_bytes: usize) -> Self {
        self.count(node.slot(), direction, len_bytes);
        self
    }

    fn count(&mut self, slot: u32, direction: Direction, len_bytes: usize) {
        let counters = self.counted.ports.entry(slot).or_default();
        counters.packets[direction as usize] += 1;
        counters.bytes[direction as usize] += u64::try_from(len_bytes).unwrap();
    }

    /// So many flows are left, where it is not what follows from the verdict.
    #[must_use]
    pub fn flows(mut self, flows: usize) -> Self {
        self.flows = flows;
        self
    }
}
