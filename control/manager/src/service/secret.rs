//! Secrets of bearer tokens, as the service uses them: `trust` makes them.

pub(super) use crate::trust::hint;

/// Longest secret that is looked at, in bytes.
pub(super) const LEN_BYTES_MAX: usize = 256;
