//! Every row through the core in user space: the full pipeline, and the fast path wherever it answers.

use inlay_tests::{rows, user_space::UserSpace};
use std::collections::BTreeSet;

/// So many rows at least: a topic that is lost would show.
const ROWS_MIN: usize = 400;

#[test]
fn every_row_holds_in_the_core() {
    let mut core = UserSpace::default();
    let mut wrong = Vec::new();
    let rows = rows::all();
    for row in &rows {
        let checked =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| row.check(&mut core)));
        match checked {
            Ok(Ok(())) => {}
            Ok(Err(lines)) => wrong.push(format!("{}\n{lines}", row.name)),
            Err(_) => wrong.push(format!("{}\n  panicked", row.name)),
        }
    }
    println!("{} rows, {} frames by the fast path", rows.len(), core.fast);
    assert!(core.fast > 0);
    assert!(
        wrong.is_empty(),
        "{} of {} rows:\n\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
    assert!(rows.len() >= ROWS_MIN, "{} rows", rows.len());
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let mut names = BTreeSet::new();
    for row in rows::all() {
        assert!(names.insert(row.name), "twice: {}", row.name);
    }
}
