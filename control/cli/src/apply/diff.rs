//! What a plan changes, for people and for programs.

use console::style;
use serde::Serialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::{
    document::Document,
    plan::{self, Step},
};
use crate::output::{self, Format};

/// Lines that are shown around what differs.
const CONTEXT_LINES: usize = 3;

/// Prints every step: what is made as a whole, what is changed line by line.
pub(crate) fn print(steps: &[Step]) -> anyhow::Result<()> {
    let (mut creates, mut updates, mut deletes) = (0_u32, 0_u32, 0_u32);
    for step in steps {
        let path = step.path();
        match step {
            Step::Create(wanted) => {
                creates += 1;
                output::line(&style(format!("+ {path}")).green().bold().to_string())?;
                lines("", &text(wanted)?)?;
            }
            Step::Update { wanted, current } => {
                updates += 1;
                output::line(&style(format!("~ {path}")).yellow().bold().to_string())?;
                lines(&current_text(wanted, current)?, &text(wanted)?)?;
            }
            Step::Delete { .. } => {
                deletes += 1;
                output::line(&style(format!("- {path}")).red().bold().to_string())?;
            }
        }
    }
    match steps.len() {
        0 => output::line("everything is as the files say"),
        _ => output::line(&format!(
            "{creates} to create, {updates} to change, {deletes} to delete"
        )),
    }
}

/// What differs of one object, and a few lines around it.
fn lines(old: &str, new: &str) -> anyhow::Result<()> {
    let difference = TextDiff::from_lines(old, new);
    for group in difference.grouped_ops(CONTEXT_LINES) {
        for operation in &group {
            for change in difference.iter_changes(operation) {
                let line = change.value().trim_end();
                let shown = match change.tag() {
                    ChangeTag::Delete => style(format!("    - {line}")).red(),
                    ChangeTag::Insert => style(format!("    + {line}")).green(),
                    ChangeTag::Equal => style(format!("      {line}")),
                };
                output::line(&shown.to_string())?;
            }
        }
    }
    Ok(())
}

/// What a document may change of an object.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "inlay_api::objects::Labels::is_empty")]
    labels: &'a inlay_api::objects::Labels,
    spec: &'a Value,
}

fn text(wanted: &Document) -> anyhow::Result<String> {
    let Document { labels, spec, .. } = wanted;
    Ok(serde_yaml::to_string(&Shown { labels, spec })?)
}

fn current_text(wanted: &Document, current: &Value) -> anyhow::Result<String> {
    let labels = &plan::labels(current);
    let spec = &plan::normal_spec(wanted.kind, current)?;
    Ok(serde_yaml::to_string(&Shown { labels, spec })?)
}

/// A step for programs.
#[derive(Serialize)]
struct View<'a> {
    action: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    project: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    network: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<&'a Value>,
}

/// Prints the steps as one document.
pub(crate) fn document(format: Format, steps: &[Step]) -> anyhow::Result<()> {
    let views: Result<Vec<View<'_>>, _> = steps.iter().map(view).collect();
    output::document(format, &views?)
}

fn view(step: &Step) -> anyhow::Result<View<'_>> {
    Ok(match step {
        Step::Create(wanted) => View {
            action: "create",
            kind: wanted.kind.name(),
            project: &wanted.place.project,
            network: &wanted.place.network,
            name: &wanted.name,
            current: None,
            wanted: Some(&wanted.spec),
        },
        Step::Update { wanted, current } => View {
            action: "update",
            kind: wanted.kind.name(),
            project: &wanted.place.project,
            network: &wanted.place.network,
            name: &wanted.name,
            current: Some(plan::normal_spec(wanted.kind, current)?),
            wanted: Some(&wanted.spec),
        },
        Step::Delete {
            kind, place, name, ..
        } => View {
            action: "delete",
            kind: kind.name(),
            project: &place.project,
            network: &place.network,
            name,
            current: None,
            wanted: None,
        },
    })
}
