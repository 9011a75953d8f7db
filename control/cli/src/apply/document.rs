//! What is wanted: the documents of the files.

use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use inlay_api::objects::{Kind, Labels, Metadata, Scope};
use serde::Deserialize;
use serde_json::Value;

use super::{SET_LABEL, spec};
use crate::client::{address::Place, failure::Failure};

/// The largest file, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Files of all directories together.
const FILES_MAX: usize = 1_000;
/// Objects of all files together.
const DOCUMENTS_MAX: usize = 100_000;
/// Nodes of one document.
const COUNT_MAX: u32 = 1_000;

/// A file's name, and what it holds.
pub(crate) type Text = (String, String);

/// What documents that do not say it mean.
#[derive(Clone, Debug, Default)]
pub(crate) struct Defaults {
    pub(crate) project: Option<String>,
    pub(crate) network: Option<String>,
    /// The set that all documents are part of.
    pub(crate) set: Option<String>,
}

/// An object that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    pub(crate) name: String,
    pub(crate) labels: Labels,
    /// In its one form.
    pub(crate) spec: Value,
}

/// As it is written. What `show` prints besides may stay, and means nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    count: Option<u32>,
    #[serde(default, rename = "status")]
    _status: Value,
}

/// Reads files and directories.
pub(crate) fn read(files: &[PathBuf]) -> anyhow::Result<Vec<Text>> {
    let mut texts = Vec::new();
    for file in files {
        if file == Path::new("-") {
            texts.push((
                "standard input".to_owned(),
                limited(std::io::stdin(), "standard input")?,
            ));
            continue;
        }
        let paths = if file.is_dir() {
            within(file)?
        } else {
            vec![file.clone()]
        };
        for path in paths {
            let name = path.display().to_string();
            let opened = fs::File::open(&path).with_context(|| format!("{name} cannot be read"))?;
            let text = limited(opened, &name)?;
            texts.push((name, text));
        }
    }
    if texts.len() > FILES_MAX {
        return Err(Failure::Usage(format!("those are more than {FILES_MAX} files")).into());
    }
    Ok(texts)
}

/// The files of a directory that hold documents, in the order of their names.
fn within(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shown = directory.display();
    let entries = fs::read_dir(directory).with_context(|| format!("{shown} cannot be read"))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_file() && matches!(extension, Some("yaml" | "yml" | "json")) {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        let what = format!("{shown} has no .yaml, .yml or .json file");
        return Err(Failure::Usage(what).into());
    }
    paths.sort();
    Ok(paths)
}

fn limited(source: impl std::io::Read, name: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    source
        .take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("{name} cannot be read as text"))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        let what = format!("{name} is larger than {FILE_BYTES_MAX} bytes; split it");
        return Err(Failure::Usage(what).into());
    }
    Ok(text)
}

/// All documents, what others refer to first.
pub(crate) fn parse(texts: &[Text], defaults: &Defaults) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for (file, text) in texts {
        for (index, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
            let at = format!("{file}, document {}", index + 1);
            let value = Value::deserialize(document)
                .map_err(|error| Failure::Usage(format!("{at}: {error}")))?;
            let values = match value {
                Value::Null => Vec::new(),
                Value::Array(values) => values,
                value => vec![value],
            };
            for value in values {
                documents.extend(expand(value, defaults, &at)?);
            }
            if documents.len() > DOCUMENTS_MAX {
                return Err(Failure::Usage(format!(
                    "{at}: those are more than {DOCUMENTS_MAX} objects"
                )));
            }
        }
    }
    refuse_twice(&documents)?;
    let rank = |kind| Kind::ALL.iter().position(|other| *other == kind);
    documents.sort_by_key(|document| (rank(document.kind), document.place.clone()));
    Ok(documents)
}

fn refuse_twice(documents: &[Document]) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for document in documents {
        if !seen.insert((document.kind, &document.place, &document.name)) {
            let what = format!("{} is there twice", document.path());
            return Err(Failure::Usage(what));
        }
    }
    Ok(())
}

/// One document, or, where it has a count, as many.
fn expand(value: Value, defaults: &Defaults, at: &str) -> Result<Vec<Document>, Failure> {
    let invalid = |what: String| Failure::Usage(format!("{at}: {what}"));
    let raw: Raw = serde_json::from_value(value).map_err(|error| invalid(error.to_string()))?;
    let kind = Kind::from_name(&raw.kind).ok_or_else(|| {
        let kinds = Kind::ALL.map(Kind::name).join(", ");
        invalid(format!("{} is no kind; there are {kinds}", raw.kind))
    })?;
    let at = format!("{at}, {} {}", raw.kind, raw.metadata.name);
    let invalid = |what: String| Failure::Usage(format!("{at}: {what}"));
    match kind {
        Kind::Token => {
            return Err(invalid(
                "a token is shown once, when it is made; use `inlay token create`".to_owned(),
            ));
        }
        Kind::Port => {
            return Err(invalid(
                "a port comes with its node; leave it out".to_owned(),
            ));
        }
        _ => {}
    }
    if raw.metadata.name.is_empty() {
        return Err(invalid("metadata.name is missing".to_owned()));
    }
    let place = place(kind, &raw.metadata, defaults).map_err(&invalid)?;
    let written = if raw.spec.is_null() {
        Value::Object(serde_json::Map::new())
    } else {
        raw.spec
    };
    let spec = spec::normal(kind, &written).map_err(|error| invalid(format!("spec: {error}")))?;
    let mut labels = raw.metadata.labels;
    if let Some(set) = &defaults.set {
        labels.insert(SET_LABEL.to_owned(), set.clone());
    }
    let document = |name: String| Document {
        kind,
        place: place.clone(),
        name,
        labels: labels.clone(),
        spec: spec.clone(),
    };
    let name = raw.metadata.name;
    let Some(count) = raw.count else {
        return Ok(vec![document(name)]);
    };
    let has_own = ["addresses", "mac", "interface"]
        .iter()
        .any(|field| spec.get(field).is_some());
    if kind != Kind::Node || count == 0 || count > COUNT_MAX || has_own {
        return Err(invalid(format!(
            "count is 1 to {COUNT_MAX}, of nodes that name no addresses, mac and interface"
        )));
    }
    Ok((1..=count)
        .map(|index| document(format!("{name}-{index}")))
        .collect())
}

fn place(kind: Kind, metadata: &Metadata, defaults: &Defaults) -> Result<Place, String> {
    let said = |written: &String, default: Option<&String>, what: &str| {
        let written = Some(written).filter(|written| !written.is_empty());
        let said = written.or(default).cloned();
        said.ok_or_else(|| format!("metadata.{what} is missing; or say --{what} NAME"))
    };
    let unused = |written: &String, what: &str| {
        let refusal = || format!("metadata.{what}: a {} is part of none", kind.name());
        written.is_empty().then_some(()).ok_or_else(refusal)
    };
    let (project, network) = (defaults.project.as_ref(), defaults.network.as_ref());
    match kind.scope() {
        Scope::System => {
            unused(&metadata.project, "project")?;
            unused(&metadata.network, "network")?;
            Ok(Place::default())
        }
        Scope::Project => {
            unused(&metadata.network, "network")?;
            Ok(Place::of_project(&said(
                &metadata.project,
                project,
                "project",
            )?))
        }
        Scope::Network => Ok(Place {
            project: said(&metadata.project, project, "project")?,
            network: said(&metadata.network, network, "network")?,
        }),
    }
}

impl Document {
    /// For people: kind, and the way to it.
    pub(crate) fn path(&self) -> String {
        path(self.kind, &self.place, &self.name)
    }
}

/// For people: kind, and the way to it.
pub(crate) fn path(kind: Kind, place: &Place, name: &str) -> String {
    let parts = [place.project.as_str(), place.network.as_str(), name];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{} {}", kind.name(), parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Document>, Failure> {
        let defaults = Defaults {
            project: Some("acme".to_owned()),
            network: None,
            set: None,
        };
        parse(&[("a.yaml".to_owned(), text.to_owned())], &defaults)
    }

    #[test]
    fn documents_come_in_the_order_in_which_they_can_be_made() {
        let text = "
kind: node
metadata: {network: main, name: web}
spec: {subnet: front}
count: 2
---
kind: subnet
metadata: {network: main, name: front}
spec: {cidr: 10.0.1.0/24}
---
---
kind: network
metadata: {name: main}
spec: {cidrs: [10.0.0.0/16]}
";
        let documents = parsed(text).unwrap();
        let paths: Vec<String> = documents.iter().map(Document::path).collect();
        let expected = [
            "network acme/main",
            "subnet acme/main/front",
            "node acme/main/web-1",
            "node acme/main/web-2",
        ];
        assert_eq!(paths, expected);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, expected) in [
            ("kind: nope\nmetadata: {name: a}", "nope is no kind"),
            ("kind: network\nmetadata: {nam: a}", "unknown field `nam`"),
            (
                "kind: network\nmetadata: {name: a}\nspec: {cidr: 1}",
                "network a: spec: unknown field `cidr`",
            ),
            (
                "kind: network\nmetadata: {name: a}",
                "network a: spec: missing field `cidrs`",
            ),
            (
                "kind: network\nmetadata: {}\nspec: {cidrs: []}",
                "metadata.name is missing",
            ),
            (
                "kind: subnet\nmetadata: {name: a}\nspec: {cidr: 10.0.0.0/24}",
                "metadata.network is missing",
            ),
            (
                "kind: project\nmetadata: {name: a, project: b}",
                "a project is part of none",
            ),
            ("kind: token\nmetadata: {name: a}", "inlay token create"),
            ("kind: port\nmetadata: {name: a}", "comes with its node"),
            (
                "kind: network\nmetadata: {name: a}\nspec: {cidrs: []}\ncount: 2",
                "count is 1 to",
            ),
            (
                "kind: project\nmetadata: {name: a}\n---\nkind: project\nmetadata: {name: a}",
                "twice",
            ),
            ("kind: [", "a.yaml, document 1"),
        ] {
            let error = parsed(text).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{text}");
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
    }
}
