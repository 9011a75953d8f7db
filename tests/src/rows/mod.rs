//! The fixture rows, one topic a file. Every permission has its prohibition beside it.

mod acl;
mod anti_spoof;
pub(crate) mod arp;
mod dhcp;
mod epochs;
mod firewall;
mod forwarder;
mod fragments;
mod icmp;
mod malformed;
mod malformed_inbound;
mod mtu;
mod not_carried;
mod rate;
mod rings;
mod router;
mod routes;
pub(crate) mod substrate_errors;
mod tcp_state;
mod translation;

use crate::row::Row;

/// All rows.
#[must_use]
pub fn all() -> Vec<Row> {
    [
        acl::rows,
        anti_spoof::rows,
        arp::rows,
        dhcp::rows,
        epochs::rows,
        firewall::rows,
        forwarder::rows,
        fragments::rows,
        icmp::rows,
        malformed::rows,
        malformed_inbound::rows,
        mtu::rows,
        not_carried::rows,
        rate::rows,
        rings::rows,
        router::rows,
        routes::rows,
        substrate_errors::rows,
        tcp_state::rows,
        translation::rows,
    ]
    .iter()
    .flat_map(|rows| rows())
    .collect()
}
