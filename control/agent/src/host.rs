//! What the agent needs of the machine it runs on, as a trait: the kernel, or a fake in tests.

use std::collections::BTreeSet;

use inlay_api::XdpMode;
use inlay_dataplane::image::{Changes, Image};

use crate::{compile::Role, interface::Interfaces};

/// The machine. All calls block, for microseconds to a few tens of milliseconds.
pub trait Host {
    /// Whether the maps can still be found by whoever comes next.
    fn is_pinned(&self) -> bool;

    /// What the maps hold.
    ///
    /// # Errors
    /// Where the kernel refuses.
    fn read_image(&self) -> anyhow::Result<Image>;

    /// Writes `changes` into the maps, the epochs of networks last.
    ///
    /// # Errors
    /// Where the kernel refuses.
    fn write(&mut self, changes: &Changes) -> anyhow::Result<()>;

    /// Removes the flows of the port of `slot`. Returns how many there were.
    ///
    /// # Errors
    /// Where the kernel refuses.
    fn remove_flows(&mut self, slot: u32) -> anyhow::Result<usize>;

    /// Attaches the program of `role` to an interface, or replaces the program that is there.
    ///
    /// # Errors
    /// Where the kernel refuses.
    fn attach(&mut self, interface_index: u32, role: Role, mode: XdpMode) -> anyhow::Result<()>;

    /// Detaches from an interface, if it is attached, and forgets it.
    ///
    /// # Errors
    /// Where the kernel refuses.
    fn detach(&mut self, interface_index: u32) -> anyhow::Result<()>;

    /// The interfaces that a program is attached to.
    fn attached(&self) -> BTreeSet<u32>;

    /// Removes what an earlier version left behind. Every interface is attached anew by then.
    ///
    /// # Errors
    /// Where the kernel refuses.
    fn retire_old(&mut self) -> anyhow::Result<()>;

    /// Those of the interfaces `names` that are there.
    ///
    /// # Errors
    /// Where the kernel refuses.
    fn interfaces(&self, names: &BTreeSet<&str>) -> anyhow::Result<Interfaces>;

    /// Sets what the dataplane needs of the machine as a whole. Returns what it could not set, and what
    /// to do.
    fn prepare_host(&mut self) -> Vec<String>;

    /// Sets what the dataplane needs of an interface that is attached, so that it carries packets of
    /// `virtual_mtu` bytes. Returns what is still missing, and what to do.
    fn prepare_interface(
        &mut self,
        interface_index: u32,
        role: Role,
        virtual_mtu: u32,
    ) -> Vec<String>;
}
