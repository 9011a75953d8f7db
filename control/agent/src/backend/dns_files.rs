//! The files that `ip netns exec` binds over those of /etc in a node's namespace: who answers for names, and
//! the node's own. Their first line marks them, also across a reboot, which /run does not survive.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use super::{error::Error, wanted::Wanted};

const DIRECTORY: &str = "/etc/netns";
const RESOLV_CONF: &str = "resolv.conf";
const HOSTS: &str = "hosts";
const MARK: &str = "# Written by inlay; changes are lost. ";
/// Longest first line of a file that is looked at.
const MARK_BYTES_MAX: usize = 512;

fn directory(namespace: &str) -> PathBuf {
    Path::new(DIRECTORY).join(namespace)
}

/// Writes both files of a namespace where they are not as they should be. `mark` names instance and node.
pub(super) fn write(namespace: &str, mark: &str, wanted: &Wanted) -> Result<(), Error> {
    let directory = directory(namespace);
    fs::create_dir_all(&directory).map_err(Error::file("make", &directory))?;
    for (name, content) in [(RESOLV_CONF, resolv_conf(wanted)), (HOSTS, hosts(wanted))] {
        replace(&directory.join(name), &format!("{MARK}{mark}\n{content}"))?;
    }
    Ok(())
}

/// Removes the files of a namespace that are marked, and their directory if that leaves it empty.
pub(super) fn remove(namespace: &str) -> Result<(), Error> {
    let directory = directory(namespace);
    for name in [RESOLV_CONF, HOSTS] {
        let path = directory.join(name);
        if mark_of(&path).is_some() {
            fs::remove_file(&path).map_err(Error::file("remove", &path))?;
        }
    }
    // What others put there keeps it, and it may not be there.
    let _ = fs::remove_dir(&directory);
    Ok(())
}

/// The mark of a namespace's files, where they have one.
pub(super) fn mark(namespace: &str) -> Option<String> {
    mark_of(&directory(namespace).join(RESOLV_CONF))
}

/// The names of namespaces that have marked files, and the marks.
pub(super) fn marks() -> Vec<(String, String)> {
    let entries = fs::read_dir(DIRECTORY).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let mark = mark(&name)?;
            Some((name, mark))
        })
        .collect()
}

fn mark_of(path: &Path) -> Option<String> {
    let content = fs::read(path).ok()?;
    let line = content.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line.get(..line.len().min(MARK_BYTES_MAX))?).ok()?;
    line.strip_prefix(MARK).map(str::to_owned)
}

/// In place, since a file that is bound into a running node's mount namespace stays the same file.
fn replace(path: &Path, content: &str) -> Result<(), Error> {
    match fs::read_to_string(path) {
        Ok(found) if found == content => return Ok(()),
        Ok(found) if !found.starts_with(MARK) => {
            return Err(Error::ForeignFile {
                path: path.to_owned(),
            });
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::file("read", path)(error)),
    }
    fs::write(path, content).map_err(Error::file("write", path))
}

fn resolv_conf(wanted: &Wanted) -> String {
    let mut text = String::new();
    if !wanted.dns_domain.is_empty() {
        let _ = writeln!(text, "search {}", wanted.dns_domain);
    }
    for server in &wanted.dns_servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    text
}

fn hosts(wanted: &Wanted) -> String {
    let node = &wanted.node;
    let mut text = "127.0.0.1 localhost\n".to_owned();
    if let Some(address) = wanted.addresses.first() {
        let _ = match wanted.dns_domain.as_str() {
            "" => writeln!(text, "{address} {node}"),
            domain => writeln!(text, "{address} {node}.{domain} {node}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_others_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(RESOLV_CONF);
        fs::write(&path, "nameserver 192.0.2.1\n").unwrap();
        let refused = replace(&path, &format!("{MARK}x\n")).unwrap_err();
        assert!(matches!(refused, Error::ForeignFile { .. }), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "nameserver 192.0.2.1\n");
        assert_eq!(mark_of(&path), None);
    }

    #[test]
    fn a_file_of_ours_is_changed_in_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(HOSTS);
        replace(&path, &format!("{MARK}x\none\n")).unwrap();
        replace(&path, &format!("{MARK}x\ntwo\n")).unwrap();
        assert_eq!(mark_of(&path).as_deref(), Some("x"));
        assert!(fs::read_to_string(&path).unwrap().ends_with("two\n"));
    }
}
