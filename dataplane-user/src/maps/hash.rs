//! Maps that are hashes.

use std::{marker::PhantomData, path::Path};

use aya::Pod;

use super::Handle;
use crate::{
    Error,
    sys::{Access, Batch, Entry},
};

/// Entries that are read at once. A bucket of the kernel must fit in it whole.
const READ_AT_ONCE: usize = 4096;

/// A hash of `K` to `V`.
#[derive(Debug)]
pub struct Hash<K, V> {
    pub(crate) handle: Handle,
    entries_max: u32,
    entries: PhantomData<(K, V)>,
}

impl<K: Pod, V: Pod> Hash<K, V> {
    pub(super) fn open(
        directory: &Path,
        name: &'static str,
        entries_max: u32,
        access: Access,
    ) -> Result<Self, Error> {
        let handle = Handle::open::<K, V>(directory, name, entries_max, access)?;
        Ok(Self {
            handle,
            entries_max,
            entries: PhantomData,
        })
    }

    /// How many entries it can hold.
    #[must_use]
    pub fn entries_max(&self) -> u32 {
        self.entries_max
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn get(&self, key: &K) -> Result<Option<V>, Error> {
        let mut value = std::mem::MaybeUninit::<V>::uninit();
        let entry = Entry {
            map: self.handle.fd(),
            key: std::ptr::from_ref(key).cast(),
            value: value.as_mut_ptr().cast(),
        };
        // SAFETY: key and value are of the map's sizes, compared when it was opened.
        let is_found = unsafe { entry.lookup() }.map_err(self.handle.error("read"))?;
        // SAFETY: the kernel wrote the value where it found one.
        Ok(is_found.then(|| unsafe { value.assume_init() }))
    }

    /// All entries, in no order. What changes meanwhile may be missed or appear twice.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn all(&self) -> Result<Vec<(K, V)>, Error> {
        let mut all = Vec::new();
        let mut position = None;
        loop {
            let mut keys = Vec::<K>::with_capacity(READ_AT_ONCE);
            let mut values = Vec::<V>::with_capacity(READ_AT_ONCE);
            let batch = Batch {
                map: self.handle.fd(),
                keys: keys.as_mut_ptr().cast(),
                values: values.as_mut_ptr().cast(),
                count: READ_AT_ONCE,
            };
            // SAFETY: both vectors have room for so many, and are of the map's sizes, compared when it was opened.
            let (read, is_end) = match unsafe { batch.lookup(&mut position) } {
                Ok(read) => (read, false),
                Err(stopped) if stopped.error.raw_os_error() == Some(libc::ENOENT) => {
                    (stopped.done, true)
                }
                Err(stopped) => return Err(self.handle.error("read")(stopped.error)),
            };
            // SAFETY: the kernel wrote so many keys and values.
            unsafe {
                keys.set_len(read.min(READ_AT_ONCE));
                values.set_len(read.min(READ_AT_ONCE));
            }
            all.extend(keys.into_iter().zip(values));
            if is_end {
                return Ok(all);
            }
        }
    }

    /// Writes entries in one command.
    ///
    /// # Errors
    /// Where the map is full, or the kernel refuses.
    pub fn set_all(&self, entries: &[(K, V)]) -> Result<(), Error> {
        let (mut keys, mut values): (Vec<K>, Vec<V>) = entries.iter().copied().unzip();
        write(&self.handle, &mut keys, &mut values)
    }

    /// Removes entries; those that are not there are none the worse. Returns how many there were.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn remove_all(&self, keys: &[K]) -> Result<usize, Error> {
        let mut keys = keys.to_vec();
        let (mut at, mut removed) = (0, 0);
        while at < keys.len() {
            let rest = &mut keys[at..];
            let batch = Batch {
                map: self.handle.fd(),
                keys: rest.as_mut_ptr().cast(),
                values: std::ptr::null_mut(),
                count: rest.len(),
            };
            // SAFETY: the keys are of the map's sizes, compared when it was opened.
            match unsafe { batch.delete() } {
                Ok(done) => return Ok(removed + done),
                Err(stopped) if stopped.error.raw_os_error() == Some(libc::ENOENT) => {
                    // The one behind those that are done is not there.
                    at += stopped.done + 1;
                    removed += stopped.done;
                }
                Err(stopped) => return Err(self.handle.error("remove entries")(stopped.error)),
            }
        }
        Ok(removed)
    }
}

/// Writes `values` at `keys`, which are as many and of the map's shape.
pub(super) fn write<K: Pod, V: Pod>(
    handle: &Handle,
    keys: &mut [K],
    values: &mut [V],
) -> Result<(), Error> {
    if keys.is_empty() || keys.len() != values.len() {
        return Ok(());
    }
    let batch = Batch {
        map: handle.fd(),
        keys: keys.as_mut_ptr().cast(),
        values: values.as_mut_ptr().cast(),
        count: keys.len(),
    };
    // SAFETY: both slices hold `count` entries of the map's sizes, compared when it was opened.
    unsafe { batch.update() }
        .map(drop)
        .map_err(|stopped| handle.error("write")(stopped.error))
}
