//! Rules as bit vectors (Lakshman and Stiliadis, SIGCOMM 1998): each of three questions - which
//! address, which groups, which service - has a table of intervals, whose answer is a row with one
//! bit a rule. The rules that match are those set in all; of them the first decides.
//!
//! A search always takes `SEARCH_STEPS` halvings and always compares whole rows, so that a new flow
//! costs the same under 10 rules and under 1,000.

use crate::{
    ids::VirtualIp,
    tables::{
        Direction, Tables,
        limits::SEARCH_STEPS,
        records::{Interval, Span},
    },
};

/// The rule that decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Match {
    /// Its number in the policy.
    pub rule: u32,
    /// Whether it allows.
    pub allow: bool,
}

/// What a rule is asked about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Question {
    /// The other side's address.
    pub remote: VirtualIp,
    /// The other side's set of groups.
    pub groups: u32,
    /// See [`service_point`].
    pub service: u32,
}

/// The point of the services' line: direction, protocol, then destination port or ICMP type and code.
#[inline(always)]
#[must_use]
pub const fn service_point(direction: Direction, protocol: u8, service: u16) -> u32 {
    (direction as u32) << 24 | (protocol as u32) << 16 | service as u32
}

/// The interval of `span` that holds `point`.
#[inline(always)]
pub fn search<T: Tables>(tables: &T, span: Span, point: u32) -> Option<Interval> {
    if span.count == 0 {
        return None;
    }
    let mut low = span.base;
    let mut count = span.count;
    let mut found = Interval { start: 0, value: 0 };
    // A counter as wide as a stack slot: the verifier loses track of one that shares its slot.
    let mut step = 0u64;
    while step <= u64::from(SEARCH_STEPS) {
        step += 1;
        let half = count >> 1;
        let probe = tables.interval(low + half)?;
        if probe.start <= point {
            found = probe;
            low += half;
            count -= half;
        } else {
            count = half;
        }
    }
    Some(found)
}

/// The first rule of `policy` that matches, if any does.
#[inline(always)]
pub fn evaluate<T: Tables>(tables: &T, policy: u32, question: &Question) -> Option<Match> {
    let policy = tables.policy(policy)?;
    if policy.rules == 0 {
        return None;
    }
    let addresses =
        tables.row(search(tables, policy.addresses, question.remote.number())?.value)?;
    let groups = tables.row(search(tables, policy.groups, question.groups)?.value)?;
    let services = tables.row(search(tables, policy.services, question.service)?.value)?;
    let allow = tables.row(policy.allow)?;
    let (mut bits, mut base, mut allowed) = (0, 0, 0);
    // From the last word to the first, so that the first one set is what remains.
    let mut word = addresses.0.len();
    while word > 0 {
        word -= 1;
        let matching = (addresses.0[word] | groups.0[word]) & services.0[word];
        if matching != 0 {
            (bits, base, allowed) = (matching, word as u32 * 64, allow.0[word]);
        }
    }
    if bits == 0 {
        return None;
    }
    let lowest = bits & bits.wrapping_neg();
    Some(Match {
        rule: base + position(lowest),
        allow: allowed & lowest != 0,
    })
}

/// The position of the one bit that is set. BPF has no instruction for it.
#[inline(always)]
const fn position(bit: u64) -> u32 {
    let mut at = 0;
    if bit & 0xffff_ffff_0000_0000 != 0 {
        at += 32;
    }
    if bit & 0xffff_0000_ffff_0000 != 0 {
        at += 16;
    }
    if bit & 0xff00_ff00_ff00_ff00 != 0 {
        at += 8;
    }
    if bit & 0xf0f0_f0f0_f0f0_f0f0 != 0 {
        at += 4;
    }
    if bit & 0xcccc_cccc_cccc_cccc != 0 {
        at += 2;
    }
    if bit & 0xaaaa_aaaa_aaaa_aaaa != 0 {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_of_every_bit() {
        for at in 0..64 {
            assert_eq!(position(1 << at), at);
        }
    }
}
