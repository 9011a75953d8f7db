//! Maps as such: their shapes, what they cost, their entries one by one.

use aya::maps::MapInfo;
use serde::Serialize;
use serde_json::Value;

use super::{EntryView, Inspection, keys::Key, records::Record};
use crate::{
    Error,
    maps::{Array, Devices, Handle, Hash, PerCpu},
    pins,
    sys::{self, Access},
};

/// A map of an instance.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct MapView {
    /// Its name.
    pub name: String,
    /// Its type, as `bpftool` calls it.
    pub map_type: String,
    /// Bytes of a key.
    pub key_bytes: u32,
    /// Bytes of a value.
    pub value_bytes: u32,
    /// Entries it can hold; bytes of a ring buffer.
    pub entries_max: u32,
    /// Entries that are used; none where that is not known.
    pub entries: Option<u64>,
    /// Bytes of kernel memory.
    pub memory_bytes: u64,
}

impl Inspection {
    /// All maps, in the order of their names.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn maps(&self) -> Result<Vec<MapView>, Error> {
        let is_map = |path: &std::path::PathBuf| *path != self.set.programs();
        let mut paths = pins::list(&self.set.directory)?;
        paths.retain(is_map);
        paths.sort();
        paths.iter().map(|path| self.map(path)).collect()
    }

    fn map(&self, path: &std::path::Path) -> Result<MapView, Error> {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let info = MapInfo::from_pin(path).map_err(Error::load)?;
        let fd = sys::open_pin(path, Access::Read).map_err(Error::file("open", path))?;
        let entries = self.maps.table(&name).map(Table::count).transpose()?;
        let map_type = info.map_type().map_err(Error::load)?;
        Ok(MapView {
            map_type: type_name(&format!("{map_type:?}")),
            key_bytes: info.key_size(),
            value_bytes: info.value_size(),
            entries_max: info.max_entries(),
            entries,
            memory_bytes: sys::memory_bytes(&fd)?,
            name,
        })
    }
}

/// `PerCpuArray` to `percpu-array`.
pub(crate) fn type_name(name: &str) -> String {
    let mut text = String::new();
    for letter in name.replace("PerCpu", "Percpu").chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// A map of any type, seen as keys and values.
pub(crate) trait Table {
    /// How many entries are used.
    fn count(&self) -> Result<u64, Error>;
    /// Those entries.
    fn dump(&self) -> Result<Vec<EntryView>, Error>;
    /// The entry of a key that a person wrote.
    fn get(&self, key: &str) -> Result<Option<EntryView>, Error>;
}

fn bad_key(map: &Handle, key: &str, form: &str) -> Error {
    Error::Input {
        what: format!("{key} is no key of {}: write {form}", map.name),
    }
}

fn index(map: &Handle, key: &str, entries: u32) -> Result<u32, Error> {
    let index = key.parse().ok().filter(|index| *index < entries);
    index.ok_or_else(|| bad_key(map, key, &format!("a number below {entries}")))
}

impl<V: Record> Table for Array<V> {
    fn count(&self) -> Result<u64, Error> {
        Ok(self.all()?.iter().filter(|value| value.is_used()).count() as u64)
    }

    fn dump(&self) -> Result<Vec<EntryView>, Error> {
        let used = self.used(Record::is_used)?.into_iter();
        Ok(used
            .map(|(key, value)| EntryView {
                key: key.to_string(),
                value: value.json(),
            })
            .collect())
    }

    fn get(&self, key: &str) -> Result<Option<EntryView>, Error> {
        let value = Array::get(self, index(&self.handle, key, self.entries_max())?)?;
        Ok(Some(EntryView {
            key: key.to_owned(),
            value: value.json(),
        }))
    }
}

impl<K: Key + aya::Pod + Ord, V: Record> Table for Hash<K, V> {
    fn count(&self) -> Result<u64, Error> {
        Ok(self.all()?.len() as u64)
    }

    fn dump(&self) -> Result<Vec<EntryView>, Error> {
        let mut all = self.all()?;
        all.sort_unstable_by_key(|(key, _)| *key);
        let view = |(key, value): (K, V)| EntryView {
            key: key.text(),
            value: value.json(),
        };
        Ok(all.into_iter().map(view).collect())
    }

    fn get(&self, text: &str) -> Result<Option<EntryView>, Error> {
        let key = K::parse(text).ok_or_else(|| bad_key(&self.handle, text, K::FORM))?;
        let value = Hash::get(self, &key)?;
        Ok(value.map(|value| EntryView {
            key: key.text(),
            value: value.json(),
        }))
    }
}

fn by_cpu<V: Record>(values: &[V]) -> Value {
    let used = values
        .iter()
        .enumerate()
        .filter(|(_, value)| value.is_used());
    used.map(|(cpu, value)| (format!("cpu{cpu}"), value.json()))
        .collect()
}

impl<V: Record> Table for PerCpu<V> {
    fn count(&self) -> Result<u64, Error> {
        let is_used = |values: &&Vec<V>| values.iter().any(Record::is_used);
        Ok(self.all()?.iter().filter(is_used).count() as u64)
    }

    fn dump(&self) -> Result<Vec<EntryView>, Error> {
        let all = self.all()?;
        let used = all
            .iter()
            .enumerate()
            .filter(|(_, values)| values.iter().any(Record::is_used));
        Ok(used
            .map(|(key, values)| EntryView {
                key: key.to_string(),
                value: by_cpu(values),
            })
            .collect())
    }

    fn get(&self, key: &str) -> Result<Option<EntryView>, Error> {
        let values = PerCpu::get(self, index(&self.handle, key, self.entries_max())?)?;
        Ok(Some(EntryView {
            key: key.to_owned(),
            value: by_cpu(&values),
        }))
    }
}

impl Table for Devices {
    fn count(&self) -> Result<u64, Error> {
        Ok(self.dump()?.len() as u64)
    }

    fn dump(&self) -> Result<Vec<EntryView>, Error> {
        let entries = (0..self.entries_max()).map(|index| Table::get(self, &index.to_string()));
        entries.filter_map(Result::transpose).collect()
    }

    fn get(&self, key: &str) -> Result<Option<EntryView>, Error> {
        let found = Devices::get(self, index(&self.handle, key, self.entries_max())?)?;
        let value = |interface: u32| serde_json::json!({ "interface_index": interface });
        Ok(found.map(|interface| EntryView {
            key: key.to_owned(),
            value: value(interface),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_elsewhere() {
        assert_eq!(type_name("PerCpuArray"), "percpu-array");
        assert_eq!(type_name("Hash"), "hash");
        assert_eq!(type_name("RingBuf"), "ring-buf");
    }
}
