//! Bad files, each with the refusal that it gets, in `tests/bad/*.txt`.
//!
//! A row is a block of lines:
//!
//! ```text
//! == name of the row
//! < text of tests/bad/base.yaml (its first occurrence; more such lines are further lines of it)
//! > text that is put in its place
//! host.yaml:1:1: a line of the refusal
//! ```
//!
//! Without `<` lines, the `>` lines are the whole file. With `INLAY_BLESS=1` in the environment the
//! refusals are written down as they are, for review in the diff.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::Path;

use inlay_api::read_yaml;

const BASE: &str = include_str!("bad/base.yaml");

#[derive(Default)]
struct Row {
    name: String,
    from: Vec<String>,
    to: Vec<String>,
    expected: Vec<String>,
}

impl Row {
    fn yaml(&self) -> String {
        let (from, to) = (self.from.join("\n"), self.to.join("\n"));
        if from.is_empty() {
            return to;
        }
        assert!(
            BASE.contains(&from),
            "{}: the base has no {from}",
            self.name
        );
        BASE.replacen(&from, &to, 1)
    }

    fn observed(&self) -> Vec<String> {
        match read_yaml("host.yaml", self.yaml().as_bytes()) {
            Ok(_) => vec!["taken".to_owned()],
            Err(refusal) => refusal.to_string().lines().map(str::to_owned).collect(),
        }
    }
}

/// The heading of a file, and its rows.
fn parse(text: &str) -> (String, Vec<Row>) {
    let (heading, rest) = text.split_once('\n').unwrap();
    let mut rows: Vec<Row> = Vec::new();
    for line in rest.lines().filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix("== ") {
            rows.push(Row {
                name: name.to_owned(),
                ..Row::default()
            });
            continue;
        }
        let row = rows.last_mut().expect("a row begins with ==");
        if let Some(from) = line.strip_prefix("< ") {
            row.from.push(from.to_owned());
        } else if let Some(to) = line.strip_prefix("> ") {
            row.to.push(to.to_owned());
        } else {
            row.expected.push(line.to_owned());
        }
    }
    (heading.to_owned(), rows)
}

fn bless(path: &Path, heading: &str, rows: &[Row]) {
    let mut text = format!("{heading}\n");
    for row in rows {
        writeln!(text, "\n== {}", row.name).unwrap();
        row.from
            .iter()
            .for_each(|line| writeln!(text, "< {line}").unwrap());
        row.to
            .iter()
            .for_each(|line| writeln!(text, "> {line}").unwrap());
        row.observed()
            .iter()
            .for_each(|line| writeln!(text, "{line}").unwrap());
    }
    std::fs::write(path, text).unwrap();
}

fn check(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/bad")
        .join(file);
    let (heading, rows) = parse(&std::fs::read_to_string(&path).unwrap());
    if std::env::var_os("INLAY_BLESS").is_some() {
        bless(&path, &heading, &rows);
        return;
    }
    let mut failures = String::new();
    for row in &rows {
        let observed = row.observed();
        if observed != row.expected {
            let (expected, observed) = (row.expected.join("\n"), observed.join("\n"));
            writeln!(
                failures,
                "{}\n expected:\n{expected}\n observed:\n{observed}",
                row.name
            )
            .unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn base_is_good() {
    read_yaml("base.yaml", BASE.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"));
}

#[test]
fn syntax() {
    check("syntax.txt");
}

#[test]
fn shape() {
    check("shape.txt");
}

#[test]
fn hosts() {
    check("hosts.txt");
}

#[test]
fn networks() {
    check("networks.txt");
}

#[test]
fn rules() {
    check("rules.txt");
}

#[test]
fn nodes() {
    check("nodes.txt");
}

#[test]
fn several() {
    check("several.txt");
}
