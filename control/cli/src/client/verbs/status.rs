//! `inlay status`: the hosts, and how far each is.

use std::process::ExitCode;

use clap::Args;
use inlay_api::objects::{HostCondition, HostSummary, SystemStatus};

use super::Session;
use crate::{
    client::failure::Failure,
    output::{self, Format},
};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Exits with 1 where a host is unreachable, behind or degraded
    #[arg(long)]
    check: bool,
}

const HEADINGS: [&str; 8] = [
    "host", "state", "nodes", "desired", "applied", "lag", "seen", "agent",
];

impl Arguments {
    pub(crate) fn run(&self, session: &Session) -> anyhow::Result<ExitCode> {
        let answer = session.api.read("/v1/status".to_owned(), Vec::new())?;
        let status: SystemStatus = serde_json::from_value(answer.clone())
            .map_err(|error| Failure::NoAnswer(format!("that is no status: {error}")))?;
        match session.format {
            Format::Table => print(&status)?,
            format => output::document(format, &answer)?,
        }
        if self.check && !is_well(&status) {
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn is_well(status: &SystemStatus) -> bool {
    status.unreachable == 0 && status.lagging == 0 && status.degraded == 0
}

fn print(status: &SystemStatus) -> anyhow::Result<()> {
    let SystemStatus {
        version,
        ready,
        unreachable,
        expected,
        lagging,
        degraded,
        hosts,
    } = status;
    output::line(&format!(
        "manager {version}: {ready} hosts ready, {unreachable} unreachable, {expected} have not joined, \
         {lagging} lag, {degraded} degraded\n"
    ))?;
    output::print(Format::Table, "hosts", hosts, &HEADINGS, row)?;
    for host in hosts {
        for reason in &host.status.degraded {
            output::line(&format!("{} is degraded: {reason}", host.name))?;
        }
    }
    Ok(())
}

fn row(host: &HostSummary) -> Vec<String> {
    let status = &host.status;
    let state = match status.state {
        HostCondition::Expected => "expected",
        HostCondition::Ready => "ready",
        HostCondition::Unreachable => "unreachable",
    };
    let cordoned = if host.cordoned { ", cordoned" } else { "" };
    let text = |text: &String| output::or_dash(Some(text).filter(|text| !text.is_empty()));
    vec![
        host.name.clone(),
        format!("{state}{cordoned}"),
        status.nodes.to_string(),
        status.desired_revision.to_string(),
        status.applied_revision.to_string(),
        format!("{} ms", status.lag_ms),
        text(&status.seen_at),
        text(&status.agent_version),
    ]
}
