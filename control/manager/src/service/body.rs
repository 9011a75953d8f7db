//! Bodies of requests as typed objects.

use inlay_api::objects::validate::{self, FieldProblems};
use inlay_api::objects::{Kind, Metadata, ObjectKind, Problem};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::problems;
use super::request::Target;

/// An object as it was sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body<S> {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    pub(super) metadata: Metadata,
    pub(super) spec: S,
    /// It is the manager's, so what a client says of it means nothing.
    #[serde(default)]
    #[allow(
        dead_code,
        reason = "taken so that an object that was read can be sent back"
    )]
    status: Option<IgnoredAny>,
}

/// The value that a body describes.
///
/// # Errors
/// `invalid`, with the field of the first thing that has the wrong shape.
pub(super) fn parse<T: DeserializeOwned>(body: &Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(body).map_err(|error| {
        let path = match error.path().to_string() {
            root if root == "." => String::new(),
            path => path,
        };
        let message = validate::shape_message(&error.inner().to_string());
        problems::invalid_field(path, message)
    })
}

/// The object that a body describes. Its identity is compared with the target's, and its labels are checked.
///
/// # Errors
/// `invalid`, where the shape is wrong; everything else is added to `problems`.
pub(super) fn object<S: ObjectKind>(
    body: &Value,
    target: &Target,
    problems: &mut FieldProblems,
) -> Result<Body<S>, Problem> {
    let body: Body<S> = parse(body)?;
    let metadata = &body.metadata;
    for (field, found, expected) in [
        ("kind", body.kind.as_deref().unwrap_or(""), S::KIND.name()),
        ("metadata.project", &metadata.project, &target.project),
        ("metadata.network", &metadata.network, &target.network),
        ("metadata.name", &metadata.name, &target.name),
    ] {
        if !found.is_empty() && !expected.is_empty() && found != expected {
            let message = format!("the path says {expected}; take it out, or write the same");
            problems.add(field, message);
        } else if !found.is_empty() && expected.is_empty() && field != "metadata.name" {
            problems.add(field, "the path has none; take it out");
        }
    }
    validate::labels(&metadata.labels, "metadata.labels", problems);
    Ok(body)
}

/// The name of a new object: the target's or the body's.
pub(super) fn name<S>(body: &Body<S>, target: &Target, problems: &mut FieldProblems) -> String {
    let name = if target.name.is_empty() {
        &body.metadata.name
    } else {
        &target.name
    };
    if name.is_empty() {
        problems.add("metadata.name", "it has no name; give it one");
    } else {
        validate::name(name, "metadata.name", problems);
    }
    name.clone()
}

/// Nothing was found, or all of it.
///
/// # Errors
/// `invalid`, with what was found.
pub(super) fn finish(problems: FieldProblems) -> Result<(), Problem> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(problems::invalid(problems.into_list()))
}

/// Adds a problem where a field that cannot be changed would be.
pub(super) fn unchanged<T: PartialEq>(
    field: &str,
    before: &T,
    after: &T,
    kind: Kind,
    problems: &mut FieldProblems,
) {
    if before != after {
        let what = problems::words(kind);
        let message = format!("it cannot be changed; make another {what} instead");
        problems.add(field, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inlay_api::objects::{NodeSpec, SecurityGroupSpec};
    use serde_json::json;

    fn target(kind: Kind) -> Target {
        Target {
            kind,
            project: "acme".into(),
            network: "main".into(),
            name: String::new(),
        }
    }

    fn shape<S: ObjectKind + std::fmt::Debug>(body: &Value) -> (String, String) {
        let mut problems = FieldProblems::default();
        let problem = object::<S>(body, &target(S::KIND), &mut problems).unwrap_err();
        let error = problem.errors.into_iter().next().unwrap();
        (error.field, error.message)
    }

    #[test]
    fn a_wrong_shape_names_its_field() {
        let rows = [
            (json!({"spec": {"subnet": "a", "colour": 1}}), "spec.colour"),
            (json!({"spec": {"subnet": 1}}), "spec.subnet"),
            (json!({"spec": {}}), "spec"),
            (
                json!({"metadata": {"labels": {"a": 1}}, "spec": {"subnet": "a"}}),
                "metadata.labels.a",
            ),
            (json!({"speck": {}}), "speck"),
            (json!({}), ""),
            (json!([]), ""),
            (json!({"spec": {"subnet": "a", "type": "vm"}}), "spec.type"),
        ];
        for (body, field) in rows {
            assert_eq!(shape::<NodeSpec>(&body).0, field, "{body}");
        }
        let (field, message) = shape::<SecurityGroupSpec>(
            &json!({"spec": {"inbound": [{"protocol": "tcp", "peer": "0.0.0.0/0", "port": "1"}]}}),
        );
        assert_eq!(field, "spec.inbound[0].port");
        assert!(message.contains("no field is called \"port\""), "{message}");
    }

    #[test]
    fn an_identity_that_is_not_the_paths_is_refused() {
        for (metadata, refused) in [
            (
                json!({"project": "acme", "network": "main", "name": "a"}),
                None,
            ),
            (json!({"uid": "x", "revision": 7, "created_at": "y"}), None),
            (json!({"project": "other"}), Some("metadata.project")),
            (json!({"network": "other"}), Some("metadata.network")),
        ] {
            let body = json!({"kind": "node", "metadata": metadata, "spec": {"subnet": "a"}, "status": {"x": 1}});
            let mut problems = FieldProblems::default();
            object::<NodeSpec>(&body, &target(Kind::Node), &mut problems).unwrap();
            let found = problems.into_list().into_iter().next();
            assert_eq!(found.map(|it| it.field).as_deref(), refused);
        }
    }
}
