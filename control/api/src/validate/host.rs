//! Checks of the hosts: names and prefixes, and the settings of this one.

use std::collections::HashMap;

use crate::field_path::FieldPath::{self, Root};
use crate::invalid_value::{in_range, quoted, shown};
use crate::limits::{
    HOP_LIMIT_MIN_DEFAULT, HOP_LIMITS, HOSTS_MAX, PORT_FLOWS_DEFAULT, SUBSTRATE_MTU_DEFAULT,
    UPLINKS_MAX,
};
use crate::problem::Problems;
use crate::raw::{RawHost, RawRemoteHost, RawState};
use crate::{
    FlowsMax, HostIndex, HostPrefix, InterfaceName, LocalHost, RemoteHost, SubstrateMtu, XdpMode,
};

use super::context::{HostPlace, bounded, name, parse};

pub(super) fn local_host(raw: &RawHost, problems: &mut Problems) -> Option<LocalHost> {
    let path = Root.field("host");
    let name = name(&raw.name, &path, problems);
    let prefix = parse(&raw.prefix, &path.field("prefix"), problems);
    let uplinks = uplinks(&raw.uplinks, &path.field("uplinks"), problems);
    let mtu = raw.substrate_mtu.unwrap_or(SUBSTRATE_MTU_DEFAULT);
    let substrate_mtu = problems.take(&path.field("substrate_mtu"), SubstrateMtu::new(mtu));
    let hop_limit = raw.hop_limit_min.unwrap_or(HOP_LIMIT_MIN_DEFAULT);
    let hop_limit = in_range("hop limit", hop_limit, &HOP_LIMITS);
    let hop_limit_min = problems.take(&path.field("hop_limit_min"), hop_limit);
    let xdp_mode = xdp_mode(raw.xdp_mode.as_deref(), &path.field("xdp_mode"), problems);
    let flows = raw.flows_per_port.unwrap_or(PORT_FLOWS_DEFAULT);
    let flows_per_port = problems.take(&path.field("flows_per_port"), FlowsMax::new(flows));
    Some(LocalHost {
        name: name?,
        prefix: prefix?,
        uplinks,
        substrate_mtu: substrate_mtu?,
        hop_limit_min: u8::try_from(hop_limit_min?).ok()?,
        xdp_mode: xdp_mode?,
        flows_per_port: flows_per_port?,
    })
}

fn uplinks(raw: &[String], path: &FieldPath<'_>, problems: &mut Problems) -> Vec<InterfaceName> {
    if raw.is_empty() {
        problems.add(
            path,
            "no uplink is named; name the interface to the substrate",
        );
    }
    let raw = bounded(raw, UPLINKS_MAX, "uplinks", path, problems);
    for (place, uplink) in raw.iter().enumerate() {
        if raw[..place].contains(uplink) {
            let uplink = quoted(uplink);
            problems.add(
                &path.element(place),
                format!("{uplink} is named twice; take one of them out"),
            );
        }
    }
    let places = raw.iter().enumerate();
    places
        .filter_map(|(place, uplink)| parse(uplink, &path.element(place), problems))
        .collect()
}

fn xdp_mode(raw: Option<&str>, path: &FieldPath<'_>, problems: &mut Problems) -> Option<XdpMode> {
    match raw {
        None | Some("native") => Some(XdpMode::Native),
        Some("generic") => Some(XdpMode::Generic),
        Some(other) => {
            let message = format!(
                "{} is not an XDP mode; use native or generic",
                quoted(other)
            );
            problems.add(path, message);
            None
        }
    }
}

/// The other hosts, and the places of all hosts by name.
pub(super) fn remote_hosts<'a>(
    raw: &'a RawState,
    problems: &mut Problems,
) -> (Vec<RemoteHost>, HashMap<&'a str, HostPlace>) {
    let path = Root.field("hosts");
    let listed = bounded(&raw.hosts, HOSTS_MAX - 1, "other hosts", &path, problems);
    let mut places = HashMap::from([(raw.host.name.as_str(), HostPlace::Local)]);
    let mut owners = HashMap::new();
    if let Ok(prefix) = raw.host.prefix.parse::<HostPrefix>() {
        owners.insert(prefix, raw.host.name.as_str());
    }
    let mut hosts = Vec::new();
    for (place, raw_host) in listed.iter().enumerate() {
        let path = path.element(place);
        let index = HostPlace::Remote(HostIndex::new(place));
        if *places.entry(&raw_host.name).or_insert(index) != index {
            let message = format!(
                "host {} is there already; rename one, or take this host itself out of hosts",
                shown(&raw_host.name)
            );
            problems.add(&path.field("name"), message);
        }
        hosts.extend(remote_host(raw_host, &path, &mut owners, problems));
    }
    (hosts, places)
}

fn remote_host<'a>(
    raw: &'a RawRemoteHost,
    path: &FieldPath<'_>,
    owners: &mut HashMap<HostPrefix, &'a str>,
    problems: &mut Problems,
) -> Option<RemoteHost> {
    let name = name(&raw.name, path, problems);
    let path = path.field("prefix");
    let prefix = parse(&raw.prefix, &path, problems)?;
    if let Some(owner) = owners.insert(prefix, &raw.name) {
        let owner = shown(owner);
        let message = format!("{prefix} is the prefix of host {owner} too; give each host its own");
        problems.add(&path, message);
    }
    Some(RemoteHost {
        name: name?,
        prefix,
    })
}
