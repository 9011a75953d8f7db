//! Arrays that hold a value for every possible CPU.

use std::{marker::PhantomData, path::Path};

use aya::Pod;

use super::Handle;
use crate::{
    Error,
    sys::{Access, Batch, Entry},
};

/// An array of `V` for every CPU.
#[derive(Debug)]
pub struct PerCpu<V> {
    pub(crate) handle: Handle,
    entries_max: u32,
    values: PhantomData<V>,
}

impl<V: Pod> PerCpu<V> {
    /// The kernel gives each CPU's value a multiple of eight bytes, and no less may be here.
    const IS_WHOLE: () = assert!(size_of::<V>().is_multiple_of(8));

    pub(super) fn open(
        directory: &Path,
        name: &'static str,
        entries_max: u32,
        access: Access,
    ) -> Result<Self, Error> {
        let () = Self::IS_WHOLE;
        let handle = Handle::open::<u32, V>(directory, name, entries_max, access)?;
        Ok(Self {
            handle,
            entries_max,
            values: PhantomData,
        })
    }

    /// How many entries there are.
    #[must_use]
    pub fn entries_max(&self) -> u32 {
        self.entries_max
    }

    /// How many CPUs the kernel keeps values for.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub fn cpus() -> Result<usize, Error> {
        aya::util::nr_cpus().map_err(|(path, cause)| Error::file("read", path)(cause))
    }

    /// The values of one entry, by CPU.
    ///
    /// # Errors
    /// Where there is no such entry, or the kernel refuses.
    pub fn get(&self, index: u32) -> Result<Vec<V>, Error> {
        let cpus = Self::cpus()?;
        let mut values = Vec::<V>::with_capacity(cpus);
        let entry = Entry {
            map: self.handle.fd(),
            key: (&raw const index).cast(),
            value: values.as_mut_ptr().cast(),
        };
        // SAFETY: there is room for a value of every CPU, each a multiple of eight bytes.
        let is_found = unsafe { entry.lookup() }.map_err(self.handle.error("read"))?;
        if !is_found {
            let (map, entries) = (self.handle.name, self.entries_max);
            return Err(Error::Index {
                map,
                index,
                entries,
            });
        }
        // SAFETY: the kernel wrote one for every CPU.
        unsafe { values.set_len(cpus) };
        Ok(values)
    }

    /// The values of all entries, in order: for each of them, by CPU.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn all(&self) -> Result<Vec<Vec<V>>, Error> {
        let (cpus, count) = (Self::cpus()?, self.entries_max as usize);
        let mut keys = Vec::<u32>::with_capacity(count);
        let mut values = Vec::<V>::with_capacity(count * cpus);
        let batch = Batch {
            map: self.handle.fd(),
            keys: keys.as_mut_ptr().cast(),
            values: values.as_mut_ptr().cast(),
            count,
        };
        // SAFETY: there is room for `count` entries, with a value of every CPU in each.
        let read = match unsafe { batch.lookup(&mut None) } {
            Err(stopped) if stopped.error.raw_os_error() == Some(libc::ENOENT) => stopped.done,
            result => result.map_err(|stopped| self.handle.error("read")(stopped.error))?,
        };
        // SAFETY: the kernel wrote so many.
        unsafe { values.set_len(read.min(count) * cpus) };
        Ok(values.chunks_exact(cpus).map(<[V]>::to_vec).collect())
    }

    /// Writes one value for every CPU.
    ///
    /// # Errors
    /// Where there is no such entry, or the kernel refuses.
    pub fn set(&self, index: u32, value: V) -> Result<(), Error> {
        let mut values = vec![value; Self::cpus()?];
        let entry = Entry {
            map: self.handle.fd(),
            key: (&raw const index).cast(),
            value: values.as_mut_ptr().cast(),
        };
        // SAFETY: as for `get`.
        unsafe { entry.update() }.map_err(self.handle.error("write"))
    }
}
