//! Nanoseconds a packet, above an empty program, in one thread of the kernel: no network, no other core.
//!
//! Every case runs in every round beside the empty program and the translation alone, and a case's
//! number is its median over the rounds.

use std::thread;

use anyhow::{Context as _, Result, ensure};
use aya::programs::ProgramFd;
use inlay_core::tables::limits::FLOWS_MAX;

use crate::{
    frames::{self, ACK, SYN, SYN_ACK},
    report::{Measurement, median},
    world::{World, WorldPlan},
    wrapper::{Stream, Wrapper},
};

const XDP_DROP: u32 = 1;
const XDP_REDIRECT: u32 = 4;

/// Packets of one measurement.
const PACKETS: u32 = 400_000;

/// Flows that are established: one, and what fits a cache less and less.
const FLOWS: [u32; 4] = [1, 1 << 12, 1 << 15, 1 << 19];

/// A case: the program, its packets, and the action that it must end in.
struct Case {
    name: String,
    target: ProgramFd,
    stream: Stream,
    action: u32,
}

/// All cases, each in a thread with a namespace of its own.
///
/// # Errors
/// Where the programs cannot be loaded, or do not do what is measured.
pub(crate) fn run(rounds: u32) -> Result<Vec<Measurement>> {
    let mut all = Vec::new();
    for flows in FLOWS {
        eprintln!("packets: {flows} established flows, {rounds} rounds");
        all.extend(in_thread(move || established(flows, rounds))?);
    }
    for rules in [10, 1000] {
        eprintln!("packets: new flows under {rules} rules, {rounds} rounds");
        all.extend(in_thread(move || new_flows(rules, rounds))?);
    }
    all.extend(in_thread(move || drops(rounds))?);
    Ok(all)
}

/// Does `work` in a thread of its own, which may move to another namespace.
///
/// # Errors
/// Those of `work`.
pub(crate) fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match thread::spawn(work).join() {
        Ok(done) => done,
        Err(_) => anyhow::bail!("a measuring thread panicked"),
    }
}

fn established(flows: u32, rounds: u32) -> Result<Vec<Measurement>> {
    let mut wrapper = Wrapper::load()?;
    let mut world = World::new(&WorldPlan {
        rules: 10,
        ring: flows.max(4096),
        flows_max: flows.max(FLOWS_MAX),
    })?;
    let (outbound, inbound) = (
        world.program("inlay_outbound")?,
        world.program("inlay_inbound")?,
    );
    let out = |flags| frames::outbound(&world, flags, flows);
    let into = |flags| frames::inbound(&world, flags, flows);
    for (target, stream) in [
        (&outbound, out(SYN)),
        (&inbound, into(SYN_ACK)),
        (&outbound, out(ACK)),
    ] {
        let (_, action) = wrapper.run(target, &stream, flows)?;
        ensure!(
            action == XDP_REDIRECT,
            "opening {flows} flows ended in action {action}"
        );
    }
    let name = |direction: &str| format!("established, {direction}, {flows} flows");
    let mut cases = vec![
        case(name("outbound"), outbound, out(ACK), XDP_REDIRECT),
        case(name("inbound"), inbound, into(ACK), XDP_REDIRECT),
    ];
    if flows == 1 {
        let own = |wrapper: &mut Wrapper, name: &str| wrapper.own(name);
        let target = own(&mut wrapper, "bench_translate_outbound")?;
        cases.push(case(
            "translate only, outbound".to_owned(),
            target,
            out(ACK),
            3,
        ));
        let target = own(&mut wrapper, "bench_translate_inbound")?;
        cases.push(case(
            "translate only, inbound".to_owned(),
            target,
            into(ACK),
            3,
        ));
    }
    let measured = measure(&mut wrapper, &cases, rounds)?;
    ensure!(
        world.established()? == flows,
        "not every flow was established"
    );
    Ok(measured)
}

fn new_flows(rules: u32, rounds: u32) -> Result<Vec<Measurement>> {
    let mut wrapper = Wrapper::load()?;
    let mut world = World::new(&WorldPlan {
        rules,
        ring: 4096,
        flows_max: 1 << 18,
    })?;
    let (outbound, inbound) = (
        world.program("inlay_outbound")?,
        world.program("inlay_inbound")?,
    );
    // More flows than are ever met again: the ring gives each of them another's place.
    let ever_new = 1 << 31;
    let cases = [
        case(
            format!("new flow, outbound, {rules} rules"),
            outbound,
            frames::outbound(&world, SYN, ever_new),
            XDP_REDIRECT,
        ),
        case(
            format!("new flow, inbound, {rules} rules"),
            inbound,
            frames::inbound(&world, SYN, ever_new),
            XDP_REDIRECT,
        ),
    ];
    measure(&mut wrapper, &cases, rounds)
}

fn drops(rounds: u32) -> Result<Vec<Measurement>> {
    let mut wrapper = Wrapper::load()?;
    let mut world = World::new(&WorldPlan {
        rules: 10,
        ring: 4096,
        flows_max: 1 << 18,
    })?;
    let outbound = world.program("inlay_outbound")?;
    let stream = frames::spoofed(&world);
    let cases = [case(
        "drop, spoofed address".to_owned(),
        outbound,
        stream,
        XDP_DROP,
    )];
    measure(&mut wrapper, &cases, rounds)
}

fn case(name: String, target: ProgramFd, stream: Stream, action: u32) -> Case {
    Case {
        name,
        target,
        stream,
        action,
    }
}

/// Rounds of: the empty program, the translation alone, and every case.
fn measure(wrapper: &mut Wrapper, cases: &[Case], rounds: u32) -> Result<Vec<Measurement>> {
    let empty = wrapper.own("bench_empty")?;
    let translate = [
        wrapper.own("bench_translate_outbound")?,
        wrapper.own("bench_translate_inbound")?,
    ];
    let mut samples = vec![(Vec::new(), Vec::new()); cases.len()];
    for _ in 0..rounds {
        for (case, (values, ratios)) in cases.iter().zip(&mut samples) {
            let base = above(wrapper, &empty, &case.stream, None, 0.0)?;
            let direction = usize::from(case.stream.is_inbound);
            let baseline = above(wrapper, &translate[direction], &case.stream, None, base)?;
            let value = above(wrapper, &case.target, &case.stream, Some(case.action), base)?;
            values.push(value);
            ratios.push(value / baseline);
        }
    }
    let rows = cases
        .iter()
        .zip(samples)
        .map(|(case, (values, ratios))| Measurement {
            bench: "packets".to_owned(),
            case: case.name.clone(),
            subject: "inlay".to_owned(),
            value: median(values),
            unit: "ns/packet above empty".to_owned(),
            baseline: "translate only".to_owned(),
            ratio: median(ratios),
        });
    Ok(rows.collect())
}

fn above(
    wrapper: &mut Wrapper,
    target: &ProgramFd,
    stream: &Stream,
    action: Option<u32>,
    base: f64,
) -> Result<f64> {
    let (took, ended) = wrapper.run(target, stream, PACKETS)?;
    let wanted = action.unwrap_or(ended);
    ensure!(
        ended == wanted,
        "the program ended in action {ended}, not {wanted}"
    );
    let nanoseconds = u32::try_from(took.as_nanos()).context("seconds for a packet")?;
    Ok(f64::from(nanoseconds) - base)
}
