//! The distribution's packages, installed for the whole machine. The one step that needs root for long.

use std::ffi::OsStr;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::process;
use crate::progress::Progress;

/// How long to wait for another apt-get to end.
const LOCK_TIMEOUT: &str = "DPkg::Lock::Timeout=120";

/// Installs `packages`, after a look at what the mirrors have.
pub(super) fn install(packages: &[&str], progress: &Progress) -> Result<()> {
    ensure!(
        process::find("apt-get").is_some(),
        "no apt-get here to install them"
    );
    // One repository that cannot be reached makes `update` fail; the packages may come from another.
    let _ = process::quietly(apt_get().arg("update"), progress);
    let install = ["install", "-y", "--no-install-recommends"].map(OsStr::new);
    process::quietly(apt_get().args(install).args(packages), progress)
}

/// `apt-get` that asks no question. `env`, because sudo does not pass the environment on.
fn apt_get() -> Command {
    let mut apt_get = process::privileged("env");
    apt_get.args([
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-q",
        "-o",
        LOCK_TIMEOUT,
    ]);
    apt_get
}
