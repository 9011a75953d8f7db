//! `inlay network trace`: the way of a packet over the hosts.

use std::{net::Ipv4Addr, process::ExitCode};

use clap::{Args, ValueEnum};
use inlay_api::objects::{Kind, Trace, TraceDirection, TraceStep};
use serde_json::Value;

use super::Session;
use crate::{
    EXIT_DROPPED,
    client::{
        address,
        failure::Failure,
        scope::{ProjectScope, ScopeFlags as _},
        show,
    },
    output::{self, Format},
};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The network
    #[arg(value_name = "NETWORK")]
    name: String,
    #[command(flatten)]
    scope: ProjectScope,
    /// The node that sends
    #[arg(long, value_name = "NODE")]
    from: String,
    /// Where the packet goes
    #[arg(long, value_name = "ADDR")]
    to: Ipv4Addr,
    /// A TCP SYN, a UDP datagram or an ICMP echo request
    #[arg(long, value_enum, default_value = "icmp")]
    proto: Proto,
    /// Its destination port
    #[arg(long, value_name = "N", required_if_eq_any = [("proto", "tcp"), ("proto", "udp")])]
    dport: Option<u16>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Proto {
    Tcp,
    Udp,
    Icmp,
}

/// A line of the table.
#[derive(serde::Serialize)]
struct Line {
    host: String,
    direction: &'static str,
    step: String,
    found: String,
}

impl Arguments {
    pub(crate) fn run(&self, session: &Session) -> anyhow::Result<ExitCode> {
        let place = self.scope.place(&session.api.connection)?;
        let path = format!(
            "{}/trace",
            address::object(Kind::Network, &place, &self.name)
        );
        let answer = session.api.read(path, self.query())?;
        let trace: Trace = serde_json::from_value(answer.clone())
            .map_err(|error| Failure::NoAnswer(format!("that is no trace: {error}")))?;
        match session.format {
            Format::Table => self.print(&trace)?,
            format => output::document(format, &answer)?,
        }
        Ok(match trace.verdict.as_str() {
            "dropped" => ExitCode::from(EXIT_DROPPED),
            "unknown" => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        })
    }

    fn query(&self) -> Vec<(String, String)> {
        let mut query = vec![
            ("from".to_owned(), self.from.clone()),
            ("to".to_owned(), self.to.to_string()),
            ("protocol".to_owned(), self.protocol().to_owned()),
        ];
        let port = self.dport.map(|port| ("port".to_owned(), port.to_string()));
        query.extend(port);
        query
    }

    fn protocol(&self) -> &'static str {
        match self.proto {
            Proto::Tcp => "tcp",
            Proto::Udp => "udp",
            Proto::Icmp => "icmp",
        }
    }

    fn print(&self, trace: &Trace) -> anyhow::Result<()> {
        let Self {
            from, to, dport, ..
        } = self;
        let port = dport.map(|port| format!(" {port}")).unwrap_or_default();
        let protocol = self.protocol();
        output::line(&format!(
            "{from} to {to}, {protocol}{port}: {}",
            trace.verdict
        ))?;
        if !trace.reason.is_empty() {
            output::line(&format!("  {}", trace.reason))?;
        }
        output::line("")?;
        let lines: Vec<Line> = trace.steps.iter().flat_map(lines).collect();
        let headings = ["host", "direction", "step", "found"];
        output::print(Format::Table, "steps", &lines, &headings, |line| {
            let direction = line.direction.to_owned();
            vec![
                line.host.clone(),
                direction,
                line.step.clone(),
                line.found.clone(),
            ]
        })
    }
}

/// The steps of one host, and its verdict.
fn lines(step: &TraceStep) -> Vec<Line> {
    let direction = match step.direction {
        TraceDirection::Outbound => "outbound",
        TraceDirection::Inbound => "inbound",
    };
    let line = |what: &str, found: String| Line {
        host: step.host.clone(),
        direction,
        step: what.to_owned(),
        found,
    };
    let steps = step.explanation.get("steps").and_then(Value::as_array);
    let mut lines: Vec<Line> = steps
        .into_iter()
        .flatten()
        .map(|row| line(address::text(row, "/step"), show::cell(row.get("found"))))
        .collect();
    let verdict = address::text(&step.explanation, "/verdict");
    let more = ["/reason", "/rule", "/explanation"]
        .map(|pointer| address::text(&step.explanation, pointer))
        .into_iter()
        .filter(|text| !text.is_empty());
    let verdict: Vec<&str> = std::iter::once(verdict).chain(more).collect();
    lines.push(line("verdict", verdict.join("; ")));
    lines
}
