//! The Debian mirrors that this machine is configured for, with the keys that go with them.
//!
//! Sources are read in both of apt's formats (sources.list(5)): one line each, and deb822 stanzas.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::process;

/// A Debian mirror, and the keys that its releases are signed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mirror {
    uri: String,
    /// A deb822 value: the path of a keyring, or the key itself over several lines. The machine's
    /// trusted keys where there is none.
    signed_by: Option<String>,
}

/// The mirrors that this machine is configured for.
pub(super) fn mirrors_of_this_machine() -> Result<Vec<Mirror>> {
    ensure!(
        process::find("apt-get").is_some(),
        "there is no apt-get here"
    );
    let release = std::fs::read_to_string("/etc/os-release").context("cannot read os-release")?;
    let codename = codename(&release).context("this is not Debian, or a Debian without name")?;
    let mut mirrors = Vec::new();
    for path in source_files() {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let deb822 = path
            .extension()
            .is_some_and(|extension| extension == "sources");
        mirrors.extend(if deb822 {
            in_stanzas(&text, codename)
        } else {
            in_lines(&text, codename)
        });
    }
    mirrors.dedup();
    Ok(mirrors)
}

fn codename(release: &str) -> Option<&str> {
    let value = |key: &str| {
        release
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .map(|value| value.trim_matches('"'))
    };
    value("ID=").filter(|id| *id == "debian")?;
    value("VERSION_CODENAME=")
}

fn source_files() -> Vec<PathBuf> {
    let parts = std::fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten();
    let mut files: Vec<_> = parts
        .map(|part| part.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|end| end == "list" || end == "sources")
        })
        .collect();
    files.sort();
    files.insert(0, "/etc/apt/sources.list".into());
    files
}

/// Mirrors of `deb [options] uri suite component...` lines. The suite has to be the release itself: what
/// serves only its security updates or another project has no other suite of Debian.
fn in_lines(text: &str, codename: &str) -> Vec<Mirror> {
    text.lines()
        .filter_map(|line| in_line(line, codename))
        .collect()
}

fn in_line(line: &str, codename: &str) -> Option<Mirror> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    let signed_by = options
        .split_whitespace()
        .find_map(|option| option.strip_prefix("signed-by="));
    (suite == codename && words.any(|component| component == "main")).then(|| Mirror {
        uri: uri.to_owned(),
        signed_by: signed_by.map(str::to_owned),
    })
}

fn in_stanzas(text: &str, codename: &str) -> Vec<Mirror> {
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines
        .split(|line| line.trim().is_empty())
        .filter_map(|stanza| in_stanza(&stanza.join("\n"), codename))
        .collect()
}

fn in_stanza(stanza: &str, codename: &str) -> Option<Mirror> {
    let has =
        |key, word| field(stanza, key).is_some_and(|v| v.split_whitespace().any(|w| w == word));
    let serves = has("types", "deb") && has("suites", codename) && has("components", "main");
    if !serves || has("enabled", "no") {
        return None;
    }
    let uri = field(stanza, "uris")?.split_whitespace().next()?.to_owned();
    Some(Mirror {
        uri,
        signed_by: field(stanza, "signed-by"),
    })
}

/// The value of a field with its further lines, which begin with a space. Names of fields know no case.
fn field(stanza: &str, name: &str) -> Option<String> {
    let mut lines = stanza.lines();
    let value = lines.by_ref().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })?;
    let further = lines.take_while(|line| line.starts_with([' ', '\t']));
    Some(further.fold(value.to_owned(), |value, line| format!("{value}\n{line}")))
}

/// A deb822 stanza for one suite of a mirror.
pub(super) fn stanza(mirror: &Mirror, suite: &str) -> String {
    let uri = &mirror.uri;
    let signed_by = mirror
        .signed_by
        .as_ref()
        .map(|by| format!("Signed-By: {by}\n"));
    let signed_by = signed_by.unwrap_or_default();
    format!("Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\n{signed_by}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(uri: &str, signed_by: Option<&str>) -> Mirror {
        Mirror {
            uri: uri.into(),
            signed_by: signed_by.map(str::to_owned),
        }
    }

    #[test]
    fn one_line_sources_give_the_mirror_of_the_release() {
        let text = "\
# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/keys/debian.gpg] http://mirror.example/debian bookworm main contrib
deb-src http://mirror.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
deb http://other.example/tool stable main
";
        let found = in_lines(text, "bookworm");
        assert_eq!(
            found,
            [mirror(
                "http://mirror.example/debian",
                Some("/keys/debian.gpg")
            )]
        );
    }

    #[test]
    fn stanzas_give_the_mirror_of_the_release() {
        let text = "\
Types: deb deb-src
# a comment inside
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /keys/debian.gpg

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main
";
        let found = in_stanzas(text, "bookworm");
        assert_eq!(
            found,
            [mirror(
                "http://mirror.example/debian",
                Some("/keys/debian.gpg")
            )]
        );
    }

    #[test]
    fn a_key_inside_a_stanza_is_carried_over_whole() {
        let text = "types: deb\nuris: http://m.example/debian\nsuites: bookworm\ncomponents: main\nsigned-by:\n -----BEGIN\n .\n abc\n";
        let found = in_stanzas(text, "bookworm");
        let copy = stanza(&found[0], "sid");
        assert!(
            copy.ends_with("Suites: sid\nComponents: main\nSigned-By: \n -----BEGIN\n .\n abc\n"),
            "{copy}"
        );
    }

    #[test]
    fn only_debian_has_a_codename_here() {
        assert_eq!(
            codename("ID=debian\nVERSION_CODENAME=bookworm\n"),
            Some("bookworm")
        );
        assert_eq!(codename("ID=ubuntu\nVERSION_CODENAME=noble\n"), None);
        assert_eq!(codename("ID=debian\n"), None);
    }
}
