//! A port's share of the flow table: a ring of places, one a flow. A new flow takes the next place, and
//! whoever held it goes, so that a port can push out its own flows and nobody else's; and so that
//! nothing waits for user space to clean up.

use crate::{
    drop_reason::DropReason,
    flow::FlowKey,
    ids::Tick,
    tables::{PortRecord, PortState, Tables},
};

/// Places that are looked at before one is taken from a live flow.
const TRIES: u32 = 4;

/// Takes a place for `key`. The last try's place is taken whoever holds it.
#[inline(always)]
pub fn take<T: Tables>(
    tables: &T,
    slot: u32,
    port: &PortRecord,
    key: &FlowKey,
    now: Tick,
) -> Result<u32, DropReason> {
    let state = tables.port_state(slot).ok_or(DropReason::FlowTableFull)?;
    let mut place = 0;
    for attempt in 0..TRIES {
        let head = tables.count_up(&state.ring_head);
        place = port.ring_base + (head as u32 & port.ring_mask);
        if vacate(tables, slot, place, now, attempt == TRIES - 1) {
            break;
        }
    }
    tables.put_ring(place, key);
    Ok(place)
}

/// Frees `place`, where nobody holds it, or its flow is over, or the caller must have it.
#[inline(always)]
fn vacate<T: Tables>(tables: &T, slot: u32, place: u32, now: Tick, must: bool) -> bool {
    let Some(holder) = tables.ring(place) else {
        return true;
    };
    if holder.is_unused() {
        return true;
    }
    let Some(flow) = tables.flow(&holder) else {
        return true;
    };
    let record = flow.record();
    if record.ring != place {
        return true;
    }
    // A flow of the port that had the place before is over, and goes too.
    let is_live = record.port == slot && record.state().is_settled() && !record.is_expired(now);
    if is_live && !must {
        return false;
    }
    tables.remove_flow(&holder);
    true
}

/// Whether a port may start one more flow in this second. CPUs may race at the turn of a second: the
/// limit is then off by as many as there are.
#[inline(always)]
pub fn may_start<T: Tables>(tables: &T, state: &PortState, limit: u32, now: Tick) -> bool {
    if !tables.may_write() {
        return true;
    }
    let window = now.0 >> 6;
    if state.window.get() != window {
        state.window.set(window);
        state.started.set(0);
    }
    tables.count_up(&state.started) < u64::from(limit)
}
