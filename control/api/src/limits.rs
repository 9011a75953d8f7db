//! The most of everything that one host's state may hold, and the ranges of its numbers.
//!
//! Each limit bounds a map of the dataplane or a loop of the agent. Memory costs are of the
//! validated state in the agent; what a map costs is said where the map is defined.

use std::ops::RangeInclusive;

/// The only version of the file's schema.
pub const SCHEMA_VERSION: u64 = 1;

/// Largest file that is read, in bytes (16 MiB). A full state of [`MAPPINGS_MAX`] nodes takes about 12 MiB.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Deepest nesting of a file. The schema needs 7 levels.
pub const FILE_DEPTH_MAX: usize = 16;
/// Problems listed in one refusal; those beyond are counted. About 200 bytes each.
pub const PROBLEMS_MAX: usize = 1_000;
/// Longest description of a rule, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 255;

/// Hosts, this one included. 48 bytes each.
pub const HOSTS_MAX: usize = 16_384;
/// Uplinks of this host.
pub const UPLINKS_MAX: usize = 8;
/// Networks on a host: drop counters are kept per network, in an array numbered by one byte.
pub const NETWORKS_MAX: usize = 255;
/// CIDRs of one network; each is an implicit local route of every route table.
pub const NETWORK_CIDRS_MAX: usize = 16;
/// Subnets of all networks together.
pub const SUBNETS_MAX: usize = 1_024;
/// Route tables of all networks together: one for each subnet.
pub const ROUTE_TABLES_MAX: usize = 1_024;
/// Routes of one table, the implicit local ones included. 12 bytes each.
pub const ROUTES_PER_TABLE_MAX: usize = 1_000;
/// Security groups of all networks together.
pub const SECURITY_GROUPS_MAX: usize = 4_096;
/// Rules that apply to one port: those of all its groups, both directions together. 56 bytes each.
pub const RULES_PER_PORT_MAX: usize = 1_024;
/// Access control lists of all networks together: one for each subnet.
pub const ACLS_MAX: usize = 1_024;
/// Entries of one access control list, both directions together. 24 bytes each.
pub const ACL_ENTRIES_MAX: usize = 1_024;
/// Ports on this host: nodes whose host is this one.
pub const LOCAL_PORTS_MAX: usize = 1_024;
/// Mappings: addresses of all nodes of all networks, local ones included. About 150 bytes a node.
pub const MAPPINGS_MAX: usize = 65_536;
/// Addresses of one node.
pub const NODE_ADDRESSES_MAX: usize = 16;
/// Security groups of one node.
pub const NODE_GROUPS_MAX: usize = 16;
/// Flows of all ports of this host together.
pub const FLOWS_MAX: u64 = 262_144;

/// Labels of one object.
pub const LABELS_MAX: usize = 16;
/// Longest key or value of a label, in bytes.
pub const LABEL_BYTES_MAX: usize = 63;
/// Name servers of one network.
pub const DNS_SERVERS_MAX: usize = 3;
/// Longest domain of a network, in bytes (RFC 1035 without the last dot).
pub const DNS_DOMAIN_BYTES_MAX: usize = 253;
/// Nodes that one request makes.
pub const NODE_COUNTS: RangeInclusive<u64> = 1..=10_000;
/// Nodes of one type on one host. A dataplane has [`LOCAL_PORTS_MAX`] ports.
pub const HOST_CAPACITIES: RangeInclusive<u64> = 0..=65_536;
/// Addresses that a host can be said to know. A dataplane knows [`MAPPINGS_MAX`].
pub const HOST_MAPPINGS: RangeInclusive<u64> = 1..=16_777_216;

/// Numbers that order the entries of an access control list.
pub const ACL_NUMBERS: RangeInclusive<u64> = 1..=32_766;
/// Flows of one port; also a power of two.
pub const PORT_FLOWS: RangeInclusive<u64> = 64..=65_536;
/// Flows of one port, where nothing is said.
pub const PORT_FLOWS_DEFAULT: u64 = 4_096;
/// New flows a port may open in a second.
pub const NEW_FLOWS_PER_S: RangeInclusive<u64> = 1..=1_000_000;
/// New flows a port may open in a second, where nothing is said.
pub const NEW_FLOWS_PER_S_DEFAULT: u64 = 10_000;
/// Least hop limit of a packet from the substrate.
pub const HOP_LIMITS: RangeInclusive<u64> = 1..=255;
/// Least hop limit of a packet from the substrate, where nothing is said: 15 routers in between.
pub const HOP_LIMIT_MIN_DEFAULT: u64 = 240;
/// Bytes of a substrate packet: a virtual packet of 1,280 bytes at least.
pub const SUBSTRATE_MTUS: RangeInclusive<u64> = 1_308..=65_535;
/// Bytes of a substrate packet, where nothing is said: a virtual packet of 1,500.
pub const SUBSTRATE_MTU_DEFAULT: u64 = 1_528;
/// Bytes by which inlaying lengthens a packet at most: 20 of header, 8 of Fragment header.
pub const INLAY_BYTES_MAX: u16 = 28;
/// Longest prefix of a subnet: two addresses besides the network's and the broadcast one.
pub const SUBNET_PREFIX_LEN_MAX: u8 = 30;
