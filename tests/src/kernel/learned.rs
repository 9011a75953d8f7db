//! What the dataplane itself writes into the maps: forgotten between rows, and aged in place of a clock that
//! cannot be set.

use inlay_core::{
    flow::FlowKey,
    tables::{
        limits::FRAGMENTS_PER_PORT,
        records::{FragmentRecord, PortRecord},
    },
};
use inlay_dataplane::image::Image;

use crate::kernel::maps::Maps;

/// Slots of hosts that worlds use.
const HOSTS: u32 = 16;

/// The lower of the two words that lie in one.
fn low_half(word: u64) -> u32 {
    let [a, b, c, d, ..] = word.to_ne_bytes();
    u32::from_ne_bytes([a, b, c, d])
}

impl Maps {
    /// Forgets what the dataplane learned of a port.
    pub(super) fn forget_port(&mut self, slot: u32, port: &PortRecord) {
        self.port_states.set(slot, [0; 4], 0).unwrap();
        for place in port.ring_base..=port.ring_base + port.ring_mask {
            self.flow_rings.set(place, FlowKey::default(), 0).unwrap();
        }
        for place in slot * FRAGMENTS_PER_PORT..(slot + 1) * FRAGMENTS_PER_PORT {
            self.fragments
                .set(place, FragmentRecord::default(), 0)
                .unwrap();
        }
    }

    pub(super) fn forget_next_hops(&mut self) {
        for host in 0..HOSTS {
            self.next_hops.set(host, [0; 3], 0).unwrap();
        }
    }

    /// Makes everything older, which is as good as a later clock.
    pub(super) fn age(&mut self, content: &Image, ticks: u32) {
        for key in self.flow_keys() {
            let mut record = self.flows.get(&key, 0).unwrap();
            record.last_seen = record.last_seen.wrapping_sub(ticks);
            record.started = record.started.wrapping_sub(ticks);
            self.flows.insert(key, record, 0).unwrap();
        }
        for slot in content.ports.keys() {
            let mut state = self.port_states.get(slot, 0).unwrap();
            state[3] = u64::from(low_half(state[3]).wrapping_sub(ticks.div_ceil(64)));
            self.port_states.set(*slot, state, 0).unwrap();
            for place in slot * FRAGMENTS_PER_PORT..(slot + 1) * FRAGMENTS_PER_PORT {
                let mut record = self.fragments.get(&place, 0).unwrap();
                if record.used != 0 {
                    record.seen = record.seen.wrapping_sub(ticks);
                    self.fragments.set(place, record, 0).unwrap();
                }
            }
        }
        for host in 0..HOSTS {
            let mut next_hop = self.next_hops.get(&host, 0).unwrap();
            let renewed = low_half(next_hop[2]).wrapping_sub(ticks);
            next_hop[2] = next_hop[2] >> 32 << 32 | u64::from(renewed);
            self.next_hops.set(host, next_hop, 0).unwrap();
        }
    }
}
