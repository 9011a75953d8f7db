//! Why a client verb fails, what is said of it, and the exit code that programs read.

use std::fmt::Write as _;

use inlay_api::objects::{Applied, Problem};

/// It failed, and no other code says why.
const EXIT_FAILED: u8 = 1;
/// What was typed, or the context, does not say what is needed.
const EXIT_USAGE: u8 = 2;
/// What was named is not there.
const EXIT_NOT_FOUND: u8 = 4;
/// It is there already, is still used, or was changed meanwhile.
const EXIT_CONFLICT: u8 = 5;
/// It is done, and not every host has it.
const EXIT_NOT_APPLIED: u8 = 6;

/// Why a client verb fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What was typed, or the context, does not say what is needed.
    #[error("{0}")]
    Usage(String),
    /// What was named is not part of what the manager answered.
    #[error("{0}")]
    NotFound(String),
    /// The manager does not do it.
    #[error("{}", rendered(.0))]
    Refused(Box<Problem>),
    /// It is done, and not every host has it in time.
    #[error("{}", pending(.0))]
    NotApplied(Applied),
    /// There is no answer.
    #[error("{0}")]
    NoAnswer(String),
}

impl Failure {
    /// See the constants.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => EXIT_USAGE,
            Self::NotFound(_) => EXIT_NOT_FOUND,
            Self::Refused(problem) => match problem.status {
                404 => EXIT_NOT_FOUND,
                409 | 412 | 428 => EXIT_CONFLICT,
                _ => EXIT_FAILED,
            },
            Self::NotApplied(_) => EXIT_NOT_APPLIED,
            Self::NoAnswer(_) => EXIT_FAILED,
        }
    }

    /// Whether the manager says that it is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        self.exit_code() == EXIT_NOT_FOUND
    }

    /// Whether the manager says that this token may not do it.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.status == 403)
    }

    /// Whether the manager says that something else is there already, or that it was changed meanwhile.
    pub(crate) fn is_conflict(&self) -> bool {
        self.exit_code() == EXIT_CONFLICT
    }
}

/// Title, detail, and a line for each field.
fn rendered(problem: &Problem) -> String {
    let title = match problem.title.as_str() {
        "" => format!("the manager answers {}", problem.status),
        title => title.to_owned(),
    };
    let mut text = title;
    if !problem.detail.is_empty() {
        let _ = write!(text, ": {}", problem.detail);
    }
    for error in &problem.errors {
        let _ = write!(text, "\n  {}: {}", error.field, error.message);
    }
    text
}

/// Each host that has not applied it, with the reason.
fn pending(applied: &Applied) -> String {
    let Applied {
        revision, pending, ..
    } = applied;
    let mut text =
        format!("it is done (revision {revision}), but not every host has it in its maps:");
    for host in pending {
        let _ = write!(text, "\n  {}", host.host);
        if !host.reason.is_empty() {
            let _ = write!(text, ": {}", host.reason);
        }
    }
    text.push_str("\nthey get it as soon as they can; `inlay status` shows how far they are");
    text
}

#[cfg(test)]
mod tests {
    use inlay_api::objects::{FieldProblem, HostPending};

    use super::*;

    fn refused(status: u16) -> Failure {
        Failure::Refused(Box::new(Problem {
            status,
            ..Problem::default()
        }))
    }

    #[test]
    fn exit_codes_follow_the_status() {
        for (status, code) in [
            (400, 1),
            (401, 1),
            (403, 1),
            (404, 4),
            (409, 5),
            (412, 5),
            (422, 1),
            (500, 1),
        ] {
            assert_eq!(refused(status).exit_code(), code, "{status}");
        }
        assert_eq!(Failure::Usage(String::new()).exit_code(), 2);
        assert_eq!(Failure::NotApplied(Applied::default()).exit_code(), 6);
    }

    #[test]
    fn a_problem_is_told_with_each_field() {
        let failure = Failure::Refused(Box::new(Problem {
            title: "the request is not valid".to_owned(),
            detail: "2 fields are wrong".to_owned(),
            status: 422,
            errors: vec![
                FieldProblem {
                    field: "spec.cidr".to_owned(),
                    message: "10.0.0.1/16 has host bits set; write 10.0.0.0/16".to_owned(),
                },
                FieldProblem {
                    field: "spec.acl".to_owned(),
                    message: "there is no acl nope".to_owned(),
                },
            ],
            ..Problem::default()
        }));
        let expected = "the request is not valid: 2 fields are wrong\n  \
            spec.cidr: 10.0.0.1/16 has host bits set; write 10.0.0.0/16\n  \
            spec.acl: there is no acl nope";
        assert_eq!(failure.to_string(), expected);
        assert_eq!(refused(502).to_string(), "the manager answers 502");
    }

    #[test]
    fn hosts_that_have_not_applied_are_named() {
        let failure = Failure::NotApplied(Applied {
            revision: 7,
            complete: false,
            pending: vec![HostPending {
                host: "host2".to_owned(),
                applied_revision: 3,
                reason: "it is not connected".to_owned(),
            }],
        });
        let text = failure.to_string();
        assert!(text.contains("revision 7"), "{text}");
        assert!(text.contains("\n  host2: it is not connected\n"), "{text}");
    }
}
