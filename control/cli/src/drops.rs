//! `inlay drops`.

use std::time::Duration;

use clap::Args;
use inlay_dataplane::inspect::{DropCount, DropView, Inspection};

use crate::{
    Globals,
    output::{self, Format},
};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Shows dropped packets as they are dropped; they are sampled where there are many
    #[arg(long)]
    follow: bool,
    /// With --follow, first shows those that nobody has seen yet
    #[arg(long, requires = "follow")]
    backlog: bool,
}

const HEADINGS: [&str; 5] = ["network", "direction", "reason", "packets", "what it means"];

pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<()> {
    let inspection = globals.inspect()?;
    if arguments.follow {
        return follow(globals, &inspection, arguments.backlog);
    }
    output::print(
        globals.output,
        "drops",
        &inspection.drops()?,
        &HEADINGS,
        row,
    )
}

fn row(count: &DropCount) -> Vec<String> {
    // Slot 0 stands for no network.
    let slot = (count.network_slot != 0).then_some(count.network_slot);
    vec![
        output::or_dash(slot.map(|slot| output::name_or(count.network.as_ref(), slot))),
        count.direction.to_owned(),
        count.reason.to_owned(),
        count.packets.to_string(),
        count.explanation.to_owned(),
    ]
}

/// Until it is interrupted.
fn follow(globals: &Globals, inspection: &Inspection, backlog: bool) -> anyhow::Result<()> {
    const WAIT: Duration = Duration::from_mins(1);
    let mut events = inspection.drop_events()?;
    if !backlog {
        events.skip();
    }
    loop {
        while let Some(event) = events.try_next() {
            let view = inspection.drop_view(&event);
            match globals.output {
                Format::Table => output::line(&text(&view))?,
                format => output::record(format, &view)?,
            }
        }
        events.wait(WAIT)?;
    }
}

fn text(drop: &DropView) -> String {
    let slot = (drop.network_slot != 0).then_some(drop.network_slot);
    let network = output::or_dash(slot.map(|slot| output::name_or(drop.network.as_ref(), slot)));
    let port = drop
        .port_slot
        .map(|slot| output::name_or(drop.port.as_ref(), slot));
    let rule = drop
        .rule
        .as_ref()
        .map(|rule| format!(", rule {rule}"))
        .unwrap_or_default();
    let packet = match (&drop.protocol, &drop.source, &drop.destination) {
        (Some(protocol), Some(source), Some(destination)) => {
            let protocol = output::with(protocol, drop.icmp.as_ref());
            format!("{protocol} {source} > {destination}, ")
        }
        _ => String::new(),
    };
    format!(
        "{} {:<8} {network}/{} {packet}{} bytes: {}{rule}",
        time_of_day(drop.unix_time_ms),
        drop.direction,
        output::or_dash(port),
        drop.len_bytes,
        drop.reason,
    )
}

/// UTC.
fn time_of_day(unix_time_ms: u64) -> String {
    let (s, ms) = (unix_time_ms / 1000, unix_time_ms % 1000);
    format!(
        "{:02}:{:02}:{:02}.{ms:03}Z",
        s / 3600 % 24,
        s / 60 % 60,
        s % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_the_day() {
        assert_eq!(time_of_day(0), "00:00:00.000Z");
        assert_eq!(time_of_day(86_400_000 + 3_723_045), "01:02:03.045Z");
    }
}
