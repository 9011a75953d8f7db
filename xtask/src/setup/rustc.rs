//! The Rust compiler: its version and where its parts are.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use super::{Missing, OrType};
use crate::process;
use crate::progress::Progress;

/// The oldest compiler that the workspace builds with, from its manifest.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// The compiler that cargo uses in this checkout.
pub(super) struct Rustc {
    /// Such as 1.95.0.
    pub(super) version: String,
    /// Where its libraries are.
    pub(super) sysroot: PathBuf,
}

impl Rustc {
    pub(super) fn find() -> Result<Self> {
        let version = process::output(Command::new("rustc").arg("-V"))?;
        let version = version
            .split(' ')
            .nth(1)
            .context("rustc -V names no version")?
            .to_owned();
        let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
        Ok(Self {
            version,
            sysroot: PathBuf::from(sysroot.trim()),
        })
    }

    /// Where `-Zbuild-std` reads the sources of the standard library.
    pub(super) fn library(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust/library")
    }
}

pub(super) fn ensure(_: &Progress) -> Result<String, Missing> {
    let remedy = "rustup update stable && rustup default stable";
    let rustc = Rustc::find().or_type(remedy)?;
    if at_least(&rustc.version, OLDEST) {
        return Ok(rustc.version);
    }
    Err(anyhow!("{} is older than {OLDEST}", rustc.version)).or_type(remedy)
}

/// Whether one dotted version is another or later. A suffix such as `-nightly` does not count.
pub(super) fn at_least(version: &str, oldest: &str) -> bool {
    numbers(version) >= numbers(oldest)
}

fn numbers(version: &str) -> Vec<u32> {
    let plain = version.split('-').next().unwrap_or_default();
    plain
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(at_least("1.95.0", "1.95"));
        assert!(at_least("1.100.0", "1.95"));
        assert!(at_least("1.96.0-nightly", "1.95"));
        assert!(!at_least("1.94.9", "1.95"));
        assert!(!at_least("", "1.95"));
    }
}
