//! Checks of the traffic that a rule or an entry is about: protocol, ports, ICMP types.

use crate::field_path::FieldPath;
use crate::invalid_value::{in_range, quoted};
use crate::problem::Problems;
use crate::raw::RawIcmp;
use crate::{IcmpMatch, InvalidValue, L4PortRange, OtherProtocol, Traffic};

use super::context::parse;

/// The fields that rules and entries have in common, as written.
pub(super) struct RawTraffic<'a> {
    pub(super) protocol: &'a str,
    pub(super) ports: Option<&'a str>,
    pub(super) icmp: Option<&'a RawIcmp>,
}

/// The traffic of the rule or entry at `path`.
pub(super) fn traffic(
    raw: &RawTraffic<'_>,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Option<Traffic> {
    let whole = problems.take(&path.field("protocol"), whole_protocol(raw.protocol))?;
    let has_ports = matches!(whole, Traffic::Tcp(_) | Traffic::Udp(_));
    if raw.ports.is_some() && !has_ports {
        let message = "only tcp and udp have ports; take ports out or change the protocol";
        problems.add(&path.field("ports"), message);
    }
    if raw.icmp.is_some() && !matches!(whole, Traffic::Icmp(_)) {
        let message = "only icmp has types; take icmp out or change the protocol";
        problems.add(&path.field("icmp"), message);
    }
    match whole {
        Traffic::All | Traffic::Protocol(_) => Some(whole),
        Traffic::Tcp(_) => l4_ports(raw.ports, path, problems).map(Traffic::Tcp),
        Traffic::Udp(_) => l4_ports(raw.ports, path, problems).map(Traffic::Udp),
        Traffic::Icmp(_) => icmp(raw.icmp, &path.field("icmp"), problems).map(Traffic::Icmp),
    }
}

/// All traffic of the protocol that `text` names.
fn whole_protocol(text: &str) -> Result<Traffic, InvalidValue> {
    match text {
        "all" => return Ok(Traffic::All),
        "tcp" => return Ok(Traffic::Tcp(L4PortRange::ALL)),
        "udp" => return Ok(Traffic::Udp(L4PortRange::ALL)),
        "icmp" => return Ok(Traffic::Icmp(IcmpMatch::Any)),
        _ => {}
    }
    let number: u8 = text.parse().map_err(|_| InvalidValue::Protocol {
        found: quoted(text),
    })?;
    match (number, OtherProtocol::new(number)) {
        (_, Some(other)) => Ok(Traffic::Protocol(other)),
        (6, None) => Ok(Traffic::Tcp(L4PortRange::ALL)),
        (17, None) => Ok(Traffic::Udp(L4PortRange::ALL)),
        (_, None) => Ok(Traffic::Icmp(IcmpMatch::Any)),
    }
}

fn l4_ports(
    raw: Option<&str>,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Option<L4PortRange> {
    match raw {
        Some(text) => parse(text, &path.field("ports"), problems),
        None => Some(L4PortRange::ALL),
    }
}

fn icmp(raw: Option<&RawIcmp>, path: &FieldPath<'_>, problems: &mut Problems) -> Option<IcmpMatch> {
    let Some(raw) = raw else {
        return Some(IcmpMatch::Any);
    };
    let icmp_type = byte("ICMP type", raw.icmp_type, &path.field("type"), problems);
    let Some(code) = raw.code else {
        return icmp_type.map(IcmpMatch::Type);
    };
    let code = byte("ICMP code", code, &path.field("code"), problems);
    Some(IcmpMatch::TypeAndCode(icmp_type?, code?))
}

fn byte(
    what: &'static str,
    found: u64,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Option<u8> {
    let found = problems.take(path, in_range(what, found, &(0..=u64::from(u8::MAX))))?;
    u8::try_from(found).ok()
}
