//! A port's share of the flow table: a ring of places, one a flow. A new flow takes the next place, and
//! whoever held it goes, so that a port can push out its own flows and nobody else's; and so that
//! nothing waits for user space to clean up.

use crate::{
    drop_reason::DropReason,
    flow::{FlowKey, FlowState},
    ids::Tick,
    tables::{Direction, PortRecord, PortState, Tables},
};

/// Places that are looked at before one is taken from a live flow.
const TRIES: u32 = 4;

/// Takes a place for `key`. The last try's place is taken whoever holds it.
///
/// The place is given to the new flow before the old one is removed: so another CPU that writes the old flow
/// back meanwhile finds, afterwards, that its place is gone ([`keep`]).
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
    let mut holder = None;
    for attempt in 0..TRIES {
        let head = tables.count_up(&state.ring_head);
        place = port.ring_base + (head as u32 & port.ring_mask);
        holder = tables.ring(place);
        if attempt == TRIES - 1 || !is_held(tables, slot, place, holder, now) {
            break;
        }
    }
    tables.put_ring(place, key);
    if let Some(holder) = holder.filter(|holder| holder != key && !holder.is_unused()) {
        remove(tables, place, &holder);
    }
    Ok(place)
}

/// Whether a live flow of the port holds `place`. Half open, unanswered and closed ones do not count.
#[inline(always)]
fn is_held<T: Tables>(
    tables: &T,
    slot: u32,
    place: u32,
    holder: Option<FlowKey>,
    now: Tick,
) -> bool {
    let Some(holder) = holder.filter(|holder| !holder.is_unused()) else {
        return false;
    };
    let Some(flow) = tables.flow(&holder) else {
        return false;
    };
    let record = flow.record();
    let is_open = !matches!(
        record.state(),
        FlowState::OneWay | FlowState::SynSent | FlowState::Closed
    );
    record.ring == place && record.port == slot && is_open && !record.is_expired(now)
}

/// Removes the flow of `holder`, if it still claims `place`.
#[inline(always)]
fn remove<T: Tables>(tables: &T, place: u32, holder: &FlowKey) {
    if tables
        .flow(holder)
        .is_some_and(|flow| flow.record().ring == place)
    {
        tables.remove_flow(holder);
    }
}

/// Removes a flow that was just written where its place went to another meanwhile: no flow is in the table
/// without a place, or nobody would ever remove it.
#[inline(always)]
pub fn keep<T: Tables>(tables: &T, place: u32, key: &FlowKey) {
    if tables.may_write() && tables.ring(place) != Some(*key) {
        tables.remove_flow(key);
    }
}

/// Whether a port may start one more flow in this second, each direction by itself: its peers cannot spend
/// what it may start. CPUs may race at the turn of a second: the
/// limit is then off by as many as there are.
#[inline(always)]
pub fn may_start<T: Tables>(
    tables: &T,
    state: &PortState,
    direction: Direction,
    limit: u32,
    now: Tick,
) -> bool {
    if !tables.may_write() {
        return true;
    }
    let window = now.0 >> 6;
    if state.window.get() != window {
        state.window.set(window);
        state.started_outbound.set(0);
        state.started_inbound.set(0);
    }
    let started = match direction {
        Direction::Outbound => &state.started_outbound,
        Direction::Inbound => &state.started_inbound,
    };
    tables.count_up(started) < u64::from(limit)
}
