//! bpf-linker, which turns Rust's bitcode into BPF objects. It uses the LLVM of rustc itself.

use std::process::Command;

use anyhow::{Context, Result};

use super::rustc::at_least;
use super::{Missing, OrType};
use crate::process;
use crate::progress::Progress;

/// The version that the programs are built and checked with. A later patch of it serves too.
const VERSION: &str = "0.10.3";
/// Versions with another beginning may emit programs that nobody has checked.
const SERIES: &str = "0.10.";

pub(super) fn ensure(progress: &Progress) -> Result<String, Missing> {
    if let Some(version) = serving_version() {
        return Ok(version);
    }
    let remedy = format!("cargo install bpf-linker --version {VERSION} --locked --force");
    install(progress).or_type(&remedy)?;
    serving_version()
        .context("installed, and yet not found")
        .or_type(&remedy)
}

/// The version of the one that is found, if it serves.
fn serving_version() -> Option<String> {
    let version = version_there().ok()?;
    (version.starts_with(SERIES) && at_least(&version, VERSION)).then_some(version)
}

fn version_there() -> Result<String> {
    let linker = process::find("bpf-linker").context("not found")?;
    let said = process::output(Command::new(linker).arg("--version"))?;
    said.split_whitespace()
        .last()
        .map(str::to_owned)
        .context("it names no version")
}

/// Takes about a minute.
fn install(progress: &Progress) -> Result<()> {
    let mut cargo = process::cargo();
    // A target directory and a directory of their own, so that neither the workspace's settings nor its
    // build cache mix with another project's build.
    cargo.env_remove("CARGO_TARGET_DIR").current_dir("/");
    cargo.args([
        "install",
        "bpf-linker",
        "--version",
        VERSION,
        "--locked",
        "--force",
    ]);
    process::quietly(&mut cargo, progress)
}
