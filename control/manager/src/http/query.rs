//! Query parameters: which operation takes which, and what they mean. Unknown ones are refused by name, so that a
//! misspelt `dry_run` never changes anything.

use std::{net::Ipv4Addr, time::Duration};

use axum::{extract::Query as Pairs, http::Uri};
use inlay_api::objects::{FieldProblem, Kind, Labels};

use super::{
    problems::{Failure, malformed, wrong_fields},
    routes::Operation,
};

/// Objects of a page, where nothing is said.
pub(crate) const LIMIT_DEFAULT: usize = 100;
/// The most objects of a page.
pub(crate) const LIMIT_MAX: usize = 1_000;
/// The most nodes of one request.
pub(crate) const COUNT_MAX: u32 = 1_000;
/// Longest page token, in bytes.
pub(crate) const PAGE_TOKEN_BYTES_MAX: usize = 512;
/// Labels of one filter.
pub(crate) const LABELS_MAX: usize = 16;
/// How long `wait=applied` waits, where nothing is said.
pub(crate) const WAIT_DEFAULT: Duration = Duration::from_secs(30);
/// How long it waits at most.
pub(crate) const WAIT_MAX: Duration = Duration::from_mins(5);

/// A query parameter.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Parameter {
    DryRun,
    Wait,
    Timeout,
    Count,
    Limit,
    PageToken,
    Label,
    From,
    To,
    Protocol,
    Port,
}

const MUTATION: &[Parameter] = &[Parameter::DryRun, Parameter::Wait, Parameter::Timeout];
const NODE_CREATION: &[Parameter] = &[
    Parameter::DryRun,
    Parameter::Wait,
    Parameter::Timeout,
    Parameter::Count,
];
const LIST: &[Parameter] = &[Parameter::Limit, Parameter::PageToken, Parameter::Label];
const PAGES: &[Parameter] = &[Parameter::Limit, Parameter::PageToken];
const TRACE: &[Parameter] = &[
    Parameter::From,
    Parameter::To,
    Parameter::Protocol,
    Parameter::Port,
];

impl Parameter {
    /// Its name in the query.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DryRun => "dry_run",
            Self::Wait => "wait",
            Self::Timeout => "timeout",
            Self::Count => "count",
            Self::Limit => "limit",
            Self::PageToken => "page_token",
            Self::Label => "label",
            Self::From => "from",
            Self::To => "to",
            Self::Protocol => "protocol",
            Self::Port => "port",
        }
    }

    /// Those that an operation takes.
    pub(crate) fn of(operation: Operation) -> &'static [Self] {
        match operation {
            Operation::Create(Kind::Node) => NODE_CREATION,
            Operation::List(_) | Operation::ListAll(_) => LIST,
            Operation::ProjectEvents | Operation::Events => PAGES,
            Operation::Trace => TRACE,
            mutation if mutation.is_mutation() => MUTATION,
            _ => &[],
        }
    }
}

/// The protocol of a traced packet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
    #[default]
    Icmp,
}

impl Protocol {
    /// Its name, as a host is asked by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
        }
    }
}

/// The parameters of a request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Query {
    pub(crate) dry_run: bool,
    /// Wait so long for the hosts.
    pub(crate) wait: Option<Duration>,
    pub(crate) count: Option<u32>,
    /// Objects of the page; 0: nothing was said.
    pub(crate) limit: usize,
    pub(crate) page_token: Option<String>,
    pub(crate) labels: Labels,
    pub(crate) from: String,
    pub(crate) to: Option<Ipv4Addr>,
    pub(crate) protocol: Protocol,
    pub(crate) port: Option<u16>,
}

/// Reads the query of a request to `operation`.
///
/// # Errors
/// Every parameter that is wrong.
pub(crate) fn parse(operation: Operation, uri: &Uri) -> Result<Query, Failure> {
    let pairs = Pairs::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| malformed("the query is no list of NAME=VALUE joined by &"))?;
    let accepted = Parameter::of(operation);
    let mut reading = Reading::default();
    for (name, value) in &pairs.0 {
        match accepted.iter().find(|one| one.name() == name) {
            Some(&parameter) => reading.take(parameter, value),
            None => reading.problem(name, unknown(accepted)),
        }
    }
    reading.finish(operation)
}

fn unknown(accepted: &[Parameter]) -> String {
    let names: Vec<_> = accepted.iter().map(|one| one.name()).collect();
    if names.is_empty() {
        "unknown query parameter; this takes none".to_owned()
    } else {
        format!("unknown query parameter; this takes {}", names.join(", "))
    }
}

#[derive(Default)]
struct Reading {
    query: Query,
    timeout: Option<Duration>,
    seen: Vec<Parameter>,
    errors: Vec<FieldProblem>,
}

impl Reading {
    fn problem(&mut self, field: &str, message: impl Into<String>) {
        // A request has as many parameters as it likes; an answer names the first few.
        const ERRORS_MAX: usize = 16;
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(FieldProblem {
                field: field.chars().take(64).collect(),
                message: message.into(),
            });
        }
    }

    fn take(&mut self, parameter: Parameter, value: &str) {
        if self.seen.contains(&parameter) && parameter != Parameter::Label {
            return self.problem(parameter.name(), "is given more than once");
        }
        self.seen.push(parameter);
        if let Err(message) = self.set(parameter, value) {
            self.problem(parameter.name(), message);
        }
    }

    fn set(&mut self, parameter: Parameter, value: &str) -> Result<(), String> {
        let query = &mut self.query;
        match parameter {
            Parameter::DryRun => query.dry_run = boolean(value)?,
            Parameter::Wait if value == "applied" => query.wait = Some(WAIT_DEFAULT),
            Parameter::Wait => return Err("is `applied` or left out".into()),
            Parameter::Timeout => self.timeout = Some(duration(value)?),
            Parameter::Count => query.count = Some(number(value, 1, COUNT_MAX)?),
            Parameter::Limit => query.limit = number(value, 1, LIMIT_MAX)?,
            Parameter::PageToken => query.page_token = Some(page_token(value)?),
            Parameter::Label => {
                let (key, value) = label(value)?;
                query.labels.insert(key, value);
                if query.labels.len() > LABELS_MAX {
                    return Err(format!("at most {LABELS_MAX} labels"));
                }
            }
            Parameter::From => value.clone_into(&mut query.from),
            Parameter::To => query.to = Some(address(value)?),
            Parameter::Protocol => query.protocol = protocol(value)?,
            Parameter::Port => query.port = Some(number(value, 1, u16::MAX)?),
        }
        Ok(())
    }

    fn finish(mut self, operation: Operation) -> Result<Query, Failure> {
        match (self.timeout, &mut self.query.wait) {
            (Some(timeout), Some(wait)) => *wait = timeout,
            (Some(_), None) => self.problem("timeout", "is for wait=applied; give that too"),
            (None, _) => {}
        }
        if operation == Operation::Trace {
            self.check_trace();
        }
        if self.query.limit == 0 {
            self.query.limit = LIMIT_DEFAULT;
        }
        if self.errors.is_empty() {
            Ok(self.query)
        } else {
            Err(wrong_fields(self.errors))
        }
    }

    fn check_trace(&mut self) {
        for parameter in [Parameter::From, Parameter::To] {
            if !self.seen.contains(&parameter) {
                self.problem(parameter.name(), "is needed");
            }
        }
        let has_ports = self.query.protocol != Protocol::Icmp;
        match (has_ports, self.query.port) {
            (true, None) => self.problem("port", "is needed for tcp and udp"),
            (false, Some(_)) => self.problem("port", "is for tcp and udp only"),
            (true, Some(_)) | (false, None) => {}
        }
    }
}

fn boolean(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| "is `true` or `false`".to_owned())
}

fn number<T>(value: &str, min: T, max: T) -> Result<T, String>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy,
{
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { value.parse().ok() } else { None };
    number
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| format!("is a number from {min} to {max}"))
}

/// `500ms`, `30s`, `2m`; a number alone is seconds.
fn duration(value: &str) -> Result<Duration, String> {
    let unit_at = value
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(value.len());
    let (digits, unit) = value.split_at(unit_at);
    let unit_ms = match unit {
        "ms" => Some(1),
        "" | "s" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    let milliseconds = digits.parse::<u64>().ok().zip(unit_ms);
    milliseconds
        .and_then(|(count, unit_ms)| count.checked_mul(unit_ms))
        .map(Duration::from_millis)
        .filter(|time| *time <= WAIT_MAX)
        .ok_or_else(|| "is a time like 500ms, 30s or 2m, at most 300s".to_owned())
}

fn page_token(value: &str) -> Result<String, String> {
    if value.is_empty() || value.len() > PAGE_TOKEN_BYTES_MAX {
        return Err("is the next_page_token of the page before".into());
    }
    Ok(value.to_owned())
}

fn label(value: &str) -> Result<(String, String), String> {
    let (key, value) = value
        .split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or("is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn address(value: &str) -> Result<Ipv4Addr, String> {
    value
        .parse()
        .map_err(|_| "is a virtual IPv4 address like 10.0.1.5".to_owned())
}

fn protocol(value: &str) -> Result<Protocol, String> {
    match value {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        "icmp" => Ok(Protocol::Icmp),
        _ => Err("is tcp, udp or icmp".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: Operation = Operation::Create(Kind::Node);
    const LISTED: Operation = Operation::List(Kind::Node);

    fn read(operation: Operation, query: &str) -> Result<Query, String> {
        let uri = format!("/v1/x?{query}").parse().unwrap();
        parse(operation, &uri).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn parameters_are_read() {
        let query = read(NODES, "dry_run=true&count=3&wait=applied&timeout=500ms").unwrap();
        assert!(query.dry_run);
        assert_eq!(query.count, Some(3));
        assert_eq!(query.wait, Some(Duration::from_millis(500)));
        let query = read(LISTED, "label=a%2Fb=c&label=d=&limit=7&page_token=x").unwrap();
        assert_eq!(query.labels["a/b"], "c");
        assert_eq!(query.labels["d"], "");
        assert_eq!((query.limit, query.page_token.as_deref()), (7, Some("x")));
        assert_eq!(read(LISTED, "").unwrap().limit, LIMIT_DEFAULT);
        let query = read(Operation::Trace, "from=a&to=10.0.0.1&protocol=tcp&port=22").unwrap();
        assert_eq!((query.protocol, query.port), (Protocol::Tcp, Some(22)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (operation, query, expected) in [
            (
                NODES,
                "dryrun=true",
                "this takes dry_run, wait, timeout, count",
            ),
            (Operation::Read(Kind::Node), "a=b", "this takes none"),
            (Operation::Create(Kind::Subnet), "count=2", "unknown"),
            (NODES, "dry_run=yes", "`true` or `false`"),
            (NODES, "dry_run=true&dry_run=false", "more than once"),
            (NODES, "count=0", "from 1 to 1000"),
            (NODES, "count=+1", "from 1 to 1000"),
            (NODES, "wait=ready", "`applied`"),
            (NODES, "timeout=3s", "give that too"),
            (NODES, "wait=applied&timeout=301s", "at most 300s"),
            (
                NODES,
                "wait=applied&timeout=99999999999999999999m",
                "at most",
            ),
            (LISTED, "limit=1001", "from 1 to 1000"),
            (LISTED, "label=a", "KEY=VALUE"),
            (Operation::Trace, "from=a", "is needed"),
            (Operation::Trace, "from=a&to=x", "IPv4"),
            (
                Operation::Trace,
                "from=a&to=10.0.0.1&protocol=tcp",
                "needed for tcp",
            ),
            (
                Operation::Trace,
                "from=a&to=10.0.0.1&port=1",
                "tcp and udp only",
            ),
        ] {
            let error = read(operation, query).unwrap_err();
            assert!(error.contains(expected), "{query}: {error}");
        }
    }
}
