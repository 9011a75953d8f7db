//! `cargo xtask tidy`: rules of the tree that neither the compiler nor clippy knows.

mod dependencies;
mod sources;

use anyhow::{Result, bail};

use crate::checkout;

/// What breaks a rule, and what only comes near to it. Each is one line that begins with where it is.
#[derive(Default, Debug, PartialEq, Eq)]
struct Findings {
    errors: Vec<String>,
    warnings: Vec<String>,
}

/// Checks everything and prints what it finds. Fails if a rule is broken.
pub(crate) fn tidy() -> Result<()> {
    let mut findings = Findings::default();
    dependencies::check(&checkout::metadata()?.packages, &mut findings);
    let count = sources::check(&checkout::root(), &mut findings)?;
    for warning in &findings.warnings {
        eprintln!("tidy: warning: {warning}");
    }
    for error in &findings.errors {
        eprintln!("tidy: error: {error}");
    }
    if !findings.errors.is_empty() {
        bail!("tidy found {} errors", findings.errors.len());
    }
    eprintln!("tidy: {count} files keep the rules");
    Ok(())
}
