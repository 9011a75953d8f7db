//! Rules, entries and routes as they are typed and shown: one line of words.
//!
//! ```text
//! rule:  PROTOCOL [PORTS | TYPE[/CODE]] PEER [# DESCRIPTION]     tcp 80-90 0.0.0.0/0
//! entry: NUMBER allow|deny PROTOCOL [PORTS | TYPE[/CODE]] CIDR   100 deny icmp 8/0 10.0.0.0/8
//! route: DESTINATION TARGET                                      0.0.0.0/0 node:fw
//! ```
//!
//! The shape is checked here, and what the manager alone knows by the manager.

use inlay_api::{
    L4PortRange,
    raw::{RawAclEntry, RawIcmp, RawRoute, RawRule},
};

const RULE: &str = "write PROTOCOL [PORTS] PEER, like \"tcp 80 0.0.0.0/0\", \"icmp 8/0 10.0.0.0/8\" or \"all group:web\"";
const ENTRY: &str =
    "write NUMBER ACTION PROTOCOL [PORTS] CIDR, like \"100 allow tcp 80 0.0.0.0/0\"";
const ROUTE: &str = "write DESTINATION TARGET, like \"0.0.0.0/0 node:fw\"; targets are local, blackhole and node:NAME";

/// Reads a rule of a security group.
pub(crate) fn rule(text: &str) -> Result<RawRule, String> {
    let (words, description) = match text.split_once('#') {
        Some((words, description)) => (words, Some(description.trim().to_owned())),
        None => (text, None),
    };
    let words: Vec<&str> = words.split_whitespace().collect();
    let (traffic, peer) = traffic_and_peer(&words, RULE)?;
    if !peer.contains('/') && !peer.starts_with("group:") {
        return Err(format!(
            "{peer} is no CIDR and no group:NAME; of one address write {peer}/32"
        ));
    }
    Ok(RawRule {
        protocol: traffic.protocol,
        ports: traffic.ports,
        icmp: traffic.icmp,
        peer: peer.to_owned(),
        description,
    })
}

/// Reads an entry of an access control list.
pub(crate) fn entry(text: &str) -> Result<RawAclEntry, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [number, action, rest @ ..] = words.as_slice() else {
        return Err(ENTRY.to_owned());
    };
    let number = number
        .parse()
        .map_err(|_| format!("{number} is no number; {ENTRY}"))?;
    if !matches!(*action, "allow" | "deny") {
        return Err(format!("{action} is neither allow nor deny"));
    }
    let (traffic, peer) = traffic_and_peer(rest, ENTRY)?;
    if !peer.contains('/') {
        return Err(format!("{peer} is no CIDR; of one address write {peer}/32"));
    }
    Ok(RawAclEntry {
        number,
        action: (*action).to_owned(),
        protocol: traffic.protocol,
        ports: traffic.ports,
        icmp: traffic.icmp,
        peer: peer.to_owned(),
    })
}

/// Reads a route.
pub(crate) fn route(text: &str) -> Result<RawRoute, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [destination, target] = words.as_slice() else {
        return Err(ROUTE.to_owned());
    };
    if !destination.contains('/') {
        return Err(format!("{destination} is no CIDR; {ROUTE}"));
    }
    Ok(RawRoute {
        destination: (*destination).to_owned(),
        target: (*target).to_owned(),
    })
}

/// The rule as [`rule`] reads it.
pub(crate) fn rule_text(rule: &RawRule) -> String {
    let traffic = traffic_text(&rule.protocol, rule.ports.as_ref(), rule.icmp.as_ref());
    let description = match &rule.description {
        Some(description) => format!(" # {description}"),
        None => String::new(),
    };
    format!("{traffic} {}{description}", rule.peer)
}

/// The entry as [`entry`] reads it.
pub(crate) fn entry_text(entry: &RawAclEntry) -> String {
    let traffic = traffic_text(&entry.protocol, entry.ports.as_ref(), entry.icmp.as_ref());
    format!("{} {} {traffic} {}", entry.number, entry.action, entry.peer)
}

/// The route as [`route`] reads it.
pub(crate) fn route_text(route: &RawRoute) -> String {
    format!("{} {}", route.destination, route.target)
}

struct Traffic {
    protocol: String,
    ports: Option<String>,
    icmp: Option<RawIcmp>,
}

fn traffic_and_peer<'a>(words: &[&'a str], usage: &str) -> Result<(Traffic, &'a str), String> {
    let (protocol, detail, peer) = match words {
        [protocol, peer] => (*protocol, None, *peer),
        [protocol, detail, peer] => (*protocol, Some(*detail), *peer),
        _ => return Err(usage.to_owned()),
    };
    let is_known = matches!(protocol, "all" | "tcp" | "udp" | "icmp")
        || (protocol.bytes().all(|byte| byte.is_ascii_digit()) && protocol.parse::<u8>().is_ok());
    if !is_known {
        return Err(format!(
            "{protocol} is no protocol; write all, tcp, udp, icmp or a number up to 255"
        ));
    }
    let mut traffic = Traffic {
        protocol: protocol.to_owned(),
        ports: None,
        icmp: None,
    };
    match (protocol, detail) {
        (_, None) | ("tcp" | "udp" | "icmp", Some("all")) => {}
        ("tcp" | "udp", Some(ports)) => {
            ports
                .parse::<L4PortRange>()
                .map_err(|error| error.to_string())?;
            traffic.ports = Some(ports.to_owned());
        }
        ("icmp", Some(message)) => traffic.icmp = Some(icmp(message)?),
        (_, Some(detail)) => return Err(format!("{protocol} has no {detail}; {usage}")),
    }
    Ok((traffic, peer))
}

fn icmp(text: &str) -> Result<RawIcmp, String> {
    let number = |text: &str| {
        let found: Result<u8, _> = text.parse();
        found.map(u64::from).map_err(|_| {
            format!("{text} is no type or code of ICMP; write TYPE or TYPE/CODE, like 8/0")
        })
    };
    Ok(match text.split_once('/') {
        None => RawIcmp {
            icmp_type: number(text)?,
            code: None,
        },
        Some((icmp_type, code)) => RawIcmp {
            icmp_type: number(icmp_type)?,
            code: Some(number(code)?),
        },
    })
}

fn traffic_text(protocol: &str, ports: Option<&String>, icmp: Option<&RawIcmp>) -> String {
    match (ports, icmp) {
        (Some(ports), _) => format!("{protocol} {ports}"),
        (
            None,
            Some(RawIcmp {
                icmp_type,
                code: Some(code),
            }),
        ) => {
            format!("{protocol} {icmp_type}/{code}")
        }
        (
            None,
            Some(RawIcmp {
                icmp_type,
                code: None,
            }),
        ) => format!("{protocol} {icmp_type}"),
        (None, None) => protocol.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_shown() {
        for text in [
            "tcp 80 0.0.0.0/0",
            "udp 5000-5010 10.0.0.0/8",
            "tcp group:web",
            "icmp 8/0 10.0.1.0/24",
            "icmp 3 10.0.1.0/24",
            "icmp 0.0.0.0/0",
            "all group:web",
            "47 192.0.2.1/32",
            "tcp 22 192.0.2.0/24 # from the office",
        ] {
            let read = rule(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(rule_text(&read), text);
        }
        assert_eq!(
            rule(" tcp   all\tgroup:web ").unwrap(),
            rule("tcp group:web").unwrap()
        );
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for (text, expected) in [
            ("", "write PROTOCOL"),
            ("tcp", "write PROTOCOL"),
            ("tcp 80 0.0.0.0/0 more", "write PROTOCOL"),
            ("tpc 80 0.0.0.0/0", "tpc is no protocol"),
            ("256 0.0.0.0/0", "256 is no protocol"),
            ("+6 0.0.0.0/0", "+6 is no protocol"),
            ("tcp 90-80 0.0.0.0/0", "90-80"),
            ("tcp 65536 0.0.0.0/0", "65536"),
            ("all 80 0.0.0.0/0", "all has no 80"),
            ("47 80 0.0.0.0/0", "47 has no 80"),
            ("icmp 256 0.0.0.0/0", "256 is no type"),
            ("tcp 80 10.0.0.1", "10.0.0.1/32"),
            ("tcp 80 web", "web is no CIDR"),
        ] {
            let error = rule(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn entries_are_read_and_shown() {
        for text in ["100 allow tcp 80 0.0.0.0/0", "32766 deny all 10.0.0.0/8"] {
            assert_eq!(entry_text(&entry(text).unwrap()), text);
        }
        for (text, expected) in [
            ("allow tcp 80 0.0.0.0/0", "allow is no number"),
            ("100 permit all 0.0.0.0/0", "neither allow nor deny"),
            ("100 allow all group:web", "no CIDR"),
            ("100 allow", "write NUMBER"),
        ] {
            let error = entry(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn routes_are_read_and_shown() {
        for text in ["0.0.0.0/0 node:fw", "192.0.2.0/24 blackhole"] {
            assert_eq!(route_text(&route(text).unwrap()), text);
        }
        for text in ["0.0.0.0/0", "default node:fw", "0.0.0.0/0 via node:fw"] {
            assert!(route(text).is_err(), "{text}");
        }
    }
}
