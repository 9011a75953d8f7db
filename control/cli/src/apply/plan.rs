//! What has to be done so that what is there is what is wanted.

use std::collections::BTreeSet;

use inlay_api::objects::{Kind, Labels, Scope};
use serde_json::Value;

use super::{SET_LABEL, current::Current, document::Document, spec};
use crate::client::{
    address::{self, Place},
    failure::Failure,
};

/// Of these every network has one that comes and goes with it,
const DEFAULTED: [Kind; 2] = [Kind::SecurityGroup, Kind::Acl];
/// with this name.
const DEFAULT_NAME: &str = "default";

/// What is done to one object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// It is made.
    Create(Document),
    /// It is changed from what is there.
    Update { wanted: Document, current: Value },
    /// It is deleted, as it is there.
    Delete {
        kind: Kind,
        place: Place,
        name: String,
        current: Value,
    },
}

impl Step {
    pub(crate) fn is_delete(&self) -> bool {
        matches!(self, Self::Delete { .. })
    }

    /// For people: kind, and the way to it.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Create(wanted) | Self::Update { wanted, .. } => wanted.path(),
            Self::Delete {
                kind, place, name, ..
            } => super::document::path(*kind, place, name),
        }
    }
}

/// The steps, in an order in which they can be done: makes and changes, what others refer to first, then deletes, the
/// other way round.
pub(crate) fn plan(
    current: &mut Current<'_>,
    documents: Vec<Document>,
    prune: Option<&str>,
) -> Result<Vec<Step>, Failure> {
    let deletes = match prune {
        Some(set) => deletes(current, &documents, set)?,
        None => Vec::new(),
    };
    let mut steps = Vec::new();
    for document in documents {
        let there = current.list(document.kind, &document.place)?;
        let there = there.get(&document.name).cloned();
        steps.extend(step(document, there)?);
    }
    steps.extend(deletes);
    Ok(steps)
}

/// What has to be done for one document, if anything.
pub(crate) fn step(mut wanted: Document, there: Option<Value>) -> Result<Option<Step>, Failure> {
    let Some(current) = there else {
        return Ok(Some(Step::Create(wanted)));
    };
    let labels = labels(&current);
    // Whoever applies without a set does not take an object out of one.
    if let Some(set) = labels.get(SET_LABEL) {
        let label = wanted.labels.entry(SET_LABEL.to_owned());
        label.or_insert_with(|| set.clone());
    }
    let spec = normal_spec(wanted.kind, &current)?;
    if spec == wanted.spec && labels == wanted.labels {
        return Ok(None);
    }
    Ok(Some(Step::Update { wanted, current }))
}

/// The labels of an object.
pub(crate) fn labels(object: &Value) -> Labels {
    let labels = object.pointer("/metadata/labels").cloned();
    labels
        .and_then(|labels| serde_json::from_value(labels).ok())
        .unwrap_or_default()
}

/// The spec of an object, in its one form.
pub(crate) fn normal_spec(kind: Kind, object: &Value) -> Result<Value, Failure> {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    spec::normal(kind, spec).map_err(|error| {
        let (kind, name) = (kind.name(), address::text(object, "/metadata/name"));
        Failure::NoAnswer(format!(
            "the {kind} {name} has something that this version does not know ({error}); update inlay"
        ))
    })
}

/// Everything of the set that no document wants, what refers to others first.
fn deletes(
    current: &mut Current<'_>,
    documents: &[Document],
    set: &str,
) -> Result<Vec<Step>, Failure> {
    let wanted: BTreeSet<_> = documents
        .iter()
        .map(|document| (document.kind, &document.place, document.name.as_str()))
        .collect();
    let places = places(current, documents)?;
    let mut steps = Vec::new();
    for kind in Kind::ALL.into_iter().rev() {
        if matches!(kind, Kind::Token | Kind::Port) {
            continue;
        }
        for place in places.iter().filter(|place| is_of(kind, place)) {
            let there = match current.list(kind, place) {
                Err(failure) if failure.is_forbidden() => continue,
                there => there?,
            };
            for (name, object) in there.iter().rev() {
                // It is part of the network, and goes with it.
                let is_default = DEFAULTED.contains(&kind) && name == DEFAULT_NAME;
                let is_of_set =
                    !is_default && labels(object).get(SET_LABEL).map(String::as_str) == Some(set);
                if is_of_set && !wanted.contains(&(kind, place, name.as_str())) {
                    steps.push(Step::Delete {
                        kind,
                        place: place.clone(),
                        name: name.clone(),
                        current: object.clone(),
                    });
                }
            }
        }
    }
    Ok(steps)
}

fn is_of(kind: Kind, place: &Place) -> bool {
    let scope = match (place.project.is_empty(), place.network.is_empty()) {
        (true, _) => Scope::System,
        (false, true) => Scope::Project,
        (false, false) => Scope::Network,
    };
    kind.scope() == scope
}

/// Where the set may have objects: in every project and network that this token may see.
fn places(current: &mut Current<'_>, documents: &[Document]) -> Result<BTreeSet<Place>, Failure> {
    let mut projects: BTreeSet<String> = documents
        .iter()
        .map(|document| document.place.project.clone())
        .chain(current.api.connection.project.clone())
        .filter(|project| !project.is_empty())
        .collect();
    match current.list(Kind::Project, &Place::default()) {
        Err(failure) if failure.is_forbidden() => {}
        there => projects.extend(there?.keys().cloned()),
    }
    let mut places = BTreeSet::from([Place::default()]);
    for project in projects {
        let place = Place::of_project(&project);
        let networks = current.list(Kind::Network, &place)?;
        places.extend(
            networks
                .keys()
                .map(|network| Place::of_network(&project, network)),
        );
        places.insert(place);
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted(labels: &[(&str, &str)]) -> Document {
        let labels = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Document {
            kind: Kind::Subnet,
            place: Place::of_network("acme", "main"),
            name: "front".to_owned(),
            labels: labels.collect(),
            spec: json!({"cidr": "10.0.1.0/24"}),
        }
    }

    fn there(labels: &Value, spec: &Value) -> Value {
        json!({"metadata": {"name": "front", "revision": 3, "labels": labels}, "spec": spec})
    }

    #[test]
    fn only_what_differs_is_a_step() {
        let same = json!({"cidr": "10.0.1.0/24"});
        let with_default = json!({"cidr": "10.0.1.0/24", "gateway": null, "description": ""});
        let other = json!({"cidr": "10.0.2.0/24"});
        let (none, tier) = (json!({}), json!({"tier": "front"}));
        for (name, labels, there, is_step) in [
            ("the same", &[][..], Some(there(&none, &same)), false),
            (
                "the same, with defaults written",
                &[],
                Some(there(&none, &with_default)),
                false,
            ),
            ("another spec", &[], Some(there(&none, &other)), true),
            ("a label less", &[], Some(there(&tier, &same)), true),
            (
                "a label more",
                &[("tier", "front")],
                Some(there(&none, &same)),
                true,
            ),
            (
                "the same labels",
                &[("tier", "front")],
                Some(there(&tier, &same)),
                false,
            ),
            ("not there", &[], None, true),
        ] {
            let step = step(wanted(labels), there).unwrap();
            assert_eq!(step.is_some(), is_step, "{name}");
        }
    }

    #[test]
    fn an_object_stays_in_its_set_unless_it_is_put_into_another() {
        let same = json!({"cidr": "10.0.1.0/24"});
        let lab = json!({SET_LABEL: "lab"});
        assert_eq!(step(wanted(&[]), Some(there(&lab, &same))).unwrap(), None);
        let other = step(wanted(&[(SET_LABEL, "other")]), Some(there(&lab, &same))).unwrap();
        assert!(matches!(other, Some(Step::Update { .. })));
    }
}
