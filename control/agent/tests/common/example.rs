//! The documentation's example, compiled, and ways to its records.

use inlay_agent::{
    compile::{Compiled, compile},
    interface::Interfaces,
};
use inlay_api::HostState;
use inlay_core::{
    ids::HostPrefix,
    tables::records::{Interval, MappingKey, MappingRecord, PortRecord, Span, SubnetRecord},
};
use inlay_dataplane::image::Image;

use super::{interfaces, state, tag, virtual_ip};

pub(crate) const EXAMPLE: &str = include_str!("../../../api/examples/host.yaml");
pub(crate) const HOST1: HostPrefix = HostPrefix::from_octets([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1]);
pub(crate) const HOST2: HostPrefix = HostPrefix::from_octets([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 2]);
pub(crate) const RED: u32 = 0xaa;

/// uplink0 is 11, red-a 12, blue-a 13.
pub(crate) fn here() -> Interfaces {
    interfaces(["uplink0", "red-a", "blue-a"])
}

pub(crate) fn compiled(
    state: &HostState,
    interfaces: &Interfaces,
    previous: &[&Image],
) -> Compiled {
    compile(state, interfaces, previous).unwrap()
}

pub(crate) fn example() -> Compiled {
    compiled(&state(EXAMPLE), &here(), &[])
}

pub(crate) fn port(image: &Image, vni: u32) -> (u32, PortRecord) {
    let found = image.ports.iter().find(|(_, port)| port.tag == tag(vni));
    found.map(|(slot, port)| (*slot, *port)).unwrap()
}

pub(crate) fn mapping(image: &Image, address: &str) -> MappingRecord {
    image.mappings[&MappingKey {
        tag: tag(RED),
        virtual_ip: virtual_ip(address),
    }]
}

pub(crate) fn red_subnet(image: &Image, address: &str) -> (u32, SubnetRecord) {
    let is_it = |it: &SubnetRecord| it.tag == tag(RED) && it.virtual_ip == virtual_ip(address);
    let found = image.subnets.iter().find(|(_, subnet)| is_it(subnet));
    found.map(|(slot, subnet)| (*slot, *subnet)).unwrap()
}

pub(crate) fn table(image: &Image, span: Span) -> Vec<(String, u32)> {
    let places = span.base..span.base + span.count;
    places
        .map(|place| {
            let Interval { start, value } = image.intervals[&place];
            (std::net::Ipv4Addr::from_bits(start).to_string(), value)
        })
        .collect()
}
