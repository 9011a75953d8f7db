//! The XDP programs: read, ask the pipeline, apply.
//!
//! Each has a fast and a full function, which share a stack only with the few bytes of their caller.
//! What decides is in `inlay-core`; nothing here looks at a header.

#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(
    target_arch = "bpf",
    feature(core_intrinsics, asm_experimental_arch),
    allow(internal_features)
)]
#![cfg_attr(not(target_arch = "bpf"), allow(dead_code, unused_imports))]
#![allow(unreachable_pub, reason = "the macros export what the kernel loads")]
#![allow(
    missing_docs,
    reason = "programs and maps are documented in docs/maps.md and ARCHITECTURE.md"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::inline_always,
    clippy::needless_pass_by_value,
    reason = "as in inlay-core: no panic may be left, and packet pointers stay in one function"
)]

mod context;
mod functions;
mod maps;
mod tables;

use aya_ebpf::{
    bindings::{xdp_action, xdp_md},
    macros::xdp,
    programs::XdpContext,
};
use aya_log_ebpf::debug;
use inlay_core::{
    drop_reason::DropReason,
    linear::{self, Linear as _},
    pipeline::{
        self, Work,
        fast::{self, Fast},
    },
    rewrite::Verdict,
    tables::{Direction, Tables as _},
};

use crate::{context::XdpBuffer, tables::KernelTables};

/// Packets that `explain` makes come from the loopback device, where no program is attached. They
/// impersonate the interface that the map `EXPLAIN` names.
const LOOPBACK: u32 = 1;

/// What a function returns that has not decided.
const DECLINED: u32 = u32::MAX;

/// On the host's side of every port.
#[xdp(frags)]
pub fn inlay_outbound(context: XdpContext) -> u32 {
    let interface_index = XdpBuffer(context.ctx).interface_index();
    if interface_index == LOOPBACK {
        return inlay_full_outbound(context.ctx, explained(), 1);
    }
    match fast_outbound(context.ctx, interface_index) {
        DECLINED => inlay_full_outbound(context.ctx, interface_index, 0),
        action => action,
    }
}

/// On every uplink.
#[xdp(frags)]
pub fn inlay_inbound(context: XdpContext) -> u32 {
    let interface_index = XdpBuffer(context.ctx).interface_index();
    if interface_index == LOOPBACK {
        return inlay_full_inbound(context.ctx, explained(), 1);
    }
    match fast_inbound(context.ctx, interface_index) {
        DECLINED => inlay_full_inbound(context.ctx, interface_index, 0),
        action => action,
    }
}

/// In a node that has no GRO, so that frames can be redirected to its interface.
#[xdp(frags)]
pub fn inlay_pass(_context: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

#[inline(always)]
fn explained() -> u32 {
    maps::EXPLAIN.get(0).copied().unwrap_or(0)
}

#[inline(never)]
fn fast_outbound(context: *mut xdp_md, interface_index: u32) -> u32 {
    let mut buffer = XdpBuffer(context);
    let tables = KernelTables::new(context, false);
    let frame = buffer.frame(interface_index);
    match fast::outbound(&tables, &mut buffer.packet(), &frame) {
        Fast::Done(outbound) => {
            let applied = linear::apply_inlay(&mut buffer, &outbound.inlay);
            leave(
                &tables,
                outbound.network,
                Direction::Outbound,
                outbound.device,
                applied,
            )
        }
        Fast::Drop(network, reason) if !tables.may_send_event() => {
            tables.count_drop(network, Direction::Outbound, reason);
            xdp_action::XDP_DROP
        }
        Fast::Drop(..) | Fast::Decline => DECLINED,
    }
}

#[inline(never)]
fn fast_inbound(context: *mut xdp_md, interface_index: u32) -> u32 {
    let mut buffer = XdpBuffer(context);
    let tables = KernelTables::new(context, false);
    let frame = buffer.frame(interface_index);
    let Some(inbound) = fast::inbound(&tables, &mut buffer.packet(), &frame) else {
        return DECLINED;
    };
    let applied = linear::apply_restore(&mut buffer, &inbound.restore);
    leave(
        &tables,
        inbound.network,
        Direction::Inbound,
        inbound.port,
        applied,
    )
}

/// The end of the fast path: what still fails is counted, without an event.
#[inline(always)]
fn leave(
    tables: &KernelTables,
    network: u32,
    direction: Direction,
    device: u32,
    applied: Result<(), DropReason>,
) -> u32 {
    let reason = match applied.and_then(|()| redirect(device)) {
        Ok(action) => return action,
        Err(reason) => reason,
    };
    tables.count_drop(network, direction, reason);
    xdp_action::XDP_DROP
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn inlay_full_outbound(context: *mut xdp_md, interface_index: u32, is_dry: u32) -> u32 {
    let mut buffer = XdpBuffer(context);
    let tables = KernelTables::new(context, is_dry != 0);
    let Some(work) = maps::work() else {
        return xdp_action::XDP_DROP;
    };
    work.start(buffer.frame(interface_index), Direction::Outbound);
    let decided = pipeline::outbound(&tables, &mut buffer.packet(), work);
    let action = finish(&mut buffer, work, is_dry, decided);
    trace(context, "outbound", interface_index, action);
    action
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn inlay_full_inbound(context: *mut xdp_md, interface_index: u32, is_dry: u32) -> u32 {
    let mut buffer = XdpBuffer(context);
    let tables = KernelTables::new(context, is_dry != 0);
    let Some(work) = maps::work() else {
        return xdp_action::XDP_DROP;
    };
    work.start(buffer.frame(interface_index), Direction::Inbound);
    let decided = pipeline::inbound(&tables, &mut buffer.packet(), work);
    let action = finish(&mut buffer, work, is_dry, decided);
    trace(context, "inbound", interface_index, action);
    action
}

/// The debug trace of packets that take the full pipeline. The level is a constant of the load: unless it
/// was asked for, the verifier removes this.
#[inline(always)]
fn trace(context: *mut xdp_md, direction: &str, interface_index: u32, action: u32) {
    let context = XdpContext::new(context);
    debug!(
        &context,
        "{} at interface {}: action {}", direction, interface_index, action
    );
}

/// The one place that turns a decision into an action.
#[inline(always)]
fn finish(
    buffer: &mut XdpBuffer,
    work: &Work,
    is_dry: u32,
    decided: Result<Verdict, DropReason>,
) -> u32 {
    let applied = match decided {
        Ok(verdict) => linear::apply(buffer, &work.rewrite).map(|()| verdict),
        Err(reason) => Err(reason),
    };
    let left = match applied {
        Ok(Verdict::Pass) => return xdp_action::XDP_PASS,
        Ok(Verdict::Reply) => {
            if let Some(reason) = work.told {
                functions::inlay_account_drop(reason as u32, is_dry);
            }
            answer(work)
        }
        Ok(Verdict::Deliver(device) | Verdict::Send(device)) => redirect(device),
        Err(reason) => Err(reason),
    };
    let reason = match left {
        Ok(action) => return action,
        Err(reason) => reason,
    };
    functions::inlay_account_drop(reason as u32, is_dry);
    xdp_action::XDP_DROP
}

#[inline(always)]
fn redirect(device: u32) -> Result<u32, DropReason> {
    maps::DEVICES
        .redirect(device, 0)
        .map_err(|_| DropReason::NoDevice)
}

/// Back to the node, by a redirect to its port. `XDP_TX` would do on a NIC, but a veth whose peer has GRO
/// and no program of its own leaves such frames in the peer's ring until something else wakes it.
#[inline(always)]
fn answer(work: &Work) -> Result<u32, DropReason> {
    redirect(work.subject.port)
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
