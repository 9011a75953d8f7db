//! What was measured, as a table and as JSON.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde::Serialize;

/// One number beside what it is compared with.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measurement {
    /// Which bench.
    pub bench: String,
    /// What was measured.
    pub case: String,
    /// Of whom.
    pub subject: String,
    /// The median.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// What it is compared with.
    pub baseline: String,
    /// The median over the rounds of subject over baseline.
    pub ratio: f64,
}

/// Prints a table.
pub(crate) fn print(measurements: &[Measurement]) {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "bench", "case", "subject", "value", "unit", "baseline", "ratio",
    ]);
    for row in measurements {
        table.add_row([
            row.bench.clone(),
            row.case.clone(),
            row.subject.clone(),
            format!("{:.1}", row.value),
            row.unit.clone(),
            row.baseline.clone(),
            format!("{:.2}", row.ratio),
        ]);
    }
    println!("{table}");
}

/// Writes a list of objects.
///
/// # Errors
/// Where the file cannot be written.
pub(crate) fn write_json(path: &Path, measurements: &[Measurement]) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let text = serde_json::to_string_pretty(measurements)?;
    fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))
}

/// The middle of an odd number of values, the mean of the two middle ones of an even number.
#[must_use]
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => f64::midpoint(values[len / 2 - 1], values[len / 2]),
    }
}
