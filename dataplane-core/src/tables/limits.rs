//! How many of everything a host holds, and what it costs.
//!
//! The bytes are of kernel memory for the whole map: a hash map's entry costs 48 bytes beside key
//! and value, and 16 bytes for its bucket.

/// Ports of a host: 64 KiB, and 16 KiB and a counter record per CPU for their state.
pub const PORTS_MAX: u32 = 1024;
/// Uplinks of a host.
pub const UPLINKS_MAX: u32 = 8;
/// Devices that a packet can be sent to: ports first, then uplinks.
pub const DEVICES_MAX: u32 = PORTS_MAX + UPLINKS_MAX;
/// Interface numbers are looked up by their low 16 bits: 512 KiB.
pub const INTERFACES_MAX: u32 = 1 << 16;
/// Networks that have a port on a host; slot 0 stands for "none". 4 KiB, and 1 KiB of counters
/// each for every CPU.
pub const NETWORKS_MAX: u32 = 256;
/// Subnets of those networks: 32 KiB.
pub const SUBNETS_MAX: u32 = 1024;
/// Addresses whose host is known: 6 MiB.
pub const MAPPINGS_MAX: u32 = 65_536;
/// Hosts that run a node which forwards for others, by network: 100 KiB.
pub const FORWARDERS_MAX: u32 = 1024;
/// Other hosts: 128 KiB, and 384 KiB for the next hops towards them.
pub const HOSTS_MAX: u32 = 16_384;
/// Policies, each the rules of some ports or of an access list: 80 KiB.
pub const POLICIES_MAX: u32 = 2048;
/// Intervals of all policies, subnets and route tables: 2 MiB.
pub const INTERVALS_MAX: u32 = 262_144;
/// Rows of all policies: 4 MiB.
pub const ROWS_MAX: u32 = 32_768;
/// Targets of routes: 64 KiB.
pub const ROUTE_TARGETS_MAX: u32 = 8192;
/// Flows of a host: 36 MiB, and 6 MiB for the rings.
pub const FLOWS_MAX: u32 = 262_144;
/// Datagrams in fragments that a port may have under way: 1.5 MiB for all ports.
pub const FRAGMENTS_PER_PORT: u32 = 64;
/// Bytes of the ring buffer for drop events.
pub const EVENTS_BYTES: u32 = 1 << 19;
/// Drop events that a CPU sends in a second.
pub const EVENTS_PER_SECOND: u32 = 100;

/// Rules of a policy: of a port's groups together, or of an access list, both directions.
pub const RULES_MAX: usize = 1024;
/// Intervals of one table: what twelve halvings can search.
pub const TABLE_INTERVALS_MAX: u32 = 1 << SEARCH_STEPS;
/// Halvings of a search. It always takes as many, so that its cost does not depend on the rules.
pub const SEARCH_STEPS: u32 = 12;
