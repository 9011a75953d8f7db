//! Objects as people read them: a row in a list, or every field of one.

use inlay_api::{
    objects::{Kind, Plan, Scope},
    raw::{RawAclEntry, RawRoute, RawRule},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{address, rule_text};
use crate::output::{self, Format};

/// Headings, and the JSON pointers of what is below them. The name comes first, always.
fn columns(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Project => &[
            ("networks", "/status/usage/networks"),
            ("nodes", "/status/usage/nodes"),
            ("description", "/spec/description"),
        ],
        Kind::Host => &[
            ("state", "/status/state"),
            ("prefix", "/spec/prefix"),
            ("location", "/spec/location"),
            ("nodes", "/status/nodes"),
            ("cordoned", "/spec/cordoned"),
            ("degraded", "/status/degraded"),
        ],
        Kind::Token => &[
            ("role", "/spec/role"),
            ("project", "/spec/project"),
            ("hint", "/status/hint"),
            ("expires", "/spec/expires_at"),
            ("created", "/metadata/created_at"),
        ],
        Kind::Network => &[
            ("cidrs", "/spec/cidrs"),
            ("vni", "/status/vni"),
            ("nodes", "/status/nodes"),
            ("hosts", "/status/hosts"),
        ],
        Kind::Peering => &[
            ("network", "/spec/network"),
            ("peer project", "/spec/peer_project"),
            ("peer network", "/spec/peer_network"),
            ("state", "/status/state"),
        ],
        Kind::SecurityGroup => &[
            ("inbound", "/spec/inbound"),
            ("outbound", "/spec/outbound"),
            ("nodes", "/status/nodes"),
        ],
        Kind::Acl => &[
            ("inbound", "/spec/inbound"),
            ("outbound", "/spec/outbound"),
            ("subnets", "/status/subnets"),
        ],
        Kind::RouteTable => &[("routes", "/spec/routes"), ("subnets", "/status/subnets")],
        Kind::Subnet => &[
            ("cidr", "/spec/cidr"),
            ("gateway", "/status/gateway"),
            ("acl", "/spec/acl"),
            ("route table", "/spec/route_table"),
            ("used", "/status/addresses_used"),
            ("free", "/status/addresses_free"),
        ],
        Kind::Node => &[
            ("type", "/spec/type"),
            ("subnet", "/spec/subnet"),
            ("addresses", "/status/addresses"),
            ("host", "/status/host"),
            ("state", "/status/state"),
            ("reason", "/status/reason"),
        ],
        Kind::Port => &[
            ("subnet", "/spec/subnet"),
            ("addresses", "/status/addresses"),
            ("mac", "/status/mac"),
            ("host", "/status/host"),
            ("interface", "/status/interface"),
            ("degraded", "/status/degraded"),
        ],
    }
}

/// Whether a list says of which project and network each object is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Places {
    /// All are of one place.
    One,
    /// They are of several.
    Many,
}

/// Prints a list.
pub(crate) fn list(
    format: Format,
    kind: Kind,
    places: Places,
    objects: &[Value],
) -> anyhow::Result<()> {
    let mut columns_shown = vec![("name", "/metadata/name")];
    if places == Places::Many {
        let more = match kind.scope() {
            Scope::System => &[][..],
            Scope::Project => &[("project", "/metadata/project")],
            Scope::Network => &[
                ("project", "/metadata/project"),
                ("network", "/metadata/network"),
            ],
        };
        columns_shown.splice(0..0, more.iter().copied());
    }
    columns_shown.extend(columns(kind));
    let headings: Vec<&str> = columns_shown.iter().map(|column| column.0).collect();
    let row = |object: &Value| {
        let cells = columns_shown
            .iter()
            .map(|(_, pointer)| cell(object.pointer(pointer)));
        cells.collect()
    };
    let what = kind.plural().replace('-', " ");
    output::print(format, &what, objects, &headings, row)
}

/// Prints one object: every field, a line each.
pub(crate) fn one(format: Format, object: &Value) -> anyhow::Result<()> {
    if format != Format::Table {
        return output::document(format, object);
    }
    let mut rows = Vec::new();
    for part in ["metadata", "spec", "status"] {
        if let Some(fields) = object.get(part) {
            flatten(part, fields, &mut rows);
        }
    }
    let row = |(field, value): &(String, String)| vec![field.clone(), value.clone()];
    output::print(format, "fields", &rows, &["field", "value"], row)
}

/// Prints what a dry run answers.
pub(crate) fn plan(format: Format, body: &Value) -> anyhow::Result<()> {
    if format != Format::Table {
        return output::document(format, body);
    }
    let plan: Plan = serde_json::from_value(body.clone())?;
    output::print(
        format,
        "changes",
        &plan.steps,
        &["would", "kind", "name", "detail"],
        |step| {
            let action = format!("{:?}", step.action).to_lowercase();
            vec![
                action,
                step.kind.clone(),
                step.name.clone(),
                step.detail.clone(),
            ]
        },
    )?;
    match plan.hosts.as_slice() {
        [] => output::line("\nit touches no host"),
        hosts => output::line(&format!("\nit touches the maps of {}", hosts.join(", "))),
    }
}

/// One value in a table.
pub(crate) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => {
            let separator = if items.iter().any(Value::is_object) {
                "\n"
            } else {
                ", "
            };
            let items: Vec<String> = items.iter().map(item).collect();
            items.join(separator)
        }
        Some(other) => other.to_string(),
    }
}

/// An element of a list: rules, entries and routes as they are typed.
fn item(value: &Value) -> String {
    fn typed<T: DeserializeOwned>(value: &Value) -> Option<T> {
        serde_json::from_value(value.clone()).ok()
    }
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(rule) = typed::<RawRule>(value) {
        return rule_text::rule_text(&rule);
    }
    if let Some(entry) = typed::<RawAclEntry>(value) {
        return rule_text::entry_text(&entry);
    }
    if let Some(route) = typed::<RawRoute>(value) {
        return rule_text::route_text(&route);
    }
    if let (kind, Some(capacity)) = (address::text(value, "/type"), value.get("capacity")) {
        return format!("{kind}={capacity}");
    }
    value.to_string()
}

/// Fields of fields as `spec.placement.host`.
fn flatten(path: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) if fields.is_empty() => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&format!("{path}.{name}"), value, rows);
            }
        }
        other => rows.push((path.to_owned(), cell(Some(other)))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_shown_as_they_are_typed() {
        for (value, expected) in [
            (json!(null), "-"),
            (json!([]), "-"),
            (json!(["a", "b"]), "a, b"),
            (json!(false), "false"),
            (
                json!([{"protocol": "tcp", "ports": "80", "peer": "0.0.0.0/0"}, {"protocol": "all", "peer": "group:web"}]),
                "tcp 80 0.0.0.0/0\nall group:web",
            ),
            (
                json!([{"number": 1, "action": "deny", "protocol": "all", "peer": "10.0.0.0/8"}]),
                "1 deny all 10.0.0.0/8",
            ),
            (
                json!([{"destination": "0.0.0.0/0", "target": "node:fw"}]),
                "0.0.0.0/0 node:fw",
            ),
            (json!([{"type": "tap", "capacity": 3}]), "tap=3"),
        ] {
            assert_eq!(cell(Some(&value)), expected);
        }
    }

    #[test]
    fn fields_of_fields_have_their_way() {
        let mut rows = Vec::new();
        let spec = json!({"placement": {"host": "host1", "host_labels": {}}, "subnet": "front"});
        flatten("spec", &spec, &mut rows);
        let expected = [("spec.placement.host", "host1"), ("spec.subnet", "front")];
        let expected = expected.map(|(field, value)| (field.to_owned(), value.to_owned()));
        assert_eq!(rows, expected);
    }
}
