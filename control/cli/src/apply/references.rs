//! Objects that refer to each other in a circle: a subnet names its route table, whose routes lead to nodes, which are
//! in the subnet; security groups name each other. One of them has to be there before what it refers to, without it.

use std::collections::BTreeSet;

use inlay_api::objects::Kind;
use serde_json::Value;

use crate::client::address::{self, Place};

/// What is made by a plan and was not there before.
pub(crate) type Made = BTreeSet<(Kind, Place, String)>;

/// The spec without what refers to objects that are to be made; `None` where nothing does.
pub(crate) fn without(
    kind: Kind,
    place: &Place,
    name: &str,
    spec: &Value,
    made: &Made,
) -> Option<Value> {
    let refers = |element: &Value| {
        let reference = reference(kind, element);
        reference.is_some_and(|(kind, other)| {
            let is_itself = other == name;
            !is_itself && made.contains(&(kind, place.clone(), other.to_owned()))
        })
    };
    filtered(kind, spec, refers)
}

/// The spec without what refers to any object, so that those can be deleted; `None` where nothing does.
pub(crate) fn without_any(kind: Kind, spec: &Value) -> Option<Value> {
    filtered(kind, spec, |element| reference(kind, element).is_some())
}

fn filtered(kind: Kind, spec: &Value, refers: impl Fn(&Value) -> bool) -> Option<Value> {
    let mut less = spec.clone();
    let mut is_less = false;
    for field in lists(kind) {
        if let Some(Value::Array(elements)) = less.get_mut(*field) {
            let before = elements.len();
            elements.retain(|element| !refers(element));
            is_less |= elements.len() < before;
        }
    }
    is_less.then_some(less)
}

/// The lists of a spec whose elements may refer to what comes later.
fn lists(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::RouteTable => &["routes"],
        Kind::SecurityGroup => &["inbound", "outbound"],
        Kind::Project
        | Kind::Host
        | Kind::Token
        | Kind::Network
        | Kind::Peering
        | Kind::Subnet
        | Kind::Node
        | Kind::Port
        | Kind::Acl => &[],
    }
}

/// What a route or a rule refers to.
fn reference(kind: Kind, element: &Value) -> Option<(Kind, &str)> {
    if kind == Kind::RouteTable {
        let name = address::text(element, "/target").strip_prefix("node:")?;
        return Some((Kind::Node, name));
    }
    let name = address::text(element, "/peer").strip_prefix("group:")?;
    Some((Kind::SecurityGroup, name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_not_there_yet_is_left_out() {
        let place = Place::of_network("acme", "main");
        let made = Made::from([(Kind::Node, place.clone(), "fw".to_owned())]);
        let spec = json!({"routes": [
            {"destination": "0.0.0.0/0", "target": "node:fw"},
            {"destination": "192.0.2.0/24", "target": "node:there"},
            {"destination": "198.51.100.0/24", "target": "blackhole"},
        ]});
        let less = without(Kind::RouteTable, &place, "rt", &spec, &made).unwrap();
        assert_eq!(less["routes"].as_array().unwrap().len(), 2);
        let less = without_any(Kind::RouteTable, &spec).unwrap();
        assert_eq!(less["routes"].as_array().unwrap().len(), 1);
        assert_eq!(
            without(Kind::RouteTable, &place, "rt", &spec, &Made::new()),
            None
        );
    }

    #[test]
    fn a_group_may_name_itself() {
        let place = Place::of_network("acme", "main");
        let group = |name: &str| (Kind::SecurityGroup, place.clone(), name.to_owned());
        let made = Made::from([group("a"), group("b")]);
        let spec = json!({"inbound": [{"protocol": "all", "peer": "group:a"}, {"protocol": "all", "peer": "group:b"}]});
        let less = without(Kind::SecurityGroup, &place, "a", &spec, &made).unwrap();
        assert_eq!(
            less,
            json!({"inbound": [{"protocol": "all", "peer": "group:a"}]})
        );
    }
}
