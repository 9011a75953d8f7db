//! An XDP buffer as the core sees it.

use aya_ebpf::{
    bindings::xdp_md,
    helpers::generated::{bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_get_buff_len},
};
use inlay_core::{linear::Linear, packet::Packet, pipeline::Frame};

/// The kernel's context of one run.
pub struct XdpBuffer(pub *mut xdp_md);

impl XdpBuffer {
    /// The frame. Its length is asked of the kernel where it goes beyond the linear part.
    #[inline(always)]
    pub fn frame(&self, interface_index: u32) -> Frame {
        // SAFETY: the context is the program's own.
        let len_bytes = unsafe { bpf_xdp_get_buff_len(self.0) } as u32;
        Frame {
            interface_index,
            len_bytes,
        }
    }

    /// The interface that the frame came from.
    #[inline(always)]
    pub fn interface_index(&self) -> u32 {
        // SAFETY: as above.
        unsafe { (*self.0).ingress_ifindex }
    }
}

impl Linear for XdpBuffer {
    #[inline(always)]
    fn packet(&mut self) -> Packet<'_> {
        // SAFETY: the kernel gives `data..data_end` to this run alone; the borrow of `self` ends
        // before the head or tail is moved; and the verifier checks every access.
        unsafe { Packet::from_addresses((*self.0).data as usize, (*self.0).data_end as usize) }
    }

    #[inline(always)]
    fn adjust_head(&mut self, by: i32) -> bool {
        // SAFETY: no packet pointer outlives the call, see `packet`.
        unsafe { bpf_xdp_adjust_head(self.0, by) == 0 }
    }

    #[inline(always)]
    fn truncate(&mut self, len_bytes: u32) -> bool {
        // SAFETY: as above.
        unsafe {
            let now = bpf_xdp_get_buff_len(self.0) as u32;
            now >= len_bytes
                && bpf_xdp_adjust_tail(self.0, len_bytes.wrapping_sub(now).cast_signed()) == 0
        }
    }
}
