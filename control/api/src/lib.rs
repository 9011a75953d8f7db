//! The desired state of one host: what its agent must make true, as typed and validated data.
//!
//! ```text
//! host.yaml --read--> RawState --validate--> HostState --(agent) compile--> BPF maps
//!                        ^
//!             the manager's messages
//! ```
//!
//! - [`raw`] holds the shapes as they are written: text and numbers, nothing checked.
//! - [`HostState`] holds validated types. It is made by validation only, so whoever has one need
//!   not check it: every reference resolves, every range holds, nothing overlaps.
//! - [`Refusal`] is what comes instead: every problem found, each with its file, line, field and
//!   what to do.
//!
//! The crate reads and checks. It does not know of BPF maps, hosts' kernels or networks' sockets,
//! and depends on nothing that does.

mod field_path;
mod host;
mod host_prefix;
mod host_state;
mod index;
mod invalid_value;
pub mod join_token;
pub mod limits;
mod locate;
mod mac_address;
mod name;
mod network;
mod node;
pub mod objects;
mod problem;
mod quantity;
pub mod raw;
mod read;
mod route;
mod rule;
mod validate;
mod vni;
pub mod wire;

pub use host::{LocalHost, RemoteHost, XdpMode};
pub use host_prefix::HostPrefix;
pub use host_state::{HostState, LocalPort, Mapping};
pub use index::{AclIndex, GroupIndex, HostIndex, NodeIndex, RouteTableIndex, SubnetIndex};
pub use invalid_value::InvalidValue;
pub use mac_address::MacAddress;
pub use name::{InterfaceName, Name};
pub use network::{Network, Subnet};
pub use node::{Node, Place, Port};
pub use problem::{Problem, Refusal};
pub use quantity::{FlowsMax, SubstrateMtu};
pub use read::{read_file, read_yaml};
pub use route::{Route, RouteTable, RouteTarget};
pub use rule::{
    Acl, AclAction, AclEntry, IcmpMatch, L4PortRange, OtherProtocol, Peer, Rule, SecurityGroup,
    Traffic,
};
pub use vni::Vni;
