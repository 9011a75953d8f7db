//! Where objects are in the API's tree of paths.

use std::fmt::Write as _;

use inlay_api::objects::{Kind, Scope};
use serde_json::Value;

/// Whose an object is: what its kind has not is empty.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place {
    /// Its project.
    pub(crate) project: String,
    /// Its network.
    pub(crate) network: String,
}

impl Place {
    /// Of what a project has.
    pub(crate) fn of_project(project: &str) -> Self {
        Self {
            project: project.to_owned(),
            network: String::new(),
        }
    }

    /// Of what a network has.
    pub(crate) fn of_network(project: &str, network: &str) -> Self {
        Self {
            project: project.to_owned(),
            network: network.to_owned(),
        }
    }
}

/// The path of a list.
pub(crate) fn collection(kind: Kind, place: &Place) -> String {
    let project = encode(&place.project);
    let plural = kind.plural();
    match kind.scope() {
        Scope::System => format!("/v1/{plural}"),
        Scope::Project => format!("/v1/projects/{project}/{plural}"),
        Scope::Network => {
            let network = encode(&place.network);
            format!("/v1/projects/{project}/networks/{network}/{plural}")
        }
    }
}

/// The path of an object.
pub(crate) fn object(kind: Kind, place: &Place, name: &str) -> String {
    format!("{}/{}", collection(kind, place), encode(name))
}

/// For a path or a query: whatever is not unreserved (RFC 3986, section 2.3) is percent-encoded.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The text at a JSON pointer of an object; empty where there is none.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The revision of an object's last change.
pub(crate) fn revision(object: &Value) -> Option<u64> {
    object.pointer("/metadata/revision").and_then(Value::as_u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_the_scope() {
        let place = Place::of_network("acme", "main");
        for (kind, expected) in [
            (Kind::Host, "/v1/hosts/a"),
            (Kind::Network, "/v1/projects/acme/networks/a"),
            (
                Kind::SecurityGroup,
                "/v1/projects/acme/networks/main/security-groups/a",
            ),
        ] {
            assert_eq!(object(kind, &place, "a"), expected);
        }
    }

    #[test]
    fn a_name_cannot_leave_its_segment() {
        let path = object(Kind::Host, &Place::default(), "../x?y");
        assert_eq!(path, "/v1/hosts/..%2Fx%3Fy");
        assert_eq!(encode("a=ä b"), "a%3D%C3%A4%20b");
    }
}
