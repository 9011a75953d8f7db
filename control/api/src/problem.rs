//! What is wrong with a state, where, and what to do; and the refusal that lists it all.

use std::fmt::{self, Display};

use serde::Serialize;

use crate::field_path::FieldPath;
use crate::limits::PROBLEMS_MAX;

/// One thing that is wrong. As text it is one line:
///
/// ```text
/// host.yaml:41:17: networks[0].nodes[2].addresses[0]: 10.0.3.7 is in no subnet of network red; …
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// Name of the file, where the state came from one.
    pub file: Option<String>,
    /// Line of the value in the file, from 1; of what encloses it, where it was left out.
    pub line: Option<usize>,
    /// Column in that line, from 1, in characters.
    pub column: Option<usize>,
    /// The way to the value, like `networks[0].nodes[2].addresses[0]`; empty for the whole.
    pub path: String,
    /// What is wrong and what to do, in one sentence without a full stop.
    pub message: String,
}

impl Problem {
    /// A problem of the value at `path`, not yet placed in a file.
    pub(crate) fn new(path: impl Display, message: impl Display) -> Self {
        Self {
            file: None,
            line: None,
            column: None,
            path: path.to_string(),
            message: message.to_string(),
        }
    }

    /// The same at a line and column, both from 1.
    pub(crate) fn at(mut self, line: usize, column: usize) -> Self {
        self.line = Some(line);
        self.column = Some(column);
        self
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            f.write_str(file)?;
            for number in [self.line, self.column].into_iter().flatten() {
                write!(f, ":{number}")?;
            }
            f.write_str(": ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// A state that is not taken, and why. As text it is one line for each problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", self.lines())]
#[non_exhaustive]
pub struct Refusal {
    /// The problems by line and column: 1 to [`PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
    /// How many more were found than are listed.
    pub more_count: usize,
}

impl Refusal {
    fn lines(&self) -> String {
        let mut lines: Vec<String> = self.problems.iter().map(Problem::to_string).collect();
        if self.more_count > 0 {
            lines.push(format!("and {} more problems", self.more_count));
        }
        lines.join("\n")
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            problems: vec![problem],
            more_count: 0,
        }
    }
}

/// Problems as they are found.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    list: Vec<Problem>,
    more_count: usize,
}

impl Problems {
    pub(crate) fn add(&mut self, path: &FieldPath<'_>, message: impl Display) {
        self.push(Problem::new(path, message));
    }

    pub(crate) fn push(&mut self, problem: Problem) {
        if self.list.len() < PROBLEMS_MAX {
            self.list.push(problem);
        } else {
            self.more_count += 1;
        }
    }

    /// The value of `result`, or `None` and one more problem at `path`.
    pub(crate) fn take<T, E: Display>(
        &mut self,
        path: &FieldPath<'_>,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.add(path, error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn into_refusal(self) -> Refusal {
        Refusal {
            problems: self.list,
            more_count: self.more_count,
        }
    }
}
