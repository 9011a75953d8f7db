//! What the agent's tests share: states, interfaces, and a reader of images.

#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod example;
pub(crate) mod fake_backend;
pub(crate) mod fake_host;
pub(crate) mod fake_manager;
pub(crate) mod image_tables;
pub(crate) mod resources;
pub(crate) mod states;
pub(crate) mod temporary;

use std::net::Ipv4Addr;

use inlay_agent::interface::{Interface, Interfaces};
use inlay_api::{HostState, InterfaceName, read_yaml};
use inlay_core::{
    ids::{VirtualIp, Vni},
    substrate::Tag,
};

/// The state that `yaml` describes.
pub(crate) fn state(yaml: &str) -> HostState {
    read_yaml("host.yaml", yaml.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// An interface of the number `index`, fit for everything.
pub(crate) fn interface(index: u32) -> Interface {
    Interface {
        index,
        mtu: 9000,
        is_up: true,
    }
}

/// The interfaces `names`, numbered from 11 on.
pub(crate) fn interfaces<'a>(names: impl IntoIterator<Item = &'a str>) -> Interfaces {
    names
        .into_iter()
        .map(str::to_owned)
        .zip((11..).map(interface))
        .collect()
}

/// Every interface that `state` names, numbered in the order of their names.
pub(crate) fn all_interfaces(state: &HostState) -> Interfaces {
    let mut names: Vec<&str> = state
        .host()
        .uplinks
        .iter()
        .map(InterfaceName::as_str)
        .collect();
    names.extend(state.local_ports().map(|port| port.port.interface.as_str()));
    names.sort_unstable();
    interfaces(names)
}

pub(crate) fn tag(vni: u32) -> Tag {
    Tag::ipv4(Vni::new(vni).unwrap())
}

pub(crate) fn virtual_ip(text: &str) -> VirtualIp {
    VirtualIp::from_octets(text.parse::<Ipv4Addr>().unwrap().octets())
}

/// Waits until `is_so`, which nobody notifies of.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(fake_manager::DEADLINE, async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what}"));
}
