//! A digest of a set of resources that costs the same however large the set is: the sum of a hash of each.
//!
//! It tells accidents apart (a lost change, a torn file), and is no defence against whoever can choose
//! resources: those come from the manager over TLS.

use std::ops::{AddAssign, SubAssign};

use sha2::{Digest as _, Sha256};

use super::ResourceId;

/// Of a set of resources of one scope. The order in which they came and went does not matter.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Digest(pub u64);

impl AddAssign for Digest {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl SubAssign for Digest {
    fn sub_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_sub(other.0);
    }
}

/// The digest of the set that holds one resource alone: the first 8 bytes, big-endian, of the SHA-256 of kind
/// (4 bytes, big-endian), length of the key (4 bytes, big-endian), key and value.
#[must_use]
pub fn resource_digest(id: &ResourceId, value: &[u8]) -> Digest {
    let key = id.key.as_bytes();
    let mut hash = Sha256::new();
    hash.update((id.kind as i32).to_be_bytes());
    hash.update(u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes());
    hash.update(key);
    hash.update(value);
    let hash = hash.finalize();
    let first = hash.first_chunk().copied().unwrap_or_default();
    Digest(u64::from_be_bytes(first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::agent::Kind;

    fn of(key: &str, value: &[u8]) -> Digest {
        let id = ResourceId {
            kind: Kind::Node,
            key: key.into(),
        };
        resource_digest(&id, value)
    }

    #[test]
    fn what_is_taken_out_again_leaves_no_trace() {
        let mut digest = Digest::default();
        digest += of("a", b"1");
        let alone = digest;
        digest += of("b", b"2");
        assert_ne!(digest, alone);
        digest -= of("b", b"2");
        assert_eq!(digest, alone);
    }

    #[test]
    fn key_and_value_do_not_run_into_each_other() {
        assert_ne!(of("a", b"b1"), of("ab", b"1"));
        assert_ne!(of("a", b"1"), of("a", b"2"));
    }
}
