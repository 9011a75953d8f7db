//! The device map: what packets are redirected to. The kernel forgets an entry whose interface goes.

use std::path::Path;

use super::Handle;
use crate::{
    Error,
    sys::{Access, Entry},
};

/// The interface and the program that runs on redirected frames; there is none.
type Value = [u32; 2];

/// Interfaces by device index.
#[derive(Debug)]
pub struct Devices {
    pub(crate) handle: Handle,
    entries_max: u32,
}

impl Devices {
    pub(super) fn open(
        directory: &Path,
        name: &'static str,
        entries_max: u32,
        access: Access,
    ) -> Result<Self, Error> {
        let handle = Handle::open::<u32, Value>(directory, name, entries_max, access)?;
        Ok(Self {
            handle,
            entries_max,
        })
    }

    /// How many entries it can hold.
    #[must_use]
    pub fn entries_max(&self) -> u32 {
        self.entries_max
    }

    /// The interface that is device `index`.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn get(&self, index: u32) -> Result<Option<u32>, Error> {
        let mut value: Value = [0; 2];
        let entry = Entry {
            map: self.handle.fd(),
            key: (&raw const index).cast(),
            value: (&raw mut value).cast(),
        };
        // SAFETY: the map has keys of four bytes and values of eight.
        let is_found = unsafe { entry.lookup() }.map_err(self.handle.error("read"))?;
        Ok(is_found.then_some(value[0]))
    }

    /// Makes the interface, of this network namespace, device `index`.
    ///
    /// # Errors
    /// Where there is no such interface, or the kernel refuses.
    pub fn set(&self, index: u32, interface_index: u32) -> Result<(), Error> {
        let mut value: Value = [interface_index, 0];
        let entry = Entry {
            map: self.handle.fd(),
            key: (&raw const index).cast(),
            value: (&raw mut value).cast(),
        };
        // SAFETY: as for `get`.
        unsafe { entry.update() }.map_err(self.handle.error("write"))
    }

    /// Makes device `index` none.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn remove(&self, index: u32) -> Result<(), Error> {
        let value = std::ptr::null_mut();
        let entry = Entry {
            map: self.handle.fd(),
            key: (&raw const index).cast(),
            value,
        };
        // SAFETY: as for `get`.
        unsafe { entry.delete() }
            .map(drop)
            .map_err(self.handle.error("remove entries"))
    }
}
