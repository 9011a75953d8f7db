//! Memory that was freed goes back to the system.

/// glibc keeps what lies between things that are still used: after the snapshot of a large network, that is most of the
/// snapshot.
#[cfg(target_env = "gnu")]
pub(super) fn give_back() {
    // SAFETY: it takes no pointer, and is safe to call from any thread at any time (malloc_trim(3), MT-Safe).
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other allocators do it by themselves.
#[cfg(not(target_env = "gnu"))]
pub(super) fn give_back() {}
