//! The state as it is written: the file's shapes, with text and numbers that nothing has checked.
//!
//! A field that the file may leave out is an `Option` or a list; its default is given by
//! validation. Unknown fields are refused. `examples/host.yaml` shows the file.
//!
//! `networks`, and the `nodes` of each, have no default: a file that was cut short is refused, and not
//! taken for one that wants every port gone.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::ToSchema;

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping with version, host, hosts and networks"
)]
pub struct RawState {
    /// [`SCHEMA_VERSION`](crate::limits::SCHEMA_VERSION).
    pub version: u64,
    /// The host whose state this is.
    pub host: RawHost,
    /// The other hosts.
    #[serde(default)]
    pub hosts: Vec<RawRemoteHost>,
    /// The virtual networks; `[]` where there are none.
    #[serde(deserialize_with = "networks")]
    pub networks: Vec<RawNetwork>,
}

/// See [`LocalHost`](crate::LocalHost).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with this host's fields")]
pub struct RawHost {
    /// Name of the host.
    pub name: String,
    /// Its /64, like `2001:db8:0:1::/64`.
    pub prefix: String,
    /// Interfaces to the substrate.
    pub uplinks: Vec<String>,
    /// Bytes; [`SUBSTRATE_MTU_DEFAULT`](crate::limits::SUBSTRATE_MTU_DEFAULT) if left out.
    pub substrate_mtu: Option<u64>,
    /// [`HOP_LIMIT_MIN_DEFAULT`](crate::limits::HOP_LIMIT_MIN_DEFAULT) if left out.
    pub hop_limit_min: Option<u64>,
    /// `native` (if left out) or `generic`.
    pub xdp_mode: Option<String>,
    /// [`PORT_FLOWS_DEFAULT`](crate::limits::PORT_FLOWS_DEFAULT) if left out.
    pub flows_per_port: Option<u64>,
}

/// See [`RemoteHost`](crate::RemoteHost).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with name and prefix")]
pub struct RawRemoteHost {
    /// Name of the host.
    pub name: String,
    /// Its /64, like `2001:db8:0:2::/64`.
    pub prefix: String,
}

/// See [`Network`](crate::Network).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with a network's fields")]
pub struct RawNetwork {
    /// Name of the project that owns it, where several may have networks of one name.
    pub project: Option<String>,
    /// Name of the network.
    pub name: String,
    /// Number of the network.
    pub vni: u64,
    /// Its addresses.
    pub cidrs: Vec<String>,
    /// Its subnets.
    #[serde(default)]
    pub subnets: Vec<RawSubnet>,
    /// Its route tables.
    #[serde(default)]
    pub route_tables: Vec<RawRouteTable>,
    /// Its security groups.
    #[serde(default)]
    pub security_groups: Vec<RawSecurityGroup>,
    /// Its access control lists.
    #[serde(default)]
    pub acls: Vec<RawAcl>,
    /// Its nodes; `[]` where it has none.
    #[serde(deserialize_with = "nodes")]
    pub nodes: Vec<RawNode>,
}

/// See [`Subnet`](crate::Subnet).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with a subnet's fields")]
pub struct RawSubnet {
    /// Name of the subnet.
    pub name: String,
    /// Its addresses.
    pub cidr: String,
    /// The virtual router's address; the first usable one if left out.
    pub gateway: Option<String>,
    /// Name of its access control list.
    pub acl: Option<String>,
    /// Name of its route table.
    pub route_table: Option<String>,
}

/// See [`RouteTable`](crate::RouteTable).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with name and routes")]
pub struct RawRouteTable {
    /// Name of the table.
    pub name: String,
    /// Its routes besides the local ones.
    #[serde(default)]
    pub routes: Vec<RawRoute>,
}

/// See [`Route`](crate::Route).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Route)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping with destination and target"
)]
pub struct RawRoute {
    /// CIDR of the destinations.
    pub destination: String,
    /// `local`, `blackhole` or `node:NAME`.
    pub target: String,
}

/// See [`SecurityGroup`](crate::SecurityGroup).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping with name, inbound and outbound"
)]
pub struct RawSecurityGroup {
    /// Name of the group.
    pub name: String,
    /// Rules for flows to its nodes.
    #[serde(default)]
    pub inbound: Vec<RawRule>,
    /// Rules for flows from its nodes.
    #[serde(default)]
    pub outbound: Vec<RawRule>,
}

/// See [`Rule`](crate::Rule).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Rule)]
#[serde(deny_unknown_fields, expecting = "a mapping with a rule's fields")]
pub struct RawRule {
    /// `all`, `tcp`, `udp`, `icmp` or a number.
    pub protocol: String,
    /// `80` or `80-90`, of TCP and UDP; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<String>,
    /// Of ICMP; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp: Option<RawIcmp>,
    /// A CIDR or `group:NAME`.
    pub peer: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// See [`IcmpMatch`](crate::IcmpMatch).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = IcmpMatch)]
#[serde(deny_unknown_fields, expecting = "a mapping with type and code")]
pub struct RawIcmp {
    /// Type of the message.
    #[serde(rename = "type")]
    pub icmp_type: u64,
    /// Code of the message; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u64>,
}

/// See [`Acl`](crate::Acl).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping with name, inbound and outbound"
)]
pub struct RawAcl {
    /// Name of the list.
    pub name: String,
    /// Entries for packets that enter the subnet.
    #[serde(default)]
    pub inbound: Vec<RawAclEntry>,
    /// Entries for packets that leave the subnet.
    #[serde(default)]
    pub outbound: Vec<RawAclEntry>,
}

/// See [`AclEntry`](crate::AclEntry).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AclEntry)]
#[serde(deny_unknown_fields, expecting = "a mapping with an entry's fields")]
pub struct RawAclEntry {
    /// Order of the entry.
    pub number: u64,
    /// `allow` or `deny`.
    pub action: String,
    /// `all`, `tcp`, `udp`, `icmp` or a number.
    pub protocol: String,
    /// `80` or `80-90`, of TCP and UDP; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<String>,
    /// Of ICMP; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp: Option<RawIcmp>,
    /// A CIDR.
    pub peer: String,
}

/// See [`Node`](crate::Node).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with a node's fields")]
pub struct RawNode {
    /// Name of the node.
    pub name: String,
    /// Name of the host it is on.
    pub host: String,
    /// Its addresses, the primary one first.
    pub addresses: Vec<String>,
    /// Its link address.
    pub mac: String,
    /// Names of its security groups; `default`, if the network has it, if left out.
    pub security_groups: Option<Vec<String>>,
    /// Host's side of its interface; needed on its own host only.
    pub interface: Option<String>,
    /// Whether it may send from and receive for any address; `false` if left out.
    #[serde(default)]
    pub forwarding: bool,
    /// Whether this host has a port for it though it is on another one: it is about to move here. Not written in
    /// files.
    #[serde(skip)]
    pub is_prepared: bool,
    /// Whether it is addressed by DHCP; `false` if left out.
    #[serde(default)]
    pub dhcp: bool,
    /// Flows of its port; the host's `flows_per_port` if left out.
    pub flows_max: Option<u64>,
    /// [`NEW_FLOWS_PER_S_DEFAULT`](crate::limits::NEW_FLOWS_PER_S_DEFAULT) if left out.
    pub new_flows_per_s: Option<u64>,
}

/// A list that has to be there: nothing after the colon is no empty list.
fn written<'de, D, T>(field: &str, deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let list = Option::deserialize(deserializer)?;
    list.ok_or_else(|| D::Error::custom(format!("no list follows `{field}:`, not even []")))
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RawNetwork>, D::Error> {
    written("networks", deserializer)
}

fn nodes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RawNode>, D::Error> {
    written("nodes", deserializer)
}
