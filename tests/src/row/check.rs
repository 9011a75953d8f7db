//! Runs a row, and says what is wrong.

use std::{collections::BTreeMap, fmt::Write as _};

use inlay_core::{drop_reason::DropReason, tables::Direction};

use crate::{
    dataplane::{Dataplane, Outcome, XdpAction},
    row::{Before, Row},
};

impl Row {
    /// Runs the row. What is wrong, in lines.
    ///
    /// # Errors
    /// The lines, where there are some.
    pub fn check(&self, dataplane: &mut dyn Dataplane) -> Result<(), String> {
        let mut wrong = String::new();
        let mut world = self.world.clone();
        dataplane.load(&world);
        for (number, before) in self.before.iter().enumerate() {
            match before {
                Before::Frame(frame, is_dropped) => {
                    let outcome = dataplane.run(frame);
                    if (outcome.xdp_action() == XdpAction::Drop) != *is_dropped {
                        let drops = dataplane.counted().drops;
                        let _ = writeln!(
                            wrong,
                            "  before, step {number}: {:?}, {drops:?}",
                            outcome.action
                        );
                    }
                }
                Before::Wait(ticks) => dataplane.wait(*ticks),
                Before::Change(edit) => {
                    edit(&mut world);
                    dataplane.change(&world);
                }
                Before::RemoveDevice(device) => dataplane.remove_device(*device),
            }
        }
        dataplane.clear_counters();
        let outcome = dataplane.run(self.frame.as_ref().expect("a row has a frame"));
        self.compare(&outcome, dataplane, &mut wrong);
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn compare(&self, outcome: &Outcome, dataplane: &mut dyn Dataplane, wrong: &mut String) {
        let is_action = match outcome.action {
            Ok(action) => action == self.action,
            Err(action) => action == self.action.into(),
        };
        if !is_action {
            let _ = writeln!(
                wrong,
                "  verdict {:?}, expected {:?}",
                outcome.action, self.action
            );
        }
        if outcome.bytes != self.bytes {
            let _ = writeln!(
                wrong,
                "  bytes\n{}",
                difference(&outcome.bytes, &self.bytes)
            );
        }
        let counted = dataplane.counted();
        if counted != self.counted {
            let _ = writeln!(wrong, "  counted {counted:?}\n expected {:?}", self.counted);
        }
        let flows = dataplane.flows();
        if flows.len() != self.flows {
            let _ = writeln!(
                wrong,
                "  {} flows, expected {}: {flows:?}",
                flows.len(),
                self.flows
            );
        }
        self.compare_events(dataplane, wrong);
    }

    fn compare_events(&self, dataplane: &mut dyn Dataplane, wrong: &mut String) {
        let events = dataplane.events();
        let mut told = BTreeMap::new();
        for event in &events {
            let direction = if event.direction == 0 {
                Direction::Outbound
            } else {
                Direction::Inbound
            };
            let reason = DropReason::from_number(event.reason).expect("events have a reason");
            *told.entry((event.network, direction, reason)).or_default() += 1;
        }
        let is_told = told == self.counted.drops || self.may_be_untold && told.is_empty();
        if !is_told {
            let _ = writeln!(
                wrong,
                "  events {told:?}, expected {:?}",
                self.counted.drops
            );
        }
        let decided = events.first().map(|event| event.rule);
        if self.rule.is_some() && decided.is_some() && self.rule != decided {
            let _ = writeln!(wrong, "  rule {decided:?}, expected {:?}", self.rule);
        }
    }
}

/// Two frames in hexadecimal, and where they first differ.
#[must_use]
pub fn difference(got: &[u8], expected: &[u8]) -> String {
    let first = got.iter().zip(expected).position(|(a, b)| a != b);
    let first = first.unwrap_or(got.len().min(expected.len()));
    format!(
        "    got      {}\n    expected {}\n    differ at {first}",
        hex(got),
        hex(expected)
    )
}

/// Bytes in hexadecimal, 128 of them at most.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(128) {
        let _ = write!(text, "{byte:02x}");
    }
    if bytes.len() > 128 {
        let _ = write!(text, "... {} bytes", bytes.len());
    }
    text
}
