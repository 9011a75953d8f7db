//! `inlay counters`.

use std::{io::IsTerminal as _, thread, time::Duration};

use clap::Args;
use inlay_dataplane::inspect::{CounterView, Inspection};
use serde::Serialize;

use crate::{
    Globals,
    output::{self, Format},
};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Shows them again and again, with what passed in between
    #[arg(long)]
    watch: bool,
    /// Seconds in between
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
}

/// A port's counters, and what they grew by in a second.
#[derive(Debug, Serialize)]
struct Rates {
    #[serde(flatten)]
    counters: CounterView,
    outbound_packets_per_s: u64,
    outbound_bytes_per_s: u64,
    inbound_packets_per_s: u64,
    inbound_bytes_per_s: u64,
}

pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<()> {
    let inspection = globals.inspect()?;
    if arguments.watch {
        return watch(globals, &inspection, arguments.interval);
    }
    let headings = [
        "port",
        "network",
        "out packets",
        "out bytes",
        "in packets",
        "in bytes",
    ];
    output::print(
        globals.output,
        "ports",
        &inspection.counters()?,
        &headings,
        row,
    )
}

fn row(port: &CounterView) -> Vec<String> {
    vec![
        output::name_or(port.name.as_ref(), port.slot),
        output::or_dash(port.network.as_ref()),
        port.outbound_packets.to_string(),
        output::bytes(port.outbound_bytes),
        port.inbound_packets.to_string(),
        output::bytes(port.inbound_bytes),
    ]
}

/// Until it is interrupted.
fn watch(globals: &Globals, inspection: &Inspection, interval_s: u64) -> anyhow::Result<()> {
    const CLEAR: &str = "\x1b[2J\x1b[H";
    const HEADINGS: [&str; 8] = [
        "port",
        "out packets",
        "out bytes",
        "out packets/s",
        "in packets",
        "in bytes",
        "in packets/s",
        "out, in bytes/s",
    ];
    let is_screen = globals.output == Format::Table && std::io::stdout().is_terminal();
    let mut before = inspection.counters()?;
    loop {
        thread::sleep(Duration::from_secs(interval_s));
        let current = inspection.counters()?;
        let rates: Vec<Rates> = current
            .iter()
            .map(|port| rates(&before, port, interval_s))
            .collect();
        if is_screen {
            output::line(CLEAR)?;
        }
        match globals.output {
            Format::Table => output::print(Format::Table, "ports", &rates, &HEADINGS, rates_row)?,
            format => output::record(format, &rates)?,
        }
        before = current;
    }
}

fn rates(before: &[CounterView], port: &CounterView, interval_s: u64) -> Rates {
    let before = before.iter().find(|before| before.slot == port.slot);
    let rate =
        |of: fn(&CounterView) -> u64| of(port).saturating_sub(before.map_or(0, of)) / interval_s;
    Rates {
        outbound_packets_per_s: rate(|port| port.outbound_packets),
        outbound_bytes_per_s: rate(|port| port.outbound_bytes),
        inbound_packets_per_s: rate(|port| port.inbound_packets),
        inbound_bytes_per_s: rate(|port| port.inbound_bytes),
        counters: port.clone(),
    }
}

fn rates_row(rates: &Rates) -> Vec<String> {
    let port = &rates.counters;
    let (out, into) = (rates.outbound_bytes_per_s, rates.inbound_bytes_per_s);
    vec![
        output::name_or(port.name.as_ref(), port.slot),
        port.outbound_packets.to_string(),
        output::bytes(port.outbound_bytes),
        rates.outbound_packets_per_s.to_string(),
        port.inbound_packets.to_string(),
        output::bytes(port.inbound_bytes),
        rates.inbound_packets_per_s.to_string(),
        format!("{}, {}", output::bytes(out), output::bytes(into)),
    ]
}
