//! Printing: tables for people, JSON and YAML for programs.

use std::io::{self, Write as _};

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// How a view is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One document.
    Json,
    /// One document.
    Yaml,
}

/// A table with these headings.
pub(crate) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
    table
}

/// Prints `views`: as a table by `row`, or a line that there are no `what`.
pub(crate) fn print<V: Serialize>(
    format: Format,
    what: &str,
    views: &[V],
    headings: &[&str],
    row: impl Fn(&V) -> Vec<String>,
) -> anyhow::Result<()> {
    match format {
        Format::Table if views.is_empty() => line(&format!("no {what}")),
        Format::Table => {
            let mut table = table(headings);
            table.add_rows(views.iter().map(row));
            line(&table.trim_fmt())
        }
        Format::Json | Format::Yaml => document(format, &views),
    }
}

/// Prints one value as a document.
pub(crate) fn document(format: Format, value: &impl Serialize) -> anyhow::Result<()> {
    match format {
        Format::Yaml => line(serde_yaml::to_string(value)?.trim_end()),
        Format::Json | Format::Table => line(&serde_json::to_string_pretty(value)?),
    }
}

/// Prints one value of a stream: a line of JSON, or a YAML document of several.
pub(crate) fn record(format: Format, value: &impl Serialize) -> anyhow::Result<()> {
    match format {
        Format::Yaml => line(&format!(
            "---\n{}",
            serde_yaml::to_string(value)?.trim_end()
        )),
        Format::Json | Format::Table => line(&serde_json::to_string(value)?),
    }
}

/// Prints a line at once, and fails where nobody reads it.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    Ok(stdout.flush()?)
}

/// A name, or the number that it stands for.
pub(crate) fn name_or(name: Option<&String>, number: u32) -> String {
    name.cloned().unwrap_or_else(|| number.to_string())
}

/// What is there, or a dash.
pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// A word, and another where there is one.
pub(crate) fn with(first: &str, second: Option<&String>) -> String {
    second.map_or_else(|| first.to_owned(), |second| format!("{first} {second}"))
}

/// Bytes as people read them.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = count.saturating_mul(10) / 1024;
    if count < 1024 {
        return format!("{count} B");
    }
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_short() {
        for (count, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (64 << 20, "64.0 MiB"),
            (5 << 40, "5.0 TiB"),
        ] {
            assert_eq!(bytes(count), expected, "{count}");
        }
    }
}
