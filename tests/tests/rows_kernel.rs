//! Every row through the loaded programs: verdict, bytes, counters and events as in the core, and the same
//! flows. What the programs cost is kept under a limit.

use std::collections::BTreeMap;

use inlay_core::flow::{FlowKey, FlowRecord};
use inlay_tests::{
    dataplane::Dataplane,
    kernel::{Kernel, Skip, in_namespace},
    row::Row,
    rows,
    user_space::UserSpace,
};

/// Instructions of a program. The kernel takes a million; a program of this size loads at once.
const INSTRUCTIONS_MAX: u32 = 10_000;
/// Instructions that the verifier walks through. It gives up after a million, and older ones need more.
const VERIFIED_MAX: u32 = 100_000;
/// How often a row is run again, during which the kernel's clock went on.
const TRIES: u32 = 20;
/// Ticks that two runs of a row may differ by.
const AGE_TICKS: u32 = 8;

#[test]
fn every_row_holds_in_the_kernel() {
    in_namespace("every_row_holds_in_the_kernel", || {
        let mut kernel = Kernel::open()?;
        costs(&mut kernel);
        check_rows(&mut kernel);
        Ok::<(), Skip>(())
    });
}

fn costs(kernel: &mut Kernel) {
    for cost in kernel.costs() {
        println!(
            "{}: {} instructions, {} verified",
            cost.name, cost.instructions, cost.verified
        );
        assert!(cost.instructions <= INSTRUCTIONS_MAX, "{cost:?}");
        assert!(cost.verified <= VERIFIED_MAX, "{cost:?}");
    }
}

fn check_rows(kernel: &mut Kernel) {
    let rows = rows::all();
    let mut wrong = Vec::new();
    for row in &rows {
        if let Some(why) = row.core_only {
            println!("core only: {}: {why}", row.name);
        } else if let Err(lines) = check(row, kernel) {
            wrong.push(format!("{}\n{lines}", row.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} rows:\n\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
}

/// A row that fails while a second begins, which rates and ages depend on, is run again.
fn check(row: &Row, kernel: &mut Kernel) -> Result<(), String> {
    let mut tries = 0;
    loop {
        tries += 1;
        let started = kernel.now();
        let result = row.check(kernel).and_then(|()| check_flows(row, kernel));
        let is_one_tick = started == kernel.now();
        if result.is_ok() || is_one_tick || tries == TRIES {
            return result;
        }
    }
}

/// The flows that a row leaves are those that it leaves in the core.
fn check_flows(row: &Row, kernel: &mut Kernel) -> Result<(), String> {
    let mut core = UserSpace::default();
    let in_core = row.check(&mut core).map(|()| core.flows());
    // A row that fails in the core is told by the other test.
    let Ok(in_core) = in_core else { return Ok(()) };
    let in_kernel = kernel.flows();
    if is_same(&in_core, &in_kernel) {
        return Ok(());
    }
    Err(format!(
        "  flows in the core   {in_core:?}\n  flows in the kernel {in_kernel:?}\n"
    ))
}

fn is_same(core: &BTreeMap<FlowKey, FlowRecord>, kernel: &BTreeMap<FlowKey, FlowRecord>) -> bool {
    core.len() == kernel.len()
        && core
            .iter()
            .zip(kernel)
            .all(|((core_key, core), (key, record))| {
                let ageless = |record: &FlowRecord| FlowRecord {
                    last_seen: 0,
                    started: 0,
                    ..*record
                };
                // Wrapping: what another processor saw later has a negative age.
                let is_as_old = |core: u32, kernel: u32| kernel.wrapping_sub(core) <= AGE_TICKS;
                core_key == key
                    && ageless(core) == ageless(record)
                    && is_as_old(core.last_seen, record.last_seen)
                    && is_as_old(core.started, record.started)
            })
}
