//! Headers, one protocol a file: layout, reading, writing. Nothing here decides anything.

pub mod arp;
pub mod ethernet;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod l4;
