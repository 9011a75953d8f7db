//! The file of contexts: to which manager, with which token, and in which project. It holds tokens, so it is the
//! user's alone.

use std::{
    collections::BTreeMap,
    env, fmt, fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::failure::Failure;

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Contexts {
    /// The one that is meant where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// Each by its name.
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// A manager, and who one is there.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Context {
    /// Like `https://manager.example:7443`.
    pub(crate) server: String,
    /// Secret.
    pub(crate) token: String,
    /// The manager's CA, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<String>,
    /// Meant where no other is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<String>,
    /// Meant where no other is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<String>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("server", &self.server)
            .field("project", &self.project)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}

impl Contexts {
    /// `INLAY_CONFIG`, else where the XDG base directories have it.
    pub(crate) fn path() -> Result<PathBuf, Failure> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        if let Some(file) = set("INLAY_CONFIG") {
            return Ok(PathBuf::from(file));
        }
        let directory = match (set("XDG_CONFIG_HOME"), set("HOME")) {
            (Some(directory), _) => PathBuf::from(directory),
            (None, Some(home)) => Path::new(&home).join(".config"),
            (None, None) => {
                let what = "there is no HOME; say in INLAY_CONFIG where the file of contexts is";
                return Err(Failure::Usage(what.to_owned()));
            }
        };
        Ok(directory.join("inlay/config.yaml"))
    }

    /// What the file holds; nothing where there is none. One that others may read is refused.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let metadata = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            metadata => metadata.with_context(|| format!("{shown} cannot be read"))?,
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Failure::Usage(format!(
                "{shown} holds tokens, and others may use it (mode {mode:o}); type: chmod 600 {shown}"
            ))
            .into());
        }
        if metadata.len() > FILE_BYTES_MAX {
            let what = format!("{shown} is larger than {FILE_BYTES_MAX} bytes");
            return Err(Failure::Usage(what).into());
        }
        let text = fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
        // The error tells the place, and the name of a field at most: no token.
        serde_yaml::from_str(&text).map_err(|error| {
            Failure::Usage(format!("{shown} is no file of contexts: {error}")).into()
        })
    }

    /// Replaces the file at once, readable by its owner alone.
    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let shown = path.display();
        let cannot = || format!("{shown} cannot be written");
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .with_context(cannot)?;
        let next = directory.join(format!(".config.{}.yaml", std::process::id()));
        let written = write_private(&next, &serde_yaml::to_string(self)?)
            .and_then(|()| fs::rename(&next, path));
        if written.is_err() {
            let _ = fs::remove_file(&next);
        }
        written.with_context(cannot)
    }

    /// The context of this name, or the current one.
    pub(crate) fn find(&self, name: Option<&str>) -> Result<(&str, &Context), Failure> {
        let Some(name) = name.or(self.current.as_deref()) else {
            let what = "there is no context; make one: inlay context set NAME --server https://MANAGER:PORT --ca FILE --token-file -";
            return Err(Failure::Usage(what.to_owned()));
        };
        let found = self.contexts.get_key_value(name);
        let (name, context) = found.ok_or_else(|| {
            Failure::Usage(format!(
                "there is no context {name}; `inlay context list` tells which there are"
            ))
        })?;
        Ok((name.as_str(), context))
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Contexts {
        let context = Context {
            server: "https://manager.example:7443".to_owned(),
            token: "the-secret".to_owned(),
            project: Some("acme".to_owned()),
            ..Context::default()
        };
        Contexts {
            current: Some("lab".to_owned()),
            contexts: [("lab".to_owned(), context)].into(),
        }
    }

    #[test]
    fn the_file_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("inlay/config.yaml");
        assert_eq!(Contexts::load(&path).unwrap(), Contexts::default());
        one().save(&path).unwrap();
        one().save(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(Contexts::load(&path).unwrap(), one());
        let files = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "nothing else is left behind");
    }

    #[test]
    fn a_file_that_others_may_use_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.yaml");
        one().save(&path).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = Contexts::load(&path).unwrap_err().to_string();
            assert!(error.contains("chmod 600"), "{error}");
            assert!(!error.contains("the-secret"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        Contexts::load(&path).unwrap();
    }

    #[test]
    fn a_token_is_in_no_message() {
        assert!(!format!("{:?}", one()).contains("the-secret"));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.yaml");
        write_private(&path, "contexts: {lab: {token: {the-secret: 1}}}").unwrap();
        let error = format!("{:#}", Contexts::load(&path).unwrap_err());
        assert!(!error.contains("the-secret"), "{error}");
    }

    #[test]
    fn a_context_is_found_by_name_or_is_the_current_one() {
        let contexts = one();
        assert_eq!(contexts.find(None).unwrap().0, "lab");
        assert_eq!(contexts.find(Some("lab")).unwrap().0, "lab");
        assert_eq!(contexts.find(Some("nope")).unwrap_err().exit_code(), 2);
        assert_eq!(Contexts::default().find(None).unwrap_err().exit_code(), 2);
    }
}
