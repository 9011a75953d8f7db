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

/// Builds `inlay` on a machine that is prepared.
pub(crate) fn release() -> Result<()> {
    process::openly(process::cargo().args(["build", "--release", "--package", "inlay-cli"]))
}
