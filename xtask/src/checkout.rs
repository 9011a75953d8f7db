//! Where things are: the checkout, cargo's target directory, cargo's own view of the workspace.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process;

/// The repository's root. Cargo tells the crate's directory at run time; the directory of the build
/// serves where the binary is started by hand.
pub(crate) fn root() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    own.parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// What `cargo metadata` says, as far as anything here asks.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

/// One package of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A line of a package's dependency tables, of whatever kind.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
}

/// Reads the workspace's manifests.
pub(crate) fn metadata() -> Result<Metadata> {
    let text =
        process::output(process::cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
    serde_json::from_str(&text).context("cannot read what `cargo metadata` printed")
}

/// The release binary, whether or not it is built.
pub(crate) fn inlay() -> Result<PathBuf> {
    release("inlay")
}

/// A release binary of the workspace, whether or not it is built.
pub(crate) fn release(name: &str) -> Result<PathBuf> {
    Ok(metadata()?.target_directory.join("release").join(name))
}
