//! A packet as the verifier understands it: a start and an end pointer, and no access that was not
//! compared with the end first.
//!
//! The same code runs over an XDP buffer in the kernel and over a slice in user space. This is the
//! one file of the crate that may use `unsafe`. It knows no protocol.

#![expect(unsafe_code, reason = "packet memory is reached through raw pointers")]

use core::marker::PhantomData;

/// The bytes of one frame, from its Ethernet header on, exclusively borrowed for `'a`.
///
/// In a multi-buffer frame this is the linear part, which holds the headers.
pub struct Packet<'a> {
    start: *mut u8,
    end: *mut u8,
    borrow: PhantomData<&'a mut [u8]>,
}

impl<'a> Packet<'a> {
    /// A packet over `bytes`.
    #[must_use]
    pub fn new(bytes: &'a mut [u8]) -> Self {
        let range = bytes.as_mut_ptr_range();
        Self {
            start: range.start,
            end: range.end,
            borrow: PhantomData,
        }
    }

    /// A packet over the addresses `start..end`, as an XDP context gives them.
    ///
    /// # Safety
    /// `start..end` is readable and writable memory of nobody else for `'a`, and `start <= end`.
    #[inline(always)]
    #[must_use]
    pub unsafe fn from_addresses(start: usize, end: usize) -> Self {
        Self {
            start: start as *mut u8,
            end: end as *mut u8,
            borrow: PhantomData,
        }
    }

    /// Bytes in the linear part.
    #[inline(always)]
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        (self.end as usize).wrapping_sub(self.start as usize)
    }

    /// `N` bytes at `offset`, where the packet has them. `offset` must be a constant, or a value
    /// masked to fewer than 16 bits, for the verifier to follow it.
    #[inline(always)]
    #[must_use]
    pub fn window<const N: usize>(&mut self, offset: usize) -> Option<Window<'_, N>> {
        let at = self.start.wrapping_add(offset);
        if at.wrapping_add(N) > self.end {
            return None;
        }
        Some(Window {
            at,
            borrow: PhantomData,
        })
    }
}

/// `N` bytes of a packet. Offsets are checked by the compiler, so that no access carries a bounds
/// check or a panic into the program.
pub struct Window<'a, const N: usize> {
    at: *mut u8,
    borrow: PhantomData<&'a mut [u8; N]>,
}

macro_rules! accessors {
    ($($get:ident $set:ident $word:ty;)*) => {$(
        #[doc = concat!("The `", stringify!($word), "` at `OFFSET`, its bytes in memory order.")]
        #[inline(always)]
        #[must_use]
        pub fn $get<const OFFSET: usize>(&self) -> $word {
            const { assert!(OFFSET + size_of::<$word>() <= N) }
            // SAFETY: `Packet::window` compared `at + N` with the packet's end, the line above
            // keeps the access below `N`, and the window borrows the packet.
            unsafe { load(self.at.wrapping_add(OFFSET)) }
        }

        #[doc = concat!("Writes the `", stringify!($word), "` at `OFFSET`, in memory order.")]
        #[inline(always)]
        pub fn $set<const OFFSET: usize>(&mut self, value: $word) {
            const { assert!(OFFSET + size_of::<$word>() <= N) }
            // SAFETY: as for reading, and the borrow is exclusive.
            unsafe { store(self.at.wrapping_add(OFFSET), value) }
        }
    )*};
}

impl<const N: usize> Window<'_, N> {
    accessors! {
        u8 set_u8 u8;
        u16 set_u16 u16;
        u32 set_u32 u32;
        u64 set_u64 u64;
    }

    /// The 16-bit number at `OFFSET` in network byte order.
    #[inline(always)]
    #[must_use]
    pub fn be16<const OFFSET: usize>(&self) -> u16 {
        u16::from_be(self.u16::<OFFSET>())
    }

    /// Writes a 16-bit number at `OFFSET` in network byte order.
    #[inline(always)]
    pub fn set_be16<const OFFSET: usize>(&mut self, value: u16) {
        self.set_u16::<OFFSET>(value.to_be());
    }
}

/// One load instruction, at any alignment.
///
/// # Safety
/// `at` points at `size_of::<T>()` readable bytes.
#[inline(always)]
unsafe fn load<T: Copy>(at: *const u8) -> T {
    // `read_unaligned` would become one load a byte for BPF, whose backend expects alignment.
    #[cfg(target_arch = "bpf")]
    // SAFETY: the caller's; the kernel refuses the program on machines where packet memory may not
    // be read at any alignment.
    unsafe {
        at.cast::<T>().read()
    }
    #[cfg(not(target_arch = "bpf"))]
    // SAFETY: the caller's.
    unsafe {
        at.cast::<T>().read_unaligned()
    }
}

/// One store instruction, at any alignment.
///
/// # Safety
/// `at` points at `size_of::<T>()` writable bytes.
#[inline(always)]
unsafe fn store<T: Copy>(at: *mut u8, value: T) {
    #[cfg(target_arch = "bpf")]
    // SAFETY: the caller's; alignment as in `load`.
    unsafe {
        at.cast::<T>().write(value);
    }
    #[cfg(not(target_arch = "bpf"))]
    // SAFETY: the caller's.
    unsafe {
        at.cast::<T>().write_unaligned(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_past_the_end_is_none() {
        let mut bytes = [0u8; 10];
        let mut packet = Packet::new(&mut bytes);
        assert!(packet.window::<10>(0).is_some());
        assert!(packet.window::<10>(1).is_none());
        assert!(packet.window::<1>(10).is_none());
        assert!(packet.window::<0>(10).is_some());
    }

    #[test]
    fn words_are_in_memory_order_and_be16_in_network_order() {
        let mut bytes = [1u8, 2, 3, 4, 5, 6, 7, 8, 9];
        let mut packet = Packet::new(&mut bytes);
        let mut window = packet.window::<9>(0).unwrap();
        assert_eq!(window.u32::<1>(), u32::from_ne_bytes([2, 3, 4, 5]));
        assert_eq!(window.be16::<3>(), 0x0405);
        window.set_be16::<0>(0xaabb);
        window.set_u64::<1>(u64::from_ne_bytes([9; 8]));
        assert_eq!(bytes, [0xaa, 9, 9, 9, 9, 9, 9, 9, 9]);
    }
}
