//! Maps that are arrays: every entry exists, and zeros are what was never written.

use std::{collections::BTreeMap, marker::PhantomData, ops::Range, path::Path};

use aya::Pod;

use super::Handle;
use crate::{
    Error,
    sys::{Access, Batch, Entry},
};

/// An array of `V`.
#[derive(Debug)]
pub struct Array<V> {
    pub(crate) handle: Handle,
    entries_max: u32,
    values: PhantomData<V>,
}

impl<V: Pod> Array<V> {
    pub(super) fn open(
        directory: &Path,
        name: &'static str,
        entries_max: u32,
        access: Access,
    ) -> Result<Self, Error> {
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

    fn check(&self, index: u32) -> Result<(), Error> {
        let Self {
            handle,
            entries_max: entries,
            ..
        } = self;
        if index < *entries {
            return Ok(());
        }
        Err(Error::Index {
            map: handle.name,
            index,
            entries: *entries,
        })
    }

    /// The entry at `index`.
    ///
    /// # Errors
    /// Where there is no such entry, or the kernel refuses.
    pub fn get(&self, index: u32) -> Result<V, Error> {
        self.check(index)?;
        let values = self.range(index..index + 1)?;
        let value = values.first().copied();
        value.ok_or_else(|| self.handle.error("read")(std::io::ErrorKind::UnexpectedEof.into()))
    }

    /// The entries of `range`, cut off at the array's end.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn range(&self, range: Range<u32>) -> Result<Vec<V>, Error> {
        let end = range.end.min(self.entries_max);
        let count = end.saturating_sub(range.start) as usize;
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut keys = Vec::<u32>::with_capacity(count);
        let mut values = Vec::<V>::with_capacity(count);
        let batch = Batch {
            map: self.handle.fd(),
            keys: keys.as_mut_ptr().cast(),
            values: values.as_mut_ptr().cast(),
            count,
        };
        // Reading begins behind a position.
        let mut position = range.start.checked_sub(1);
        // SAFETY: both vectors have room for `count` entries; `V` is of the map's size, compared when it was opened.
        let read = match unsafe { batch.lookup(&mut position) } {
            Err(stopped) if stopped.error.raw_os_error() == Some(libc::ENOENT) => stopped.done,
            result => result.map_err(|stopped| self.handle.error("read")(stopped.error))?,
        };
        // SAFETY: the kernel wrote so many values.
        unsafe { values.set_len(read.min(count)) };
        Ok(values)
    }

    /// All entries, in order.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn all(&self) -> Result<Vec<V>, Error> {
        self.range(0..self.entries_max)
    }

    /// Entries that `is_used` holds true of, by index.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn used(&self, is_used: impl Fn(&V) -> bool) -> Result<BTreeMap<u32, V>, Error> {
        Ok((0..)
            .zip(self.all()?)
            .filter(|(_, value)| is_used(value))
            .collect())
    }

    /// The entries at `indexes`, which ascend. Neighbours are read at once.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn at(&self, indexes: impl IntoIterator<Item = u32>) -> Result<BTreeMap<u32, V>, Error> {
        let mut runs: Vec<Range<u32>> = Vec::new();
        for index in indexes {
            match runs.last_mut() {
                Some(run) if run.end == index => run.end += 1,
                _ => runs.push(index..index + 1),
            }
        }
        let mut found = BTreeMap::new();
        for run in runs {
            found.extend((run.start..).zip(self.range(run)?));
        }
        Ok(found)
    }

    /// Writes one entry.
    ///
    /// # Errors
    /// Where there is no such entry, or the kernel refuses.
    pub fn set(&self, index: u32, mut value: V) -> Result<(), Error> {
        self.check(index)?;
        let entry = Entry {
            map: self.handle.fd(),
            key: (&raw const index).cast(),
            value: (&raw mut value).cast(),
        };
        // SAFETY: a key of four bytes, and a value of the map's size, compared when it was opened.
        unsafe { entry.update() }.map_err(self.handle.error("write"))
    }

    /// Writes entries in one command.
    ///
    /// # Errors
    /// Where an index is past the end (nothing is written then), or the kernel refuses.
    pub fn set_all(&self, entries: &[(u32, V)]) -> Result<(), Error> {
        let (mut keys, mut values): (Vec<u32>, Vec<V>) = entries.iter().copied().unzip();
        for &index in &keys {
            self.check(index)?;
        }
        super::hash::write(&self.handle, &mut keys, &mut values)
    }
}
