//! Runs the rows of a topology of two hosts and prints them: expected and observed, one below the other.
//! Exits 0 if all are as expected, 1 otherwise. `cargo xtask run` calls it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser;
use comfy_table::{Cell, Color, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use inlay_tests::scenario::{Report, Topology, TwoHosts, rows, substrate};
use serde::Serialize;

/// Runs the rows of a topology of two hosts.
#[derive(Parser)]
struct Arguments {
    /// Which one is up
    #[arg(value_enum)]
    topology: Topology,
    /// Where to write the rows and the packet as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What the JSON file holds.
#[derive(Serialize)]
struct Everything {
    rows: Vec<Report>,
    packet: Vec<substrate::Field>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let topology = TwoHosts::open(arguments.topology)?;
    let rows = rows();
    let mut reports = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        eprintln!("[{:2}/{}] {}", number + 1, rows.len(), row.name);
        reports.push(row.run(&topology));
    }
    println!("{}", table(&reports));
    let packet = substrate::capture(&topology).context("capture a packet in the fabric")?;
    println!("\nA TCP segment from red-a to red-b in the fabric, between the router and host 2:\n");
    println!("{}", packet_table(&packet));
    let failed = reports
        .iter()
        .filter(|report| !report.outcome.passed)
        .count();
    println!("\n{} as expected, {failed} not", reports.len() - failed);
    if let Some(path) = arguments.json {
        let all = Everything {
            rows: reports,
            packet,
        };
        std::fs::write(&path, serde_json::to_string_pretty(&all)?)
            .with_context(|| format!("write {}", path.display()))?;
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn table(reports: &[Report]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["", "what", "expected", "observed", "drop reason"]);
    for Report { name, outcome, .. } in reports {
        let mark = if outcome.passed {
            Cell::new("ok").fg(Color::Green)
        } else {
            Cell::new("FAILED").fg(Color::Red)
        };
        table.add_row([
            mark,
            Cell::new(name),
            Cell::new(&outcome.expected),
            Cell::new(&outcome.observed),
            Cell::new(outcome.drop_reason.as_deref().unwrap_or("")),
        ]);
    }
    table
}

fn packet_table(packet: &[substrate::Field]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["IPv6 header", "value", "what it carries"]);
    for field in packet {
        table.add_row([field.name, &field.value, &field.meaning]);
    }
    table
}
