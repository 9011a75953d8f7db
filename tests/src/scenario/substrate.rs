//! One packet as it crosses the fabric, taken apart.

use std::{net::SocketAddrV4, thread};

use anyhow::{Context as _, Result, bail};
use inlay_core::{
    packet::Packet,
    pipeline::parse::L3,
    substrate::SubstrateAddress,
    wire::{ipv6, l4},
};
use serde::Serialize;

use super::{B, TwoHosts};
use crate::netns::{
    frame::FrameSocket,
    probe::{self, Greeter, PATIENCE},
};

/// A field of the packet and what it carries.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Field {
    /// Its name in the IPv6 header.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// What it says about the tenant's packet.
    pub meaning: String,
}

/// Captures a TCP segment from red-a to red-b between the fabric and host 2.
///
/// # Errors
/// Where none passes.
pub fn capture(topology: &TwoHosts) -> Result<Vec<Field>> {
    let socket = FrameSocket::open(&topology.fabric, "host2")?;
    let server = Greeter::listen(&topology.red_b, 8080)?;
    thread::scope(|scope| {
        let talk = scope.spawn(|| probe::tcp(&topology.red_a, &server, SocketAddrV4::new(B, 8080)));
        let frame = socket.receive(PATIENCE, |frame| {
            header(frame).is_some_and(|header| {
                header.next_header == l4::TCP
                    && header.destination.virtual_ip.octets() == B.octets()
            })
        })?;
        match talk.join() {
            Ok(done) => done?,
            Err(_) => bail!("the connection panicked"),
        };
        let header = header(&frame.context("no segment passed the fabric")?).context("a header")?;
        Ok(decode(&header))
    })
}

fn header(frame: &[u8]) -> Option<ipv6::Header> {
    let mut bytes = frame.to_vec();
    let mut packet = Packet::new(&mut bytes);
    let window = packet.window::<{ ipv6::LEN }>(L3)?;
    Some(ipv6::Header::of(&window)).filter(|header| header.version() == 6)
}

/// The header, field by field.
#[must_use]
pub fn decode(header: &ipv6::Header) -> Vec<Field> {
    let label = header.label();
    let field = |name, value: String, meaning: String| Field {
        name,
        value,
        meaning,
    };
    vec![
        field(
            "traffic class",
            format!("{:#04x}", header.traffic_class()),
            "the tenant's TOS, ECN included".to_owned(),
        ),
        field(
            "flow label",
            format!("{:#07x}", label.bits()),
            format!(
                "hash {:#05x} of the 5-tuple, and the tenant's TTL {}",
                label.bits() >> 8,
                label.ttl()
            ),
        ),
        field(
            "payload length",
            header.payload_length.to_string(),
            "transport header and data".to_owned(),
        ),
        field(
            "next header",
            header.next_header.to_string(),
            "the tenant's protocol".to_owned(),
        ),
        field(
            "hop limit",
            header.hop_limit.to_string(),
            "255, less the routers passed".to_owned(),
        ),
        address("source", &header.source),
        address("destination", &header.destination),
    ]
}

fn address(name: &'static str, address: &SubstrateAddress) -> Field {
    Field {
        name,
        value: std::net::Ipv6Addr::from(address.octets()).to_string(),
        meaning: format!(
            "host {}, kind {}, network {}, address {}",
            address.prefix,
            address.tag.kind(),
            address.tag.vni(),
            address.virtual_ip
        ),
    }
}
