//! `inlay explain`.

use std::{net::Ipv4Addr, process::ExitCode};

use clap::{Args, ValueEnum};
use inlay_dataplane::explain::{Explanation, PacketView, Protocol, Question, Verdict, explain};

use crate::{
    EXIT_DROPPED, Globals,
    output::{self, Format},
};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The sending port: its name, NETWORK/NAME, interface or slot
    #[arg(long)]
    port: String,
    /// Where the packet goes
    #[arg(long, value_name = "ADDR")]
    to: Ipv4Addr,
    /// A TCP SYN, a UDP datagram or an ICMP echo request
    #[arg(long, value_enum)]
    proto: Proto,
    /// Its destination port
    #[arg(long, value_name = "N", required_if_eq_any = [("proto", "tcp"), ("proto", "udp")])]
    dport: Option<u16>,
    /// Its source port; without it one that no flow has, so that the rules are asked
    #[arg(long, value_name = "N")]
    sport: Option<u16>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Proto {
    Tcp,
    Udp,
    Icmp,
}

pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let question = Question {
        port: globals.inspect()?.port_slot(&arguments.port)?,
        to: arguments.to,
        protocol: match arguments.proto {
            Proto::Tcp => Protocol::Tcp,
            Proto::Udp => Protocol::Udp,
            Proto::Icmp => Protocol::Icmp,
        },
        source_port: arguments.sport,
        destination_port: arguments.dport.unwrap_or(0),
    };
    let explanation = explain(&globals.pin_root, &globals.instance, &question)?;
    match globals.output {
        Format::Table => print(&explanation)?,
        format => output::document(format, &explanation)?,
    }
    let is_dropped = explanation.verdict == Verdict::Dropped;
    Ok(if is_dropped {
        ExitCode::from(EXIT_DROPPED)
    } else {
        ExitCode::SUCCESS
    })
}

fn print(explanation: &Explanation) -> anyhow::Result<()> {
    let Explanation { port, packet, .. } = explanation;
    let (to, transport) = (&packet.destination, &packet.transport);
    output::line(&format!(
        "{port} to {to}, {transport}: {}",
        verdict(explanation)
    ))?;
    if let Some(what) = explanation.explanation {
        output::line(&format!("  {what}"))?;
    }
    if let Some(rule) = &explanation.rule {
        output::line(&format!("  decided by {rule}"))?;
    }
    output::line("")?;
    let row =
        |step: &inlay_dataplane::explain::StepView| vec![step.step.to_owned(), step.found.clone()];
    output::print(
        Format::Table,
        "steps",
        &explanation.steps,
        &["step", "found"],
        row,
    )?;
    output::line("")?;
    frame("from the node", packet)?;
    match &explanation.result {
        Some(result) => frame("becomes", result),
        None => Ok(()),
    }
}

fn verdict(explanation: &Explanation) -> String {
    let verdict = match explanation.verdict {
        Verdict::Sent => &sent(explanation),
        Verdict::Passed => "passed to the kernel, which finds the neighbour and sends it",
        Verdict::Delivered => "delivered to a node of this host",
        Verdict::Answered => "answered by the virtual router",
        Verdict::Dropped => "dropped",
    };
    match explanation.reason {
        Some(reason) => format!("{verdict} ({reason})"),
        None => verdict.to_owned(),
    }
}

/// The step `destination` tells the host, and its prefix after a comma.
fn sent(explanation: &Explanation) -> String {
    let mut steps = explanation.steps.iter();
    let host = steps
        .find(|step| step.step == "destination")
        .and_then(|step| step.found.split(',').next())
        .unwrap_or("another host");
    format!("sent to {host}, whose inbound rules decide next")
}

fn frame(what: &str, packet: &PacketView) -> anyhow::Result<()> {
    let PacketView {
        source,
        destination,
        transport,
        len_bytes,
        ..
    } = packet;
    output::line(&format!("{what}: {len_bytes} bytes, {transport}"))?;
    output::line(&format!(
        "  ethernet     {} > {}",
        packet.source_mac, packet.destination_mac
    ))?;
    let said = |inlaid: &Option<String>| {
        inlaid
            .as_ref()
            .map(|inlaid| format!(" = {inlaid}"))
            .unwrap_or_default()
    };
    output::line(&format!(
        "  source       {source}{}",
        said(&packet.virtual_source)
    ))?;
    output::line(&format!(
        "  destination  {destination}{}",
        said(&packet.virtual_destination)
    ))
}
