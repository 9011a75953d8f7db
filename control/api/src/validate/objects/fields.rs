//! The problems of a request's fields, and the fields that objects of all kinds have.

use std::fmt::Display;

use crate::field_path::FieldPath::{self, Root};
use crate::invalid_value::quoted;
use crate::limits::{LABEL_BYTES_MAX, LABELS_MAX};
use crate::objects::{FieldProblem, Labels};
use crate::problem::{Problem, Problems};
use crate::{Name, read};

use super::super::security_group::refuse_description;

/// Problems of a request's fields, as they are found; at most [`PROBLEMS_MAX`](crate::limits::PROBLEMS_MAX).
#[derive(Debug, Default)]
pub struct FieldProblems(pub(super) Problems);

impl FieldProblems {
    /// Adds what is wrong with a field, and what to do.
    pub fn add(&mut self, field: impl Display, message: impl Display) {
        self.0.push(Problem::new(field, message));
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was found, in the order in which it was.
    #[must_use]
    pub fn into_list(self) -> Vec<FieldProblem> {
        let problems = self.0.into_refusal().problems.into_iter();
        problems
            .map(|problem| FieldProblem {
                field: problem.path,
                message: problem.message,
            })
            .collect()
    }

    /// The value of `result`, or `None` and one more problem.
    pub(super) fn take<T, E: Display>(
        &mut self,
        path: &FieldPath<'_>,
        result: Result<T, E>,
    ) -> Option<T> {
        self.0.take(path, result)
    }
}

/// serde's message about the shape of a body in the words of the other messages.
#[must_use]
pub fn shape_message(message: &str) -> String {
    read::advise(message)
}

/// A name in `field`.
pub fn name(text: &str, field: &str, problems: &mut FieldProblems) -> Option<Name> {
    text.parse()
        .map_err(|error| problems.add(field, error))
        .ok()
}

/// `spec.description`: one line of at most 255 bytes.
pub fn description(text: &str, problems: &mut FieldProblems) {
    let spec = Root.field("spec");
    refuse_description(text, &spec.field("description"), &mut problems.0);
}

/// Labels in `field`.
pub fn labels(labels: &Labels, field: &str, problems: &mut FieldProblems) {
    if labels.len() > LABELS_MAX {
        let found = labels.len();
        problems.add(
            field,
            format!("{found} labels are more than {LABELS_MAX}; take some out"),
        );
        return;
    }
    for (key, value) in labels {
        if key.is_empty() || !is_label(key) {
            let message = format!(
                "{} is not a label's key; use 1 to {LABEL_BYTES_MAX} letters, digits, -, _, . and /",
                quoted(key)
            );
            problems.add(field, message);
        } else if !is_label(value) {
            problems.add(format!("{field}.{key}"), not_a_label(value));
        }
    }
}

/// A text that is compared with others of the same form, like a location.
pub(super) fn label(text: &str, path: &FieldPath<'_>, problems: &mut FieldProblems) {
    if text.is_empty() || !is_label(text) {
        problems.0.add(path, not_a_label(text));
    }
}

fn not_a_label(text: &str) -> String {
    format!(
        "{} is not of a label's form; use at most {LABEL_BYTES_MAX} letters, digits, -, _, . and /",
        quoted(text)
    )
}

fn is_label(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    text.len() <= LABEL_BYTES_MAX && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: &[(&str, &str)]) -> Vec<String> {
        let pairs = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        let mut problems = FieldProblems::default();
        labels(&pairs.collect(), "metadata.labels", &mut problems);
        let list = problems.into_list();
        list.into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn labels_have_a_form() {
        let none: [String; 0] = [];
        assert_eq!(
            found(&[("app", "web"), ("example.com/tier", ""), ("A_b", "1.2")]),
            none
        );
        assert_eq!(found(&[("", "x")]), ["metadata.labels"]);
        assert_eq!(found(&[("a b", "x")]), ["metadata.labels"]);
        assert_eq!(found(&[("app", "a b")]), ["metadata.labels.app"]);
        assert_eq!(found(&[("app", &"x".repeat(63))]), none);
        assert_eq!(found(&[("app", &"x".repeat(64))]), ["metadata.labels.app"]);
    }

    #[test]
    fn labels_are_few() {
        let of = |count: usize| -> Labels {
            (0..count)
                .map(|nth| (format!("k{nth}"), String::new()))
                .collect()
        };
        for (count, refused) in [(16, false), (17, true)] {
            let mut problems = FieldProblems::default();
            labels(&of(count), "metadata.labels", &mut problems);
            assert_eq!(problems.is_empty(), !refused, "{count}");
        }
    }
}
