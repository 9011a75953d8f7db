//! `cargo xtask setup`: finds or installs all that building, running and testing need.
//!
//! Each step looks first and changes the machine only if something is missing, so a second run takes
//! about as long as asking the tools for their versions. A step that fails does not stop the others;
//! each thing that is still missing at the end is one line that says what to type.

mod apt;
mod apt_source;
mod bpf_linker;
mod bpffs;
mod private_apt;
mod programs;
mod rust_src;
mod rustc;
mod schemathesis;
mod scratch;

use std::fmt::Display;

use anyhow::{Result, bail};

use crate::progress::Progress;

/// One thing that the machine has to have.
struct Step {
    name: &'static str,
    /// Finds or installs it, and says what is there.
    ensure: fn(&Progress) -> Result<String, Missing>,
}

/// In an order in which each step has what it needs.
const STEPS: [Step; 6] = [
    Step {
        name: "rustc",
        ensure: rustc::ensure,
    },
    Step {
        name: "programs",
        ensure: programs::ensure,
    },
    Step {
        name: "rust-src",
        ensure: rust_src::ensure,
    },
    Step {
        name: "bpf-linker",
        ensure: bpf_linker::ensure,
    },
    Step {
        name: "bpffs",
        ensure: bpffs::ensure,
    },
    Step {
        name: "schemathesis",
        ensure: schemathesis::ensure,
    },
];

/// What could not be had, and what somebody can do to have it.
#[derive(Debug)]
struct Missing {
    why: String,
    remedy: String,
}

/// Turns an error into a [`Missing`].
trait OrType<T> {
    /// `command` is the line to type.
    fn or_type(self, command: impl Display) -> Result<T, Missing>
    where
        Self: Sized,
    {
        self.or_do(format!("type  {command}"))
    }

    /// `remedy` says what to do, where no one command serves everywhere.
    fn or_do(self, remedy: impl Display) -> Result<T, Missing>;
}

impl<T> OrType<T> for Result<T> {
    fn or_do(self, remedy: impl Display) -> Result<T, Missing> {
        self.map_err(|error| Missing {
            why: format!("{error:#}"),
            remedy: remedy.to_string(),
        })
    }
}

/// Runs every step. Fails if anything is missing at the end.
pub(crate) fn setup() -> Result<()> {
    let missing: Vec<_> = STEPS.iter().filter_map(|step| step.run().err()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "set-up is not complete; then run it again:\n{}",
        missing.join("\n")
    )
}

impl Step {
    /// The error is the line for the closing list.
    fn run(&self) -> Result<(), String> {
        let progress = Progress::begin(self.name);
        match (self.ensure)(&progress) {
            Ok(found) => {
                progress.done(&found);
                Ok(())
            }
            Err(missing) => {
                progress.failed(&missing.why);
                Err(format!("  {}: {}", self.name, missing.remedy))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn what_is_missing_ends_in_a_line_to_type() {
        let step = Step {
            name: "thing",
            ensure: |_| Err(anyhow!("no network")).or_type("install thing"),
        };
        assert_eq!(step.run().unwrap_err(), "  thing: type  install thing");
    }
}
