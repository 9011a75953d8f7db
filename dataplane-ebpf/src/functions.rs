//! Functions that the verifier checks once, by themselves, whoever calls them: global ones, which take
//! and return numbers only. Inlined, or static, they would be walked through again on every path that
//! leads to them.

use inlay_core::{
    drop_reason::DropReason,
    ids::VirtualIp,
    pipeline::{account_drop, dhcp, track},
    policy::{self, Match, Question},
};

use crate::{maps, tables::KernelTables};

const FOUND: u64 = 1 << 32;
const ALLOW: u64 = 1 << 33;

/// Asks a policy. The answer is for [`from_answer`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn inlay_evaluate(policy: u32, remote: u32, groups: u32, service: u32) -> u64 {
    let tables = KernelTables::new(core::ptr::null_mut(), false);
    let question = Question {
        remote: VirtualIp(remote),
        groups,
        service,
    };
    match policy::evaluate(&tables, policy, &question) {
        None => 0,
        Some(Match { rule, allow }) => u64::from(rule) | FOUND | if allow { ALLOW } else { 0 },
    }
}

/// What `inlay_evaluate` found.
#[inline(always)]
pub fn from_answer(answer: u64) -> Option<Match> {
    if answer & FOUND == 0 {
        return None;
    }
    Some(Match {
        rule: answer as u32,
        allow: answer & ALLOW != 0,
    })
}

/// Lets the packet of this CPU's work pass: 0, or one more than the number of the drop's reason.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn inlay_track(is_dry: u32) -> u32 {
    let tables = KernelTables::new(core::ptr::null_mut(), is_dry != 0);
    let Some(work) = maps::work() else { return 1 };
    match track::track(&tables, work) {
        Ok(()) => 0,
        Err(reason) => 1 + reason as u32,
    }
}

/// Passes the DHCP request of this CPU's work: as [`inlay_track`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn inlay_pass_dhcp(is_dry: u32) -> u32 {
    let tables = KernelTables::new(core::ptr::null_mut(), is_dry != 0);
    let Some(work) = maps::work() else { return 1 };
    match dhcp::pass(&tables, work) {
        Ok(()) => 0,
        Err(reason) => 1 + reason as u32,
    }
}

/// Counts the drop of this CPU's work, and tells of it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn inlay_account_drop(reason: u32, is_dry: u32) -> u32 {
    let tables = KernelTables::new(core::ptr::null_mut(), is_dry != 0);
    let Some(work) = maps::work() else { return 1 };
    account_drop(
        &tables,
        work,
        DropReason::from_number_or_first(reason as u8),
    );
    0
}

/// The reason that `inlay_track` answered.
#[inline(always)]
pub fn reason(answer: u32) -> DropReason {
    DropReason::from_number_or_first(answer.wrapping_sub(1) as u8)
}
