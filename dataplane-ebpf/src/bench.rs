//! Programs that measure the others under `BPF_PROG_TEST_RUN`, which does not restore the packet
//! between its repetitions: a wrapper does, varies the flow, and tail-calls the program to measure.

#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(not(target_arch = "bpf"), allow(dead_code, unused_imports))]
#![allow(missing_docs, reason = "see docs/benchmarks.md")]
#![allow(unreachable_pub, reason = "the macros export what the kernel loads")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::inline_always,
    clippy::needless_pass_by_value,
    reason = "as in main.rs"
)]

#[path = "context.rs"]
mod context;

use aya_ebpf::{
    bindings::{xdp_action, xdp_md},
    btf_maps::{Array, ProgramArray},
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use inlay_core::{
    ids::{HostPrefix, MacAddress, VirtualIp},
    linear::{self, Linear as _},
    packet::Packet,
    pipeline::{parse, translate},
    substrate::{SubstrateAddress, Tag},
    wire::l4::Transport,
};

use crate::context::XdpBuffer;

/// Bytes at the packet's start that the wrapper restores: every header that a program reads or writes.
pub const HEAD: usize = 96;

/// What the wrapper does; see `bench/src/wrapper.rs`, which has the same layout.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Plan {
    /// The packet's length.
    pub len_bytes: u32,
    /// Offset of the word that holds both transport ports; 0 leaves them alone.
    pub ports_at: u32,
    /// Flows to go through, a power of two, less one.
    pub flows_mask: u32,
    /// 1 where the packet comes from the other side, whose port is then the first.
    pub is_inbound: u32,
    /// The packet's first bytes.
    pub head: [u64; HEAD / 8],
}

#[btf_map]
static PLAN: Array<Plan, 1> = Array::new();
/// How many packets were made.
#[btf_map]
static MADE: Array<u64, 1> = Array::new();
#[btf_map]
static TARGET: ProgramArray<1> = ProgramArray::new();

/// Restores the packet, then runs the target.
#[xdp(frags)]
pub fn bench_wrapper(context: XdpContext) -> u32 {
    match restore(context.ctx) {
        Some(()) => {
            // SAFETY: the target is a program of the same type; on success nothing here goes on.
            unsafe { TARGET.tail_call(&context, 0) };
            xdp_action::XDP_ABORTED
        }
        None => xdp_action::XDP_ABORTED,
    }
}

#[inline(always)]
fn restore(context: *mut xdp_md) -> Option<()> {
    let plan = PLAN.get(0)?;
    let mut buffer = XdpBuffer(context);
    let now = buffer.frame(0).len_bytes.cast_signed();
    if !buffer.adjust_head(now.wrapping_sub(plan.len_bytes.cast_signed())) {
        return None;
    }
    let mut packet = buffer.packet();
    let mut window = packet.window::<HEAD>(0)?;
    macro_rules! words {
        ($($word:literal)*) => {$( window.set_u64::<{ $word * 8 }>(plan.head[$word]); )*};
    }
    words!(0 1 2 3 4 5 6 7 8 9 10 11);
    vary(&mut packet, plan)
}

/// Another flow for every packet, in an order that no prefetcher follows.
#[inline(always)]
fn vary(packet: &mut Packet<'_>, plan: &Plan) -> Option<()> {
    let made = MADE.get_ptr_mut(0)?;
    // SAFETY: one measurement runs at a time, on one CPU.
    let number = unsafe {
        *made += 1;
        *made
    };
    if plan.ports_at == 0 {
        return Some(());
    }
    let flow = (number as u32).wrapping_mul(0x9e37_79b1) & plan.flows_mask;
    let mut ports = packet.window::<4>(plan.ports_at as usize & 0x7f)?;
    let flow = if plan.is_inbound == 0 {
        flow
    } else {
        flow.rotate_left(16)
    };
    ports.set_u32::<0>(flow.to_be());
    Some(())
}

/// Does nothing: what the wrapper itself costs.
#[xdp(frags)]
pub fn bench_empty(_context: XdpContext) -> u32 {
    xdp_action::XDP_TX
}

/// Translates outbound without looking anything up.
#[xdp(frags)]
pub fn bench_translate_outbound(context: XdpContext) -> u32 {
    let mut buffer = XdpBuffer(context.ctx);
    let frame = buffer.frame(0);
    let mut packet = buffer.packet();
    let Ok(header) = parse::ipv4(&mut packet, &frame) else {
        return xdp_action::XDP_DROP;
    };
    let Some(transport) = Transport::read(&mut packet, parse::L4, header.protocol) else {
        return xdp_action::XDP_DROP;
    };
    let address = |prefix, virtual_ip: VirtualIp| SubstrateAddress {
        prefix: HostPrefix(prefix),
        tag: Tag(0x0700_0004),
        virtual_ip,
    };
    let (from, to) = (
        address(0x01b8_0120, header.source),
        address(0x02b8_0120, header.destination),
    );
    let inlay = translate::inlay(&header, transport.ports, from, to);
    match linear::apply_inlay(&mut buffer, &inlay) {
        Ok(()) => xdp_action::XDP_TX,
        Err(_) => xdp_action::XDP_DROP,
    }
}

/// Translates inbound without looking anything up.
#[xdp(frags)]
pub fn bench_translate_inbound(context: XdpContext) -> u32 {
    let mut buffer = XdpBuffer(context.ctx);
    let frame = buffer.frame(0);
    let mut packet = buffer.packet();
    let Ok(header) = parse::ipv6(&mut packet, &frame) else {
        return xdp_action::XDP_DROP;
    };
    let Ok(substrate) = parse::substrate(&mut packet, header) else {
        return xdp_action::XDP_DROP;
    };
    let restore = translate::restore(&substrate, MacAddress(0x0201_0001_0002));
    match linear::apply_restore(&mut buffer, &restore) {
        Ok(()) => xdp_action::XDP_TX,
        Err(_) => xdp_action::XDP_DROP,
    }
}

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// So that commands over the whole workspace pass on the host; the programs are for the kernel.
#[cfg(not(target_arch = "bpf"))]
fn main() {}
