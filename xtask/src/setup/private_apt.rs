//! A private apt: the machine's own mirror and keys, another suite, and lists and caches of its own.
//!
//! Nothing of the machine's configuration or lists is changed, and none of this needs root.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::apt_source::{Mirror, stanza};
use super::scratch::Scratch;
use crate::process;
use crate::progress::Progress;

/// Files of a private apt, in its directory.
const SOURCE: &str = "inlay.sources";
const CONFIGURATION: &str = "apt.conf";

/// An apt of one mirror and one suite.
pub(super) struct PrivateApt {
    scratch: Scratch,
}

impl PrivateApt {
    pub(super) fn new(mirror: &Mirror, suite: &str) -> Result<Self> {
        let scratch = Scratch::new()?;
        for directory in ["lists/partial", "cache/archives/partial"] {
            std::fs::create_dir_all(scratch.path().join(directory)).context("cannot make lists")?;
        }
        let files = [
            (SOURCE, stanza(mirror, suite)),
            (CONFIGURATION, configuration(scratch.path())),
        ];
        for (name, text) in files {
            std::fs::write(scratch.path().join(name), text).context("cannot configure apt")?;
        }
        Ok(Self { scratch })
    }

    /// Fetches the suite's list of packages.
    pub(super) fn update(&self, progress: &Progress) -> Result<()> {
        process::quietly(self.program("apt-get").args(["-q", "update"]), progress)
    }

    /// The versions of `package`, as `apt-cache madison` lists them.
    pub(super) fn madison(&self, package: &str) -> Result<String> {
        process::output(self.program("apt-cache").args(["madison", package]))
    }

    /// Downloads a package and unpacks it without installing it.
    pub(super) fn unpack(
        &self,
        package: &str,
        version: &str,
        progress: &Progress,
    ) -> Result<Scratch> {
        let download = &mut self.program("apt-get");
        download.args(["-q", "download", &format!("{package}={version}")]);
        process::quietly(download.current_dir(self.scratch.path()), progress)?;
        let unpacked = Scratch::new()?;
        let mut extract = Command::new("dpkg-deb");
        extract
            .arg("-x")
            .arg(the_package(self.scratch.path())?)
            .arg(unpacked.path());
        process::quietly(&mut extract, progress)?;
        Ok(unpacked)
    }

    /// A program of apt's with this configuration, which it reads after the machine's own.
    fn program(&self, name: &str) -> Command {
        let mut program = Command::new(name);
        program
            .arg("-c")
            .arg(self.scratch.path().join(CONFIGURATION));
        program
    }
}

/// Everything that apt would read of the machine's choice of packages, or write, is elsewhere.
fn configuration(scratch: &Path) -> String {
    let scratch = scratch.display();
    format!(
        r#"Dir::Etc::SourceList "{scratch}/{SOURCE}";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "{scratch}/lists";
Dir::Cache "{scratch}/cache";
// As root, apt would download as a user who cannot write here.
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
"#
    )
}

/// The one `.deb` in a directory.
fn the_package(directory: &Path) -> Result<PathBuf> {
    std::fs::read_dir(directory)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get download left no package")
}
