//! What was measured, round by round, and the medians of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::{Measurement, median};

use super::subject::{SUBJECTS, Subject};

/// Subjects that the others are compared with.
const BASELINES: [&str; 2] = ["plain", "vxlan"];

/// One line of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Case {
    /// Small packets.
    Packets,
    /// The processors' time that a small packet takes.
    Processor,
    /// One TCP stream, with the kernel's offloads where Inlay's topology has none.
    Stream,
    /// One TCP stream, all nodes without offloads.
    BareStream,
    /// Round trip, p50.
    RoundTripMiddle,
    /// Round trip, p99.
    RoundTripTail,
}

impl Case {
    fn name(self) -> &'static str {
        match self {
            Self::Packets => "64-byte packets",
            Self::Processor => "CPU per packet",
            Self::Stream => "TCP one stream",
            Self::BareStream => "TCP one stream, no offloads",
            Self::RoundTripMiddle => "round trip p50",
            Self::RoundTripTail => "round trip p99",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Packets => "packets/s",
            Self::Processor => "ns",
            Self::Stream | Self::BareStream => "Gbit/s",
            Self::RoundTripMiddle | Self::RoundTripTail => "us",
        }
    }
}

/// Values by case and subject, one a round.
#[derive(Debug, Default)]
pub(super) struct Samples(BTreeMap<(Case, &'static str), Vec<f64>>);

impl Samples {
    pub(super) fn add(&mut self, case: Case, subject: &'static Subject, value: f64) {
        self.0.entry((case, subject.name)).or_default().push(value);
    }

    /// One row for each case, subject and baseline; case by case, in the subjects' order.
    pub(super) fn measurements(&self) -> Vec<Measurement> {
        let cases: BTreeSet<_> = self.0.keys().map(|(case, _)| *case).collect();
        cases
            .into_iter()
            .flat_map(|case| self.of_case(case))
            .collect()
    }

    fn of_case(&self, case: Case) -> impl Iterator<Item = Measurement> {
        let names = SUBJECTS.iter().map(|subject| subject.name);
        names.flat_map(move |subject| {
            let baselines = BASELINES
                .into_iter()
                .filter(move |baseline| compares(subject, baseline));
            baselines.filter_map(move |baseline| self.measurement(case, subject, baseline))
        })
    }

    fn measurement(
        &self,
        case: Case,
        subject: &'static str,
        baseline: &'static str,
    ) -> Option<Measurement> {
        let values = self.0.get(&(case, subject))?;
        let baselines = self.0.get(&(case, baseline))?;
        let ratios = values
            .iter()
            .zip(baselines)
            .map(|(value, baseline)| value / baseline)
            .collect();
        Some(Measurement {
            bench: "network".to_owned(),
            case: case.name().to_owned(),
            subject: subject.to_owned(),
            value: median(values.clone()),
            unit: case.unit().to_owned(),
            baseline: baseline.to_owned(),
            ratio: median(ratios),
        })
    }
}

/// Each subject beside each baseline; of the baselines themselves only `plain` beside itself, so that it
/// has a row, and `vxlan` beside `plain`.
fn compares(subject: &str, baseline: &str) -> bool {
    let [first, _] = BASELINES;
    baseline == first || !BASELINES.contains(&subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(rows: [(usize, &[f64]); 3]) -> Samples {
        let mut samples = Samples::default();
        for (subject, values) in rows {
            for &value in values {
                samples.add(Case::Stream, &SUBJECTS[subject], value);
            }
        }
        samples
    }

    #[test]
    fn ratios_are_of_one_round_and_not_of_medians() {
        let all = samples([
            (0, &[1.0, 10.0, 4.0]),
            (1, &[2.0, 5.0, 8.0]),
            (3, &[1.0, 5.0, 8.0]),
        ]);
        let rows: Vec<_> = all
            .measurements()
            .into_iter()
            .map(|row| (row.subject, row.baseline, row.value, row.ratio))
            .collect();
        let row = |subject: &str, baseline: &str, value, ratio| {
            (subject.to_owned(), baseline.to_owned(), value, ratio)
        };
        let expected = [
            row("plain", "plain", 4.0, 1.0),
            row("vxlan", "plain", 5.0, 2.0),
            row("inlay", "plain", 5.0, 1.0),
            row("inlay", "vxlan", 5.0, 1.0),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_subject_that_was_not_measured_has_no_row() {
        let all = samples([(0, &[1.0]), (0, &[]), (2, &[])]);
        assert_eq!(all.measurements().len(), 1);
    }
}
