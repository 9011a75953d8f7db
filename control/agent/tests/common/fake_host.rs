//! A machine in memory. It notes what is done to it, in order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use anyhow::ensure;
use inlay_agent::{compile::Role, host::Host, interface::Interfaces};
use inlay_api::XdpMode;
use inlay_dataplane::image::{Changes, Image};

/// What the machine is, which the test keeps a hand on.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    pub(crate) image: Image,
    pub(crate) interfaces: Interfaces,
    pub(crate) attached: BTreeMap<u32, Role>,
    pub(crate) calls: Vec<String>,
    /// Interfaces that cannot be attached.
    pub(crate) refused: BTreeSet<u32>,
    /// What is wrong with interfaces that can be attached.
    pub(crate) reasons: BTreeMap<u32, String>,
    /// Whether somebody removed the pins.
    pub(crate) is_unpinned: bool,
    /// How many more writes fail, having written all but the networks.
    pub(crate) failing_writes: usize,
}

/// A handle on the machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeHost(Arc<Mutex<Machine>>);

impl FakeHost {
    pub(crate) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.0.lock().unwrap()
    }

    /// What was done since this was last asked.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.machine().calls)
    }
}

impl Host for FakeHost {
    fn is_pinned(&self) -> bool {
        !self.machine().is_unpinned
    }

    fn read_image(&self) -> anyhow::Result<Image> {
        Ok(self.machine().image.clone())
    }

    fn write(&mut self, changes: &Changes) -> anyhow::Result<()> {
        let mut machine = self.machine();
        let mut changes = changes.clone();
        let is_failing = machine.failing_writes > 0;
        if is_failing {
            machine.failing_writes -= 1;
            changes.networks = inlay_dataplane::image::MapChanges::default();
        }
        machine.image = changes.applied_to(&machine.image);
        machine.calls.push("write".to_owned());
        ensure!(!is_failing, "the kernel refuses");
        Ok(())
    }

    fn remove_flows(&mut self, slot: u32) -> anyhow::Result<usize> {
        self.machine().calls.push(format!("remove flows of {slot}"));
        Ok(0)
    }

    fn attach(&mut self, index: u32, role: Role, _: XdpMode) -> anyhow::Result<()> {
        let mut machine = self.machine();
        machine.calls.push(format!("attach {index}"));
        ensure!(
            !machine.refused.contains(&index),
            "its driver has no native XDP"
        );
        machine.attached.insert(index, role);
        Ok(())
    }

    fn detach(&mut self, index: u32) -> anyhow::Result<()> {
        let mut machine = self.machine();
        machine.calls.push(format!("detach {index}"));
        machine.attached.remove(&index);
        Ok(())
    }

    fn attached(&self) -> BTreeSet<u32> {
        self.machine().attached.keys().copied().collect()
    }

    fn retire_old(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn interfaces(&self, names: &BTreeSet<&str>) -> anyhow::Result<Interfaces> {
        let mut interfaces = self.machine().interfaces.clone();
        interfaces.retain(|name, _| names.contains(name.as_str()));
        Ok(interfaces)
    }

    fn prepare_host(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn prepare_interface(&mut self, index: u32, _: Role, _: u32) -> Vec<String> {
        self.machine()
            .reasons
            .get(&index)
            .into_iter()
            .cloned()
            .collect()
    }
}
