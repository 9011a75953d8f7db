//! The kinds of objects, where they are in the tree of paths, and what they are called.

use serde::{Serialize, de::DeserializeOwned};

use super::Object;

/// Whose an object is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// The operator's: `/v1/PLURAL/NAME`.
    System,
    /// A project's: `/v1/projects/PROJECT/PLURAL/NAME`.
    Project,
    /// Part of a network: `/v1/projects/PROJECT/networks/NETWORK/PLURAL/NAME`.
    Network,
}

/// A kind of object.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Project,
    Host,
    Token,
    Network,
    Peering,
    Subnet,
    Node,
    Port,
    SecurityGroup,
    Acl,
    RouteTable,
}

impl Kind {
    /// All of them; what others refer to comes first.
    pub const ALL: [Self; 11] = [
        Self::Project,
        Self::Host,
        Self::Token,
        Self::Network,
        Self::Peering,
        Self::SecurityGroup,
        Self::Acl,
        Self::RouteTable,
        Self::Subnet,
        Self::Node,
        Self::Port,
    ];

    /// Its name: in objects, in the store's keys, on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Host => "host",
            Self::Token => "token",
            Self::Network => "network",
            Self::Peering => "peering",
            Self::Subnet => "subnet",
            Self::Node => "node",
            Self::Port => "port",
            Self::SecurityGroup => "security-group",
            Self::Acl => "acl",
            Self::RouteTable => "route-table",
        }
    }

    /// Its name in paths.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Project => "projects",
            Self::Host => "hosts",
            Self::Token => "tokens",
            Self::Network => "networks",
            Self::Peering => "peerings",
            Self::Subnet => "subnets",
            Self::Node => "nodes",
            Self::Port => "ports",
            Self::SecurityGroup => "security-groups",
            Self::Acl => "acls",
            Self::RouteTable => "route-tables",
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            Self::Project | Self::Host | Self::Token => Scope::System,
            Self::Network | Self::Peering => Scope::Project,
            Self::Subnet
            | Self::Node
            | Self::Port
            | Self::SecurityGroup
            | Self::Acl
            | Self::RouteTable => Scope::Network,
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An object's type, by its spec.
pub trait ObjectKind: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Which kind it is.
    const KIND: Kind;
    /// What the system decided and observed.
    type Status: Serialize + DeserializeOwned + Clone + Default + Send + Sync + 'static;
}

/// An object of the kind whose spec is `S`.
pub type ObjectOf<S> = Object<S, <S as ObjectKind>::Status>;
