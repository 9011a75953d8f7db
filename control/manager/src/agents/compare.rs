//! Compares what a host says it holds with what it should hold.

use std::collections::BTreeMap;

use inlay_api::wire::agent::ScopeState;

use crate::world::Held;

/// A scope that goes on to differ is sent again after 1, 2, 4 ... reports, at the latest after this many.
const PAUSE_MAX: u32 = 64;

/// How often scopes were found to differ, one after the other, and for how many reports each is left alone.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    streaks: BTreeMap<u32, Streak>,
}

#[derive(Clone, Copy, Debug)]
struct Streak {
    pause: u32,
    left: u32,
}

impl Comparison {
    /// The scopes that differ and are to be sent again. A host that cannot keep a scope as it is sent, for whatever
    /// fault, must not be sent it for ever.
    pub(super) fn differences(&mut self, held: &Held, reported: &[ScopeState]) -> Vec<u32> {
        let reported: BTreeMap<_, _> = reported.iter().map(|state| (state.vni, state)).collect();
        let mut different: Vec<_> = held
            .iter()
            .filter(|(vni, state)| {
                reported
                    .get(vni)
                    .is_none_or(|found| found.digest != state.digest)
            })
            .map(|(vni, _)| *vni)
            .collect();
        different.extend(reported.keys().filter(|vni| !held.contains_key(vni)));
        self.streaks.retain(|vni, _| different.contains(vni));
        different.retain(|vni| self.is_due(*vni));
        different
    }

    fn is_due(&mut self, vni: u32) -> bool {
        let Some(streak) = self.streaks.get_mut(&vni) else {
            self.streaks.insert(vni, Streak { pause: 1, left: 1 });
            return true;
        };
        if streak.left > 0 {
            streak.left -= 1;
            return false;
        }
        streak.pause = (streak.pause * 2).min(PAUSE_MAX);
        streak.left = streak.pause;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(vni: u32, digest: u64) -> ScopeState {
        ScopeState {
            vni,
            revision: 1,
            digest,
        }
    }

    fn held(states: &[ScopeState]) -> Held {
        states.iter().map(|state| (state.vni, *state)).collect()
    }

    #[test]
    fn what_is_other_missing_or_too_much_differs() {
        let held = held(&[state(0, 1), state(7, 2), state(8, 3)]);
        let mut comparison = Comparison::default();
        let same = [state(8, 3), state(0, 1), state(7, 2)];
        assert!(comparison.differences(&held, &same).is_empty());
        let reported = [state(0, 1), state(7, 9), state(9, 4)];
        assert_eq!(comparison.differences(&held, &reported), [7, 8, 9]);
    }

    #[test]
    fn what_differs_for_ever_is_sent_ever_more_rarely() {
        let held = held(&[state(7, 2)]);
        let mut comparison = Comparison::default();
        let mut due = |digest| {
            !comparison
                .differences(&held, &[state(7, digest)])
                .is_empty()
        };
        let sent: Vec<_> = (0..10).map(|_| due(1)).collect();
        let expected = [
            true, false, true, false, false, true, false, false, false, false,
        ];
        assert_eq!(sent, expected);
        assert!(!due(2), "it is right");
        assert!(due(1), "and begins anew");
    }
}
