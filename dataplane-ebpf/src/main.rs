//! The XDP programs: read, ask the pipeline, apply.
//!
//! Each has a fast and a full function, which share a stack only with the few bytes of their caller.
//! What decides is in `inlay-core`; nothing here looks at a header.

#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(target_arch = "bpf", feature(core_intrinsics), allow(internal_features))]
#![cfg_attr(not(target_arch = "bpf"), allow(dead_code, unused_imports, missing_docs))]
#![allow(unreachable_pub, reason = "the macros export what the kernel loads")]
#![allow(missing_docs, reason = "programs and maps are documented in docs/maps.md and ARCHITECTURE.md")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::inline_always,
    clippy::missing_const_for_fn,
    reason = "as in inlay-core: no panic may be left, and packet pointers stay in one function"
)]

mod context;
mod maps;
mod tables;

use aya_ebpf::{
    bindings::{xdp_action, xdp_md},
    macros::xdp,
    programs::XdpContext,
};
use inlay_core::{
    drop_reason::DropReason,
    linear::{self, Linear as _},
    pipeline::{
        self, Work, account_drop,
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
        return full_outbound(context.ctx, explained(), true);
    }
    match fast_outbound(context.ctx, interface_index) {
        DECLINED => full_outbound(context.ctx, interface_index, false),
        action => action,
    }
}

/// On every uplink.
#[xdp(frags)]
pub fn inlay_inbound(context: XdpContext) -> u32 {
    let interface_index = XdpBuffer(context.ctx).interface_index();
    if interface_index == LOOPBACK {
        return full_inbound(context.ctx, explained(), true);
    }
    match fast_inbound(context.ctx, interface_index) {
        DECLINED => full_inbound(context.ctx, interface_index, false),
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
        Fast::Done(outbound) => match linear::apply_inlay(&mut buffer, &outbound.inlay) {
            Ok(()) => redirect(outbound.device),
            Err(_) => xdp_action::XDP_DROP,
        },
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
    let Some(inbound) = fast::inbound(&tables, &mut buffer.packet(), &frame) else { return DECLINED };
    match linear::apply_restore(&mut buffer, &inbound.restore) {
        Ok(()) => redirect(inbound.port),
        Err(_) => xdp_action::XDP_DROP,
    }
}

#[inline(never)]
fn full_outbound(context: *mut xdp_md, interface_index: u32, is_dry: bool) -> u32 {
    let mut buffer = XdpBuffer(context);
    let tables = KernelTables::new(context, is_dry);
    let Some(work) = work() else { return xdp_action::XDP_DROP };
    work.start(buffer.frame(interface_index), Direction::Outbound);
    let decided = pipeline::outbound(&tables, &mut buffer.packet(), work);
    finish(&mut buffer, &tables, work, decided)
}

#[inline(never)]
fn full_inbound(context: *mut xdp_md, interface_index: u32, is_dry: bool) -> u32 {
    let mut buffer = XdpBuffer(context);
    let tables = KernelTables::new(context, is_dry);
    let Some(work) = work() else { return xdp_action::XDP_DROP };
    work.start(buffer.frame(interface_index), Direction::Inbound);
    let decided = pipeline::inbound(&tables, &mut buffer.packet(), work);
    finish(&mut buffer, &tables, work, decided)
}

/// This CPU's scratch: more than a stack holds.
#[inline(always)]
fn work() -> Option<&'static mut Work> {
    let work = maps::WORK.get_ptr_mut(0)?;
    // SAFETY: a program runs to its end before another starts on this CPU, and takes this once.
    // `start` writes what is read before anything else of it is: in what an earlier packet left,
    // and in a fresh map's zeros, every field holds a valid value.
    Some(unsafe { &mut *work })
}

/// The one place that turns a decision into an action.
#[inline(always)]
fn finish(
    buffer: &mut XdpBuffer,
    tables: &KernelTables,
    work: &Work,
    decided: Result<Verdict, DropReason>,
) -> u32 {
    let applied = match decided {
        Ok(verdict) => linear::apply(buffer, &work.rewrite).map(|()| verdict),
        Err(reason) => Err(reason),
    };
    let reason = match applied {
        Ok(Verdict::Pass) => return xdp_action::XDP_PASS,
        Ok(Verdict::Reply) => return xdp_action::XDP_TX,
        Ok(Verdict::Deliver(device) | Verdict::Send(device)) => match redirect(device) {
            xdp_action::XDP_REDIRECT => return xdp_action::XDP_REDIRECT,
            _ => DropReason::NoDevice,
        },
        Err(reason) => reason,
    };
    account_drop(tables, work, reason);
    xdp_action::XDP_DROP
}

#[inline(always)]
fn redirect(device: u32) -> u32 {
    maps::DEVICES.redirect(device, u64::from(xdp_action::XDP_DROP)).unwrap_or(xdp_action::XDP_DROP)
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
