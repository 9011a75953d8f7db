//! Checks of where a node is, and of its port if that is here.

use crate::field_path::FieldPath;
use crate::invalid_value::{in_range, shown};
use crate::limits::{NEW_FLOWS_PER_S, NEW_FLOWS_PER_S_DEFAULT};
use crate::raw::RawNode;
use crate::{FlowsMax, InterfaceName, Place, Port};

use super::context::{Context, HostPlace, parse};

/// The host of the node, with its port if that is this one; and the port that is prepared here if it is not.
pub(super) fn place<'a>(
    raw: &'a RawNode,
    path: &FieldPath<'_>,
    context: &mut Context<'a>,
) -> Option<(Place, Option<Port>)> {
    let interface = interface(raw, &path.field("interface"), context);
    let flows_max = match raw.flows_max {
        Some(flows) => context
            .problems
            .take(&path.field("flows_max"), FlowsMax::new(flows)),
        None => context.flows_per_port,
    };
    let rate = raw.new_flows_per_s.unwrap_or(NEW_FLOWS_PER_S_DEFAULT);
    let rate = in_range("rate of new flows", rate, &NEW_FLOWS_PER_S);
    let rate = context.problems.take(&path.field("new_flows_per_s"), rate);
    let port = || {
        Some(Port {
            interface: interface?,
            flows_max: flows_max?,
            new_flows_per_s: u32::try_from(rate?).ok()?,
        })
    };
    match context.places.get(raw.host.as_str()) {
        Some(HostPlace::Remote(index)) if raw.is_prepared => {
            Some((Place::Remote(*index), Some(port()?)))
        }
        Some(HostPlace::Remote(index)) => Some((Place::Remote(*index), None)),
        Some(HostPlace::Local) => Some((Place::Local(port()?), None)),
        None => {
            let host = shown(&raw.host);
            let message = format!("there is no host {host}; add it to hosts or correct the name");
            context.problems.add(&path.field("host"), message);
            None
        }
    }
}

fn interface<'a>(
    raw: &'a RawNode,
    path: &FieldPath<'_>,
    context: &mut Context<'a>,
) -> Option<InterfaceName> {
    let is_on_it = context.places.get(raw.host.as_str()) == Some(&HostPlace::Local);
    let is_local = is_on_it || raw.is_prepared;
    let Some(text) = &raw.interface else {
        if is_local {
            let message = "a node on this host needs its interface; name the host's side of it";
            context.problems.add(path, message);
        }
        return None;
    };
    let interface = parse(text, path, context.problems)?;
    if is_local && context.uplinks.contains(text) {
        let message = format!("{interface} is an uplink; name the interface to the node");
        context.problems.add(path, message);
    }
    let host = if is_local {
        context.own_host
    } else {
        raw.host.as_str()
    };
    let key = (host, text.as_str());
    if let Some(other) = context.interfaces.insert(key, path.to_string()) {
        let message = format!("{interface} is {other} already; give each node its own interface");
        context.problems.add(path, message);
    }
    Some(interface)
}
