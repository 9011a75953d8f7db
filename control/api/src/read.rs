//! Reads a state from a YAML file: limits of the file, syntax, shape, validation, in this order.
//!
//! Each step finds all it can, and a step begins only where the one before found nothing; the
//! shape alone (unknown or missing fields, wrong types) stops at its first problem.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::invalid_value::{quoted, shortened};
use crate::limits::FILE_BYTES_MAX;
use crate::problem::{Problem, Problems};
use crate::raw::RawState;
use crate::{HostState, Refusal, locate};

/// The state in the YAML file at `path`.
///
/// # Errors
/// A refusal that lists what is wrong; a file that cannot be read is one problem.
pub fn read_file(path: &Path) -> Result<HostState, Refusal> {
    let file = path.display().to_string();
    match read_bytes(path) {
        Ok(bytes) => read_yaml(&file, &bytes),
        Err(error) => {
            let message = format!("cannot be read ({error}); see that it is there and readable");
            Err(in_file(&file, Problem::new("", message).into()))
        }
    }
}

/// At most one byte more than is taken, so that a longer file is seen to be one. A pipe is not opened: that
/// waits until somebody writes to it.
fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let len_max = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX);
    File::open(path)?
        .take(len_max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The state in `bytes`, which are YAML in UTF-8. `file` names them in problems.
///
/// # Errors
/// A refusal that lists what is wrong, by line and column.
pub fn read_yaml(file: &str, bytes: &[u8]) -> Result<HostState, Refusal> {
    read_text(bytes).map_err(|refusal| in_file(file, refusal))
}

fn read_text(bytes: &[u8]) -> Result<HostState, Refusal> {
    let text = decode(bytes)?;
    let mut problems = Problems::default();
    locate::check_syntax(text, &mut problems);
    if !problems.is_empty() {
        return Err(problems.into_refusal());
    }
    let raw: RawState = serde_yaml::from_str(text).map_err(|error| shape_problem(&error))?;
    HostState::from_raw(&raw).map_err(|mut refusal| {
        locate::place(text, &mut refusal.problems);
        refusal
    })
}

fn decode(bytes: &[u8]) -> Result<&str, Problem> {
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!(
            "longer than {FILE_BYTES_MAX} bytes; leave out what this host's nodes do not need"
        );
        return Err(Problem::new("", message));
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let valid = &bytes[..error.valid_up_to()];
        let line = valid.split(|&byte| byte == b'\n').count();
        let message = "not UTF-8 text; save the file as UTF-8";
        Problem {
            line: Some(line),
            ..Problem::new("", message)
        }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The problem that an error of `serde_yaml` tells. Its text is `path: message at line L column C`,
/// where path and place may be missing.
fn shape_problem(error: &serde_yaml::Error) -> Problem {
    let text = error.to_string();
    let Some(location) = error.location() else {
        return Problem::new("", advise(&text));
    };
    let (line, column) = (location.line(), location.column());
    let place = format!(" at line {line} column {column}");
    let text = text.strip_suffix(&place).unwrap_or(&text);
    let (path, message) = match text.split_once(": ") {
        Some((path, message)) if is_path(path) => (path, message),
        _ => ("", text),
    };
    Problem::new(path, advise(message)).at(line, column)
}

/// Whether `text` can be a path: serde's own words before a colon hold spaces.
fn is_path(text: &str) -> bool {
    let in_path = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'[' | b']');
    text.bytes().all(in_path)
}

/// serde's message in the words of this crate, with what to do.
pub(crate) fn advise(message: &str) -> String {
    if let Some((field, others)) = message
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.rsplit_once("`, expected "))
    {
        let others = others.trim_start_matches("one of ");
        return format!(
            "no field is called {}; use {others}, or take it out",
            quoted(field)
        );
    }
    if message.starts_with("missing field") {
        return format!("{message}; add it");
    }
    let found = message
        .strip_prefix("invalid type: ")
        .and_then(|it| it.rsplit_once(", expected "));
    match found {
        Some((found, "u64")) => {
            let (found, max) = (shortened(found), u64::MAX);
            format!("{found} is not a whole number within 0..={max}; write one")
        }
        Some((found, expected)) => {
            let expected = match expected {
                "a sequence" => "a list, like [one, two]",
                "a boolean" => "true or false",
                _ => expected,
            };
            format!("{} stands here; write {expected}", shortened(found))
        }
        None => format!("{}; correct it", shortened(message)),
    }
}

fn in_file(file: &str, mut refusal: Refusal) -> Refusal {
    for problem in &mut refusal.problems {
        problem.file = Some(file.to_owned());
    }
    refusal
        .problems
        .sort_by_key(|problem| (problem.line, problem.column));
    refusal
}
