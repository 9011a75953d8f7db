//! A loaded dataplane: programs over pinned maps, attached by pinned links. Dropping it, or killing the
//! process, stops nothing.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use aya::Ebpf;
use tracing::debug;

use crate::{
    Error, Mode, Options, apply,
    events::Events,
    image::{Changes, Image},
    load,
    maps::Maps,
    namespace::Namespace,
    netlink,
    pins::{self, MapSet, Pins},
    read,
    schema::Schema,
    sys::{self, Access},
};

/// Runs on the host's side of every port.
pub const OUTBOUND: &str = "inlay_outbound";
/// Runs on every uplink.
pub const INBOUND: &str = "inlay_inbound";
/// Passes everything: for a node's interface that has no GRO.
pub const PASS: &str = "inlay_pass";

/// Programs loaded, maps pinned.
#[derive(Debug)]
pub struct Dataplane {
    pins: Pins,
    set: MapSet,
    maps: Maps,
    object: Ebpf,
    programs: HashMap<&'static str, OwnedFd>,
    was_adopted: bool,
    rejected: Vec<String>,
}

impl Dataplane {
    /// Loads the programs over the instance's pinned maps, where all of them have the right shape; else over
    /// empty ones beside them. What is attached goes on as it was until it is attached again.
    ///
    /// # Errors
    /// Where bpffs is not there, the kernel refuses the object, the instance is misnamed, or it is attached
    /// in another network namespace.
    pub fn open(options: &Options) -> Result<Self, Error> {
        let pins = Pins::new(&options.pin_root, &options.instance)?;
        pins.create()?;
        // Its interface numbers mean others here, and its links would be taken for dead or foreign ones.
        if !alive(&pins).is_empty() {
            Namespace::check_own(&options.instance)?;
        }
        let schema = Schema::of_object()?;
        let (set, was_adopted, rejected) = load::choose(&pins, &schema)?;
        pins::create_directory(&set.programs())?;
        let mut object = load::object(&schema, &set, options.log_level)?;
        let maps = Maps::open(&set.directory, Access::ReadWrite)?;
        let programs = load::pin_programs(&mut object, &set)?;
        if pins
            .current()
            .is_none_or(|current| !current.directory.is_dir())
        {
            pins.make_current(&set)?;
        }
        Namespace::note(&options.instance)?;
        let dataplane = Self {
            pins,
            set,
            maps,
            object,
            programs,
            was_adopted,
            rejected,
        };
        dataplane.remove_dead_links()?;
        Ok(dataplane)
    }

    /// Whether the maps were there before, with what an earlier process wrote.
    #[must_use]
    pub fn was_adopted(&self) -> bool {
        self.was_adopted
    }

    /// Why the maps that were there could not be adopted; empty where they were, or where there were none.
    #[must_use]
    pub fn rejected(&self) -> &[String] {
        &self.rejected
    }

    /// Where the maps are pinned.
    #[must_use]
    pub fn map_directory(&self) -> &Path {
        &self.set.directory
    }

    /// The maps.
    #[must_use]
    pub fn maps(&self) -> &Maps {
        &self.maps
    }

    /// Reads back what the maps hold, as far as something refers to it.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn read_image(&self) -> Result<Image, Error> {
        read::image(&self.maps)
    }

    /// Writes `changes`, in an order in which no packet is decided by half of them and remembered: content,
    /// what points to it, what is gone, and the networks with their epochs last.
    ///
    /// # Errors
    /// Where the kernel refuses; what was written till then stays, and is found by `read_image`.
    pub fn apply(&mut self, changes: &Changes) -> Result<(), Error> {
        apply::changes(&self.maps, changes)
    }

    /// Attaches the inbound program to an uplink, or gives its link this program.
    ///
    /// # Errors
    /// Where the interface cannot take it in `mode`, or the link cannot be pinned.
    pub fn attach_uplink(&mut self, interface_index: u32, mode: Mode) -> Result<(), Error> {
        self.attach(INBOUND, interface_index, mode)
    }

    /// Attaches the outbound program to a port's interface, or gives its link this program.
    ///
    /// # Errors
    /// As for `attach_uplink`.
    pub fn attach_port(&mut self, interface_index: u32, mode: Mode) -> Result<(), Error> {
        self.attach(OUTBOUND, interface_index, mode)
    }

    fn attach(&self, program: &'static str, interface_index: u32, mode: Mode) -> Result<(), Error> {
        let Some(program) = self.programs.get(program) else {
            return Err(Error::Object {
                what: format!("program {program}"),
            });
        };
        if self.replace(program, interface_index, mode)? {
            debug!(interface_index, "the link has this program");
            return Ok(());
        }
        // Nobody else's: this link is gone, or of the other mode.
        self.detach(interface_index)?;
        let link = sys::create_link(program.as_fd(), interface_index, mode.flags())
            .map_err(|cause| attach_error(interface_index, mode, cause))?;
        let path = self.pins.link(interface_index);
        debug!(interface_index, %mode, "attached");
        // Where it cannot be pinned, dropping the link detaches it.
        sys::pin(link.as_fd(), &path).map_err(Error::file("pin the link at", path))
    }

    /// Gives a pinned link another program. False where there is none that could take it.
    fn replace(&self, program: &OwnedFd, interface_index: u32, mode: Mode) -> Result<bool, Error> {
        let Some(link) = self.pins.open_link(interface_index)? else {
            return Ok(false);
        };
        let is_alive =
            sys::link_info(link.as_fd()).is_ok_and(|info| info.interface_index == interface_index);
        if !is_alive {
            return Ok(false);
        }
        // Its mode is the interface's: a link does not tell.
        if netlink::interface(interface_index)?.mode() != Some(mode) {
            return Ok(false);
        }
        match sys::update_link(link.as_fd(), program.as_fd()) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => Ok(false),
            Err(error) => Err(attach_error(interface_index, mode, error)),
        }
    }

    /// Detaches from an interface, if anything is attached.
    ///
    /// # Errors
    /// Where the pin cannot be removed.
    pub fn detach(&self, interface_index: u32) -> Result<(), Error> {
        self.pins.remove_link(interface_index)
    }

    /// The interfaces that this instance is attached to.
    #[must_use]
    pub fn attached(&self) -> Vec<u32> {
        alive(&self.pins)
    }

    fn remove_dead_links(&self) -> Result<(), Error> {
        for interface_index in self.pins.linked()? {
            if !is_link_alive(self.pins.open_link(interface_index)?) {
                self.detach(interface_index)?;
            }
        }
        Ok(())
    }

    /// Removes the flows of a port, all at once for whoever looks a packet up. Returns how many there were.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn remove_flows(&mut self, port: u32) -> Result<usize, Error> {
        let flows = self.maps.flows.all()?;
        let keys: Vec<_> = flows
            .into_iter()
            .filter(|(_, record)| record.port == port)
            .map(|(key, _)| key)
            .collect();
        self.maps.flows.remove_all(&keys)
    }

    /// The drop events of all ports.
    ///
    /// # Errors
    /// Where somebody else reads them, or the ring buffer cannot be mapped.
    pub fn drop_events(&mut self) -> Result<Events, Error> {
        Events::open(&self.set.directory, &self.pins.instance)
    }

    /// Carries the programs' debug trace to `log`, where `Options::log_level` asked for it. Call `flush` on it
    /// whenever its descriptor is readable.
    #[must_use]
    pub fn take_logger(&mut self) -> Option<aya_log::EbpfLogger<&'static dyn log::Log>> {
        aya_log::EbpfLogger::init(&mut self.object).ok()
    }

    /// Removes every set of maps but this one, which inspection looks at from then on. To be called when
    /// every link has this dataplane's programs.
    ///
    /// # Errors
    /// Where a pin cannot be removed.
    pub fn retire_old(&mut self) -> Result<(), Error> {
        self.pins.make_current(&self.set)?;
        for set in self.pins.sets()?.iter().filter(|set| **set != self.set) {
            debug!(directory = %set.directory.display(), "older maps are removed");
            Pins::remove_set(set)?;
        }
        Ok(())
    }

    /// Detaches everything and removes every pin of the instance: its nodes are cut off.
    ///
    /// # Errors
    /// Where a pin cannot be removed.
    pub fn remove(options: &Options) -> Result<(), Error> {
        Pins::new(&options.pin_root, &options.instance)?.remove()
    }
}

/// The interfaces whose pinned links are attached.
fn alive(pins: &Pins) -> Vec<u32> {
    let mut linked = pins.linked().unwrap_or_default();
    linked.retain(|number| pins.open_link(*number).is_ok_and(is_link_alive));
    linked
}

fn is_link_alive(link: Option<OwnedFd>) -> bool {
    let info = link.and_then(|link| sys::link_info(link.as_fd()).ok());
    info.is_some_and(|info| info.interface_index != 0)
}

fn attach_error(interface_index: u32, mode: Mode, cause: io::Error) -> Error {
    let hint = match cause.raw_os_error() {
        Some(libc::EOPNOTSUPP) => "its driver has no native XDP: ask for generic mode",
        Some(libc::EBUSY | libc::EEXIST) => {
            "another XDP program is attached: remove it with `ip link set dev NAME xdp off`"
        }
        Some(libc::ENODEV) => "there is no such interface in this network namespace",
        Some(libc::EINVAL | libc::ERANGE) => {
            "its driver refuses: look at its MTU, its queues and `dmesg`"
        }
        Some(libc::EPERM) => "run it as root",
        _ => "look at `dmesg`",
    };
    Error::Attach {
        interface_index,
        mode,
        cause,
        hint,
    }
}
