//! Rules of single files: headers, sizes, no sleeping in tests, no paths of one machine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Findings;

/// Past this many lines without tests, a file is two ideas.
const LINES_WARNED: usize = 500;
/// Past this many, it has to be split first.
const LINES_MAX: usize = 700;

/// Endings of the files that are read.
const ENDINGS: [&str; 8] = ["rs", "sh", "toml", "md", "yaml", "yml", "json", "proto"];

/// Directories that exist on one machine only. Spelled in two halves, so that this file passes.
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// What waits for a time instead of a condition.
const SLEEP: &str = concat!("sle", "ep");

/// Checks every file below `root`, and says how many there are.
pub(super) fn check(root: &Path, findings: &mut Findings) -> Result<usize> {
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();
    for file in &files {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        check_file(file.strip_prefix(root).unwrap_or(file), &text, findings);
    }
    Ok(files.len())
}

/// Files to read. Hidden directories other than our own, and what cargo marks as its cache, are none.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let shown = directory.display();
    for entry in std::fs::read_dir(directory).with_context(|| format!("cannot list {shown}"))? {
        let path = entry
            .with_context(|| format!("cannot list {shown}"))?
            .path();
        if path.is_dir() && is_source_directory(&path) {
            collect(&path, files)?;
        } else if path.is_file() && is_source_file(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_source_directory(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = name.starts_with('.') && ![".ci", ".cargo", ".config"].contains(&name.as_ref());
    !hidden && name != "target" && !path.join("CACHEDIR.TAG").exists()
}

fn is_source_file(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    ENDINGS.contains(&ending.as_ref()) || path.ends_with(".ci/run")
}

fn check_file(path: &Path, text: &str, findings: &mut Findings) {
    check_machine_paths(path, text, findings);
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("rs") => check_rust(path, text, findings),
        Some("sh") | None => check_shell(path, text, findings),
        Some(_) => {}
    }
}

fn check_rust(path: &Path, text: &str, findings: &mut Findings) {
    let shown = path.display();
    if !text.starts_with("//!") {
        findings
            .errors
            .push(format!("{shown}:1: begin with //! and what the file is"));
    }
    let (code, tests) = if is_test(path) {
        ("", text)
    } else {
        split_at_tests(text)
    };
    check_size(path, code.lines().count(), findings);
    let first = code.lines().count();
    let sleeps = tests
        .lines()
        .enumerate()
        .filter(|(_, line)| calls_sleep(line));
    findings
        .errors
        .extend(sleeps.map(|(index, _)| no_sleep(path, first + index)));
}

fn check_size(path: &Path, lines: usize, findings: &mut Findings) {
    let shown = path.display();
    if lines > LINES_MAX {
        findings.errors.push(format!(
            "{shown}: {lines} lines without tests; {LINES_MAX} at most"
        ));
    } else if lines > LINES_WARNED {
        findings.warnings.push(format!(
            "{shown}: {lines} lines without tests: is it two ideas?"
        ));
    }
}

/// Tests come last in a file, so all that follows their first mark is theirs.
fn split_at_tests(text: &str) -> (&str, &str) {
    let start = text
        .find("\n#[cfg(test)]\nmod ")
        .map_or(text.len(), |newline| newline + 1);
    text.split_at(start)
}

/// A file that holds nothing but tests: below `tests/` of a crate, or by its name. The crate of tests
/// itself is a directory of that name at the root; its library is code.
fn is_test(path: &Path) -> bool {
    path.ends_with("tests.rs") || path.iter().skip(1).any(|part| part == "tests")
}

fn check_shell(path: &Path, text: &str, findings: &mut Findings) {
    let strict = text.lines().any(|line| line.starts_with("set -eu"));
    if !strict {
        findings.errors.push(format!(
            "{}:1: a script stops at errors: add set -eu",
            path.display()
        ));
    }
    let commands = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().starts_with('#'));
    let sleeps = commands.filter(|(_, line)| words(line).any(|word| word == SLEEP));
    findings
        .errors
        .extend(sleeps.map(|(index, _)| no_sleep(path, index)));
}

fn no_sleep(path: &Path, index: usize) -> String {
    format!(
        "{}:{}: wait for a condition with a deadline, not for a time",
        path.display(),
        index + 1
    )
}

/// Whether a line of Rust calls a function of that name, from whatever crate.
fn calls_sleep(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.split('(')
        .rev()
        .skip(1)
        .any(|before| words(before).last() == Some(SLEEP))
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

fn check_machine_paths(path: &Path, text: &str, findings: &mut Findings) {
    for (index, line) in text.lines().enumerate() {
        if let Some(found) = MACHINE_PATHS.iter().find(|start| mentions(line, start)) {
            let place = format!("{}:{}", path.display(), index + 1);
            findings
                .errors
                .push(format!("{place}: {found} exists on one machine only"));
        }
    }
}

/// Whether a path in `line` begins with `start`: what stands before it is no part of a path.
fn mentions(line: &str, start: &str) -> bool {
    line.match_indices(start)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-/}~".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Findings {
        let mut findings = Findings::default();
        check_file(Path::new(path), text, &mut findings);
        findings
    }

    fn errors(path: &str, text: &str) -> Vec<String> {
        found(path, text).errors
    }

    #[test]
    fn a_rust_file_begins_with_what_it_is() {
        assert!(errors("a/src/lib.rs", "//! All of it.\n").is_empty());
        assert_eq!(errors("a/src/lib.rs", "fn main() {}\n").len(), 1);
    }

    #[test]
    fn length_is_counted_without_tests() {
        let code = |lines| format!("//! Long.\n{}", "fn f() {}\n".repeat(lines));
        let tests = format!("\n#[cfg(test)]\nmod tests {{\n{}}}\n", "// x\n".repeat(900));
        assert_eq!(
            found("a/src/lib.rs", &(code(400) + &tests)),
            Findings::default()
        );
        assert_eq!(found("a/src/lib.rs", &code(600)).warnings.len(), 1);
        assert_eq!(errors("a/src/lib.rs", &code(800)).len(), 1);
        assert_eq!(
            found("tests/tests/spoof.rs", &code(800)),
            Findings::default()
        );
        assert_eq!(errors("tests/src/lib.rs", &code(800)).len(), 1);
    }

    #[test]
    fn tests_wait_for_conditions() {
        let call = format!("    std::thread::{SLEEP}(one);\n");
        let code = format!("//! Code.\nfn f() {{\n{call}}}\n");
        assert!(errors("a/src/lib.rs", &code).is_empty());
        assert_eq!(
            errors("tests/tests/a.rs", &code),
            [no_sleep(Path::new("tests/tests/a.rs"), 2)]
        );
        let tests = format!("//! Code.\n\n#[cfg(test)]\nmod tests {{\n{call}}}\n");
        assert_eq!(
            errors("a/src/lib.rs", &tests),
            [no_sleep(Path::new("a/src/lib.rs"), 4)]
        );
    }

    #[test]
    fn talking_of_it_is_no_sleeping() {
        let text = format!("//! Code.\n// {SLEEP}(1) is not used\nfn never_{SLEEP}() {{}}\n");
        assert!(errors("tests/tests/a.rs", &text).is_empty());
    }

    #[test]
    fn scripts_are_strict_and_do_not_wait_for_a_time() {
        assert!(errors("netns-scripts/a.sh", "#!/bin/sh\nset -eu\n").is_empty());
        assert_eq!(errors("netns-scripts/a.sh", "#!/bin/sh\n").len(), 1);
        let text = format!("#!/bin/sh\nset -eu\n# no {SLEEP} here\n{SLEEP} 1\n");
        assert_eq!(
            errors("netns-scripts/a.sh", &text),
            [no_sleep(Path::new("netns-scripts/a.sh"), 3)]
        );
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        let path = MACHINE_PATHS[0];
        assert_eq!(errors("README.md", &format!("see `{path}main`\n")).len(), 1);
        assert!(
            errors(
                "README.md",
                &format!("see https://host.example/net{path}a\n")
            )
            .is_empty()
        );
    }
}
