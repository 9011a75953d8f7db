//! The shapes of the maps: what the object wants, and what is pinned. The kernel and aya take a pinned map
//! of any shape without a word.

use std::{collections::BTreeMap, path::Path};

use aya::maps::{MapInfo, MapType};
use aya_obj::generated::bpf_map_type;

use crate::{Error, OBJECT};

/// Raise it when a record comes to mean something else without changing its size.
const LAYOUT: u32 = 1;

/// What must be equal for a pinned map to be used.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Shape {
    /// A `bpf_map_type`.
    pub map_type: u32,
    /// Bytes of a key.
    pub key_bytes: u32,
    /// Bytes of a value.
    pub value_bytes: u32,
    /// Entries, or bytes of a ring buffer.
    pub entries_max: u32,
    /// Flags of its creation.
    pub flags: u32,
}

/// The kernel sets it for every device map: programs do not write to them.
const READ_ONLY_FOR_PROGRAMS: u32 = 1 << 7;
/// Interface index and program, which the kernel takes in place of the index alone.
const DEVICE_BYTES: u32 = 8;

impl Shape {
    fn of_object(map: &aya_obj::Map) -> Self {
        let shape = Self {
            map_type: map.map_type(),
            key_bytes: map.key_size(),
            value_bytes: map.value_size(),
            entries_max: map.max_entries(),
            flags: map.map_flags(),
        };
        shape.normal()
    }

    fn of_info(info: &MapInfo) -> Result<Self, Error> {
        let shape = Self {
            map_type: info.map_type().map_err(Error::load)? as u32,
            key_bytes: info.key_size(),
            value_bytes: info.value_size(),
            entries_max: info.max_entries(),
            flags: info.map_flags(),
        };
        Ok(shape.normal())
    }

    /// The type, as `bpftool` calls it.
    #[must_use]
    pub fn type_name(&self) -> String {
        let known = bpf_map_type::try_from(self.map_type).ok();
        let known = known.and_then(|map_type| MapType::try_from(map_type).ok());
        let name = known.map(|map_type| crate::inspect::type_name(&format!("{map_type:?}")));
        name.unwrap_or_else(|| self.map_type.to_string())
    }

    /// Without what the kernel adds.
    fn normal(self) -> Self {
        if self.map_type == bpf_map_type::BPF_MAP_TYPE_DEVMAP as u32 {
            let flags = self.flags & !READ_ONLY_FOR_PROGRAMS;
            return Self {
                value_bytes: DEVICE_BYTES,
                flags,
                ..self
            };
        }
        self
    }
}

/// The pinned maps of the object, by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Schema {
    shapes: BTreeMap<String, Shape>,
}

impl Schema {
    /// What the object that is built in wants.
    ///
    /// # Errors
    /// Where the object cannot be read.
    pub fn of_object() -> Result<Self, Error> {
        let object = aya_obj::Object::parse(OBJECT).map_err(Error::load)?;
        let shapes = object
            .maps
            .iter()
            .filter(|(name, _)| is_pinned(name))
            .map(|(name, map)| (name.clone(), Shape::of_object(map)))
            .collect();
        Ok(Self { shapes })
    }

    /// The names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.shapes.keys().map(String::as_str)
    }

    /// The shape of a map.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<Shape> {
        self.shapes.get(name).copied()
    }

    /// Equal for equal schemas, whoever compiled this: FNV-1a, since std's own hash may change.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let text = format!("{LAYOUT} {:?}", self.shapes);
        let add = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        text.bytes().fold(0xcbf2_9ce4_8422_2325, add)
    }

    /// Why the maps pinned in `directory` cannot be used; empty where they can.
    pub(crate) fn differences(&self, directory: &Path) -> Vec<String> {
        let differs = |(name, wanted): (&String, &Shape)| {
            let info = MapInfo::from_pin(directory.join(name)).map_err(Error::load);
            match info.and_then(|info| Shape::of_info(&info)) {
                Ok(found) if found == *wanted => None,
                Ok(found) => Some(format!("{name} is {found:?}, not {wanted:?}")),
                Err(_) => Some(format!("{name} is not a pinned map")),
            }
        };
        self.shapes.iter().filter_map(differs).collect()
    }
}

/// Maps that outlive the process. The constants of the programs and the log are of one load.
fn is_pinned(name: &str) -> bool {
    !name.starts_with('.') && name != "AYA_LOGS"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_follows_every_field() {
        let shape = Shape {
            map_type: 2,
            key_bytes: 4,
            value_bytes: 8,
            entries_max: 16,
            flags: 0,
        };
        let hash = |shape: Shape| {
            Schema {
                shapes: BTreeMap::from([("A".to_owned(), shape)]),
            }
            .hash()
        };
        for other in [
            Shape {
                map_type: 1,
                ..shape
            },
            Shape {
                key_bytes: 8,
                ..shape
            },
            Shape {
                value_bytes: 4,
                ..shape
            },
            Shape {
                entries_max: 17,
                ..shape
            },
            Shape { flags: 1, ..shape },
        ] {
            assert_ne!(hash(shape), hash(other), "{other:?}");
        }
        assert_eq!(hash(shape), hash(shape));
    }

    #[test]
    fn the_object_has_the_maps_that_are_read_here() {
        let schema = Schema::of_object().unwrap();
        let names: Vec<&str> = schema.names().collect();
        for name in crate::maps::NAMES {
            assert!(names.contains(name), "{name}");
        }
    }
}
