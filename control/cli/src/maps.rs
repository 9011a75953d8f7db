//! `inlay maps`: the BPF maps as such.

use anyhow::bail;
use clap::Subcommand;
use inlay_dataplane::inspect::{EntryView, MapView};
use serde_json::Value;

use crate::{
    Globals,
    output::{self, Format},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// All maps, with their sizes and what they cost
    List,
    /// The entries of a map that are used
    Dump {
        /// The map, like MAPPINGS
        name: String,
    },
    /// One entry of a map
    Get {
        /// The map, like MAPPINGS
        name: String,
        /// The key, like 100/10.0.1.10, or a slot's number
        key: String,
    },
}

pub(crate) fn run(globals: &Globals, verb: &Verb) -> anyhow::Result<()> {
    match verb {
        Verb::List => list(globals),
        Verb::Dump { name } => {
            let entries = globals.inspect()?.dump(name)?;
            output::print(
                globals.output,
                "entries",
                &entries,
                &["key", "value"],
                entry,
            )
        }
        Verb::Get { name, key } => {
            let Some(found) = globals.inspect()?.get(name, key)? else {
                bail!("{name} has no entry {key}");
            };
            match globals.output {
                Format::Table => {
                    output::print(Format::Table, "", &[found], &["key", "value"], entry)
                }
                format => output::document(format, &found),
            }
        }
    }
}

fn list(globals: &Globals) -> anyhow::Result<()> {
    let maps = globals.inspect()?.maps()?;
    let headings = [
        "name",
        "type",
        "key",
        "value",
        "max entries",
        "used",
        "memory",
    ];
    output::print(globals.output, "maps", &maps, &headings, row)?;
    if globals.output == Format::Table {
        let total = maps.iter().map(|map| map.memory_bytes).sum();
        output::line(&format!(
            "\n{} maps, {} of kernel memory",
            maps.len(),
            output::bytes(total)
        ))?;
    }
    Ok(())
}

fn row(map: &MapView) -> Vec<String> {
    vec![
        map.name.clone(),
        map.map_type.clone(),
        map.key_bytes.to_string(),
        map.value_bytes.to_string(),
        map.entries_max.to_string(),
        output::or_dash(map.entries),
        output::bytes(map.memory_bytes),
    ]
}

fn entry(entry: &EntryView) -> Vec<String> {
    vec![entry.key.clone(), short(&entry.value)]
}

/// A record on one line.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| match value {
                Value::Object(_) => format!("{name}=({})", short(value)),
                _ => format!("{name}={}", short(value)),
            };
            fields.iter().map(field).collect::<Vec<_>>().join(" ")
        }
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(","),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_fits_a_line() {
        let value = json!({ "a": 1, "b": null, "c": { "d": [1, 2] }, "e": "x" });
        assert_eq!(short(&value), "a=1 b=- c=(d=1,2) e=x");
    }
}
