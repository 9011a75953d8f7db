//! schemathesis, which makes up requests from the API's OpenAPI document and checks the answers. A Python program,
//! in a virtual environment of its own below cargo's target directory.
//!
//! Only one test needs it, and that test says loudly where it is missing: a machine without it is complete.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Missing, apt};
use crate::progress::Progress;
use crate::{checkout, process};

/// The version that the API was checked with.
const VERSION: &str = "4.32.5";

#[expect(clippy::unnecessary_wraps, reason = "the shape of a step")]
pub(super) fn ensure(progress: &Progress) -> Result<String, Missing> {
    Ok(match find_or_install(progress) {
        Ok(()) => VERSION.to_owned(),
        Err(error) => format!("NOT THERE, its test will be skipped: {error:#}"),
    })
}

fn find_or_install(progress: &Progress) -> Result<()> {
    let environment = checkout::metadata()?.target_directory.join("venv");
    if has_version(&environment) {
        return Ok(());
    }
    make(&environment, progress).or_else(|_| {
        // Debian keeps the module apart.
        apt::install(&["python3-venv"], progress)?;
        make(&environment, progress)
    })?;
    let wanted = format!("schemathesis=={VERSION}");
    let mut pip = Command::new(program(&environment, "pip"));
    process::quietly(pip.args(["install", "--quiet", &wanted]), progress)?;
    has_version(&environment)
        .then_some(())
        .context("installed, and yet not found")
}

fn make(environment: &Path, progress: &Progress) -> Result<()> {
    let mut python = Command::new("python3");
    process::quietly(python.args(["-m", "venv"]).arg(environment), progress)
}

fn has_version(environment: &Path) -> bool {
    let said = process::output(Command::new(program(environment, "schemathesis")).arg("--version"));
    said.is_ok_and(|said| said.contains(VERSION))
}

fn program(environment: &Path, name: &str) -> PathBuf {
    environment.join("bin").join(name)
}
