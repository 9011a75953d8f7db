//! `cargo xtask build`: the release binary, programs included (dataplane-user's build script makes them).

use anyhow::Result;

use crate::{checkout, process, setup};

/// Prepares the machine, builds `inlay` and says where it is.
pub(crate) fn build() -> Result<()> {
    setup::setup()?;
    release()?;
    eprintln!("built {}", checkout::inlay()?.display());
    Ok(())
}

/// Builds the rows that `cargo xtask run` shows, on a machine that is prepared.
pub(crate) fn scenario() -> Result<()> {
    let package = ["build", "--release", "--package", "inlay-tests", "--bins"];
    process::openly(process::cargo().args(package))
}

/// Builds `inlay` on a machine that is prepared.
pub(crate) fn release() -> Result<()> {
    process::openly(process::cargo().args(["build", "--release", "--package", "inlay-cli"]))
}
