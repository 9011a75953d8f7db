//! Inlay beside what else joins two nodes on two hosts over an IPv6 fabric: plain IPv6, VXLAN and SRv6 as
//! the kernel has them (`netns-scripts/peers.sh`), all in network namespaces of this machine.
//!
//! Figures of one machine swing from minute to minute, so subjects take turns within a round, and what
//! counts is the median of the ratios within each round. The numbers are of a kernel that talks to itself:
//! there is no wire, so a peer's TCP segments of 64 KiB are never cut. Streams are therefore measured twice,
//! the second time without the offloads that Inlay's nodes never have.

mod load;
mod namespace;
mod path;
mod peers;
mod processor;
mod round_trip;
mod samples;
mod stream;
mod subject;

use anyhow::{Context as _, Result, ensure};

use crate::report::Measurement;

use path::Path;
use peers::{Offloads, Peers};
use samples::{Case, Samples};
use subject::{SUBJECTS, Subject};

/// How often everything may be measured; a round takes some fifteen seconds.
const ROUNDS_MAX: u32 = 1_000;

/// Measures one subject once.
type Measure = fn(&Path, &mut Samples) -> Result<()>;

/// What a round consists of.
const MEASURES: [(&str, Offloads, Measure); 4] = [
    ("packets", Offloads::Kernel, measure_load),
    ("stream", Offloads::Kernel, measure_stream),
    ("round trip", Offloads::Kernel, measure_round_trip),
    (
        "stream without offloads",
        Offloads::Bare,
        measure_bare_stream,
    ),
];

/// Measures all subjects in turns, `rounds` times. The peers are brought up and removed here; Inlay's
/// topology has to be up, and is left out, with a line of progress, where it is not.
///
/// # Errors
/// Where a subject cannot be brought up, or carries no packets.
pub(crate) fn run(rounds: u32, mut progress: impl FnMut(&str)) -> Result<Vec<Measurement>> {
    ensure!(
        (1..=ROUNDS_MAX).contains(&rounds),
        "rounds: 1 to {ROUNDS_MAX}, not {rounds}"
    );
    progress("bringing up plain, vxlan, srv6");
    let peers = Peers::up()?;
    let paths = open(&mut progress)?;
    let mut samples = Samples::default();
    for round in 1..=rounds {
        for (what, offloads, measure) in MEASURES {
            peers.set(offloads)?;
            for path in &paths {
                let step = format!("round {round} of {rounds}: {what}, {}", path.subject().name);
                progress(&step);
                measure(path, &mut samples).context(step)?;
            }
        }
    }
    Ok(samples.measurements())
}

/// The paths that are there. Each has carried a packet, so neighbours are resolved.
fn open(progress: &mut impl FnMut(&str)) -> Result<Vec<Path>> {
    let mut paths = Vec::with_capacity(SUBJECTS.len());
    for subject in &SUBJECTS {
        if !subject.is_up() {
            progress(&missing(subject));
            continue;
        }
        let path = Path::open(subject)?;
        path.warm_up()?;
        paths.push(path);
    }
    Ok(paths)
}

fn missing(subject: &Subject) -> String {
    let Subject { name, topology, .. } = subject;
    format!("skipped: {name}: its topology is not up; type cargo xtask up {topology}")
}

fn measure_load(path: &Path, samples: &mut Samples) -> Result<()> {
    let load = load::measure(path)?;
    samples.add(Case::Packets, path.subject(), load.packets_per_s);
    samples.add(Case::Processor, path.subject(), load.busy_ns_per_packet);
    Ok(())
}

fn measure_stream(path: &Path, samples: &mut Samples) -> Result<()> {
    samples.add(Case::Stream, path.subject(), stream::measure(path)?);
    Ok(())
}

fn measure_bare_stream(path: &Path, samples: &mut Samples) -> Result<()> {
    samples.add(Case::BareStream, path.subject(), stream::measure(path)?);
    Ok(())
}

fn measure_round_trip(path: &Path, samples: &mut Samples) -> Result<()> {
    let round_trip = round_trip::measure(path)?;
    samples.add(Case::RoundTripMiddle, path.subject(), round_trip.p50_us);
    samples.add(Case::RoundTripTail, path.subject(), round_trip.p99_us);
    Ok(())
}
