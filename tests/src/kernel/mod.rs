//! The loaded programs, run by `BPF_PROG_TEST_RUN` in a network namespace of their own.

mod learned;
mod maps;
mod namespace;

use std::{collections::BTreeMap, fmt};

use aya::{
    Ebpf, EbpfLoader,
    programs::{TestRun as _, TestRunOptions, Xdp, XdpMode},
};
use inlay_core::{
    event::DropEvent,
    flow::{FlowKey, FlowRecord},
    ids::Tick,
    tables::Direction,
};
use inlay_dataplane::image::{Changes, Image};

use crate::{
    dataplane::{Counted, Dataplane, Frame, Outcome, XdpAction, aged},
    world::World,
};
use maps::Maps;
pub use namespace::in_namespace;

/// Why the kernel cannot be asked here.
#[derive(Debug)]
pub struct Skip(pub String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a program costs the verifier.
#[derive(Clone, Copy, Debug)]
pub struct ProgramCost {
    /// The program's name.
    pub name: &'static str,
    /// Instructions as the kernel runs them.
    pub instructions: u32,
    /// Instructions that the verifier walked through.
    pub verified: u32,
}

/// The program of each direction, and the one that lets everything pass.
const PROGRAMS: [&str; 3] = ["inlay_outbound", "inlay_inbound", "inlay_pass"];

/// The kernel's dataplane.
pub struct Kernel {
    ebpf: Ebpf,
    maps: Maps,
    /// Real interface numbers by those of worlds.
    interfaces: BTreeMap<u32, u32>,
    /// What the maps hold, in a world's numbers.
    content: Image,
}

impl Kernel {
    /// Loads the programs, once for a namespace that [`in_namespace`] made.
    ///
    /// # Errors
    /// Why it cannot be done here.
    ///
    /// # Panics
    /// Where the programs are refused: that is a failure, and nothing to be skipped.
    pub fn open() -> Result<Self, Skip> {
        let interfaces = namespace::set_up().map_err(|error| Skip(format!("{error:#}")))?;
        let mut ebpf = EbpfLoader::new()
            .load(inlay_dataplane::OBJECT)
            .map_err(|error| Skip(format!("the maps cannot be made: {error}")))?;
        for name in PROGRAMS {
            let loaded = program(&mut ebpf, name).load();
            loaded.unwrap_or_else(|error| panic!("{name} is refused: {error:#?}"));
        }
        // A receive queue takes test frames only where its interface runs a program.
        let pass = program(&mut ebpf, "inlay_pass");
        for interface in interfaces.values() {
            let attached = pass.attach_to_if_index(*interface, XdpMode::Driver);
            attached.map_err(|error| Skip(format!("no program can be attached: {error}")))?;
        }
        let maps = Maps::take(&mut ebpf);
        Ok(Self {
            ebpf,
            maps,
            interfaces,
            content: Image::default(),
        })
    }

    /// What the programs cost.
    #[must_use]
    pub fn costs(&mut self) -> Vec<ProgramCost> {
        PROGRAMS
            .into_iter()
            .map(|name| {
                let info = program(&mut self.ebpf, name).info().unwrap();
                ProgramCost {
                    name,
                    instructions: info.size_translated().unwrap() / 8,
                    verified: info.verified_instruction_count().unwrap(),
                }
            })
            .collect()
    }

    /// The flow of a key, its ticks replaced by their age.
    #[must_use]
    pub fn flow(&mut self, key: &FlowKey) -> Option<FlowRecord> {
        let now = self.now();
        self.maps
            .flows
            .get(key, 0)
            .ok()
            .map(|record| aged(&record, now))
    }

    /// As `load`, where the keys of all flows are known: a table of its size takes long to search.
    pub fn load_without(&mut self, world: &World, flows: impl Iterator<Item = FlowKey>) {
        for key in flows {
            let _ = self.maps.flows.remove(&key);
        }
        self.forget_all_but_flows();
        self.change(world);
    }

    fn forget_all_but_flows(&mut self) {
        for (slot, port) in &self.content.ports {
            self.maps.forget_port(*slot, port);
        }
        self.maps.forget_next_hops();
        self.clear_counters();
    }
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> &'a mut Xdp {
    ebpf.program_mut(name).unwrap().try_into().unwrap()
}

/// `struct xdp_md` for a frame that arrives at `interface`.
fn context(len_bytes: usize, interface: u32) -> [u8; 24] {
    let mut context = [0; 24];
    context[4..8].copy_from_slice(&u32::try_from(len_bytes).unwrap().to_ne_bytes());
    context[12..16].copy_from_slice(&interface.to_ne_bytes());
    context
}

/// Room for the frame that comes out.
const OUT_BYTES: usize = 10_000;

impl Dataplane for Kernel {
    fn load(&mut self, world: &World) {
        for key in self.maps.flow_keys() {
            let _ = self.maps.flows.remove(&key);
        }
        self.forget_all_but_flows();
        self.change(world);
    }

    fn change(&mut self, world: &World) {
        let changes = Changes::between(&self.content, &world.image);
        self.maps.write(&changes, &self.interfaces);
        self.content = world.image.clone();
    }

    fn run(&mut self, frame: &Frame) -> Outcome {
        let name = match frame.direction {
            Direction::Outbound => "inlay_outbound",
            Direction::Inbound => "inlay_inbound",
        };
        let context = context(frame.bytes.len(), self.interfaces[&frame.interface]);
        let mut out = [0; OUT_BYTES];
        let options = TestRunOptions {
            data_in: Some(&frame.bytes),
            data_out: Some(&mut out),
            ctx_in: Some(&context),
            ..TestRunOptions::new()
        };
        let result = program(&mut self.ebpf, name).test_run(options).unwrap();
        let action = match result.return_value {
            1 => XdpAction::Drop,
            2 => XdpAction::Pass,
            4 => XdpAction::Redirect,
            other => panic!("the program returned {other}"),
        };
        let len_bytes = if action == XdpAction::Drop {
            0
        } else {
            result.data_size_out as usize
        };
        Outcome {
            action: Err(action),
            bytes: out[..len_bytes].to_vec(),
        }
    }

    fn wait(&mut self, ticks: u32) {
        self.maps.age(&self.content, ticks);
    }

    fn now(&self) -> Tick {
        let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC_COARSE).unwrap();
        let nanoseconds = time.tv_sec() * 1_000_000_000 + time.tv_nsec();
        Tick::from_nanoseconds(u64::try_from(nanoseconds).unwrap())
    }

    fn clear_counters(&mut self) {
        self.maps.clear_counters(&self.content);
    }

    fn counted(&mut self) -> Counted {
        self.maps.counted(&self.content)
    }

    fn events(&mut self) -> Vec<DropEvent> {
        self.maps.events()
    }

    fn flows(&mut self) -> BTreeMap<FlowKey, FlowRecord> {
        let now = self.now();
        let keys = self.maps.flow_keys();
        keys.iter()
            .map(|key| (*key, aged(&self.maps.flows.get(key, 0).unwrap(), now)))
            .collect()
    }

    fn remove_device(&mut self, device: u32) {
        self.maps.set_device(device, 0);
        // So that the next world writes it again.
        self.content.devices.retain(|_, content| *content != device);
    }
}
