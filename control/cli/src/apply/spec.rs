//! Specs in one form: what is left out is written as its default, so that two that mean the same are the same.

use inlay_api::objects::{
    AclSpec, HostSpec, Kind, NetworkSpec, NodeSpec, ObjectKind, PeeringSpec, PortSpec, ProjectSpec,
    RouteTableSpec, SecurityGroupSpec, SubnetSpec, TokenSpec,
};
use serde_json::Value;

/// The spec of this kind, in its one form.
pub(crate) fn normal(kind: Kind, spec: &Value) -> serde_json::Result<Value> {
    match kind {
        Kind::Project => through::<ProjectSpec>(spec),
        Kind::Host => through::<HostSpec>(spec),
        Kind::Token => through::<TokenSpec>(spec),
        Kind::Network => through::<NetworkSpec>(spec),
        Kind::Peering => through::<PeeringSpec>(spec),
        Kind::SecurityGroup => through::<SecurityGroupSpec>(spec),
        Kind::Acl => through::<AclSpec>(spec),
        Kind::RouteTable => through::<RouteTableSpec>(spec),
        Kind::Subnet => through::<SubnetSpec>(spec),
        Kind::Node => through::<NodeSpec>(spec),
        Kind::Port => through::<PortSpec>(spec),
    }
}

fn through<S: ObjectKind>(spec: &Value) -> serde_json::Result<Value> {
    serde_json::to_value(serde_json::from_value::<S>(spec.clone())?)
}
