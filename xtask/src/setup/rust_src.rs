//! The sources of the standard library, from which `-Zbuild-std` builds `core` for BPF.
//!
//! `rustup` has them for its toolchains. Where it cannot get them (no rustup, or no way to its server),
//! Debian's package of the very same version serves: it is taken from the mirror that the machine is
//! configured for, by an apt that reads and writes nothing of the machine's own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt_source::{Mirror, mirrors_of_this_machine};
use super::private_apt::PrivateApt;
use super::rustc::Rustc;
use super::{Missing, OrType};
use crate::process;
use crate::progress::Progress;

/// The suites that may have the package, the likeliest first.
const SUITES: [&str; 5] = [
    "trixie-backports",
    "bookworm-backports",
    "trixie",
    "testing",
    "sid",
];

/// Beside sources that came from a package: their version. An update of the toolchain leaves them there,
/// and sources of another version do not build. What rustup installs, rustup keeps in step.
const MARK: &str = ".inlay-version";

pub(super) fn ensure(progress: &Progress) -> Result<String, Missing> {
    let remedy = "rustup component add rust-src";
    let rustc = Rustc::find().or_type(remedy)?;
    if is_there(&rustc) {
        return Ok(rustc.version);
    }
    let Err(refusal) = from_rustup(progress) else {
        return Ok(format!("{} from rustup", rustc.version));
    };
    from_distribution(&rustc, &rustc.library(), progress)
        .with_context(|| format!("rustup cannot get it ({})", first_line(&refusal)))
        .or_type(remedy)
}

fn is_there(rustc: &Rustc) -> bool {
    let library = rustc.library();
    let complete = ["Cargo.lock", "core/src/lib.rs"]
        .iter()
        .all(|file| library.join(file).exists());
    // A mark that is not there says nothing against the sources.
    let mark = std::fs::read_to_string(library.join(MARK));
    complete && mark.map_or(true, |mark| mark.trim() == rustc.version)
}

fn from_rustup(progress: &Progress) -> Result<()> {
    process::quietly(
        Command::new("rustup").args(["component", "add", "rust-src"]),
        progress,
    )
}

/// Puts the sources at `library`, and says where they came from.
fn from_distribution(rustc: &Rustc, library: &Path, progress: &Progress) -> Result<String> {
    for mirror in mirrors_of_this_machine()? {
        for suite in SUITES {
            if let Some(version) = from_suite(rustc, library, &mirror, suite, progress)? {
                return Ok(format!("{version} from Debian {suite}"));
            }
        }
    }
    bail!(
        "no suite of this machine's Debian mirror has rust-src {}",
        rustc.version
    )
}

/// `None` where the suite is not there or does not have the version.
fn from_suite(
    rustc: &Rustc,
    library: &Path,
    mirror: &Mirror,
    suite: &str,
    progress: &Progress,
) -> Result<Option<String>> {
    let apt = PrivateApt::new(mirror, suite)?;
    if apt.update(progress).is_err() {
        return Ok(None);
    }
    let listed = apt.madison("rust-src")?;
    let Some(version) = version_of(&listed, &rustc.version) else {
        return Ok(None);
    };
    let unpacked = apt.unpack("rust-src", version, progress)?;
    let sources = unpacked
        .path()
        .join(format!("usr/src/rustc-{}/library", rustc.version));
    install(&sources, library, &rustc.version, progress)?;
    Ok(Some(version.to_owned()))
}

/// The package version that packs this version of the compiler, out of what `apt-cache madison` lists.
fn version_of<'a>(listed: &'a str, rustc_version: &str) -> Option<&'a str> {
    let start = format!("{rustc_version}+");
    listed
        .lines()
        .filter_map(|line| line.split('|').nth(1).map(str::trim))
        .find(|version| version.starts_with(&start))
}

/// Copies `sources` beside their place, then renames: who builds meanwhile sees all or nothing.
fn install(sources: &Path, library: &Path, version: &str, progress: &Progress) -> Result<()> {
    let parent = library
        .parent()
        .context("the library has no parent directory")?;
    let owner = nearest_existing(parent);
    let partial = library.with_extension("partial");
    std::fs::write(sources.join(MARK), version).context("cannot mark the sources")?;
    let as_owner = |program: &str| process::privileged_for(owner, program);
    process::quietly(as_owner("mkdir").arg("-p").arg(parent), progress)?;
    process::quietly(
        as_owner("rm").arg("-rf").args([&partial, library]),
        progress,
    )?;
    process::quietly(as_owner("cp").arg("-r").args([sources, &partial]), progress)?;
    process::quietly(as_owner("mv").args([&partial, library]), progress)
}

fn nearest_existing(path: &Path) -> &Path {
    path.ancestors()
        .find(|ancestor| ancestor.exists())
        .unwrap_or(path)
}

fn first_line(error: &anyhow::Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;

    const LISTED: &str = "\
  rust-src | 1.96.0+dfsg1-1~bpo13+1 | http://mirror.example/debian trixie-backports/main amd64 Packages
  rust-src | 1.95.0+dfsg1-2~bpo13+1 | http://mirror.example/debian trixie-backports/main amd64 Packages
";

    #[test]
    fn the_package_of_the_very_version_is_chosen() {
        assert_eq!(version_of(LISTED, "1.95.0"), Some("1.95.0+dfsg1-2~bpo13+1"));
    }

    #[test]
    fn a_package_of_another_version_is_not() {
        assert_eq!(version_of(LISTED, "1.95.1"), None);
        assert_eq!(version_of(LISTED, "1.9"), None);
        assert_eq!(version_of("", "1.95.0"), None);
    }

    #[test]
    fn sources_that_a_package_left_for_another_compiler_do_not_serve() {
        let scratch = Scratch::new().unwrap();
        let rustc = Rustc {
            version: "1.95.0".into(),
            sysroot: scratch.path().into(),
        };
        assert!(!is_there(&rustc));
        std::fs::create_dir_all(rustc.library().join("core/src")).unwrap();
        std::fs::write(rustc.library().join("core/src/lib.rs"), "").unwrap();
        std::fs::write(rustc.library().join("Cargo.lock"), "").unwrap();
        assert!(is_there(&rustc));
        std::fs::write(rustc.library().join(MARK), "1.94.0").unwrap();
        assert!(!is_there(&rustc));
    }

    #[test]
    #[ignore = "downloads 45 MB; needs a Debian machine: cargo test -p xtask -- --ignored"]
    fn the_distribution_has_the_sources_of_this_compiler() {
        let scratch = Scratch::new().unwrap();
        let rustc = Rustc {
            sysroot: scratch.path().into(),
            ..Rustc::find().unwrap()
        };
        from_distribution(&rustc, &rustc.library(), &Progress::begin("rust-src")).unwrap();
        assert!(is_there(&rustc));
        assert!(rustc.library().join(MARK).exists());
    }
}
