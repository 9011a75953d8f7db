//! What an agent made for nodes, in a file of its instance's run directory, so that one that was killed leaves
//! nothing that the next does not find. The file goes with a reboot, as what it names does.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    error::Error,
    wanted::{Backend, Wanted},
};

const FILE: &str = "backends.json";

/// What was made for one node. It is written before anything is made.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Record {
    pub(super) uid: String,
    pub(super) backend: Backend,
    /// Host's side.
    pub(super) interface: String,
    /// Name and number (inode) of its network namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<(String, u64)>,
}

impl Record {
    /// Of `wanted`, which nothing was made for.
    pub(super) fn of(wanted: &Wanted) -> Self {
        Self {
            uid: wanted.uid.clone(),
            backend: wanted.backend,
            interface: wanted.interface.clone(),
            namespace: None,
        }
    }

    /// Whether what it names can be changed into `wanted`, and need not be made anew.
    pub(super) fn suits(&self, wanted: &Wanted) -> bool {
        self.uid == wanted.uid
            && self.backend == wanted.backend
            && self.interface == wanted.interface
    }
}

/// The file and its content: records by the keys of their resources.
#[derive(Debug)]
pub(super) struct Records {
    path: PathBuf,
    records: BTreeMap<String, Record>,
}

impl Records {
    /// Those of `directory`; none where the file is not there or not whole.
    pub(super) fn open(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(FILE);
        let records = match fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content).unwrap_or_else(|error| {
                tracing::warn!(%error, path = %path.display(), "the file is not whole; what was made \
                    for nodes is found by the marks on it");
                BTreeMap::new()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(Error::file("read", path)(error)),
        };
        Ok(Self { path, records })
    }

    pub(super) fn get(&self, key: &str) -> Option<&Record> {
        self.records.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Record)> {
        self.records.iter()
    }

    pub(super) fn put(&mut self, key: &str, record: Record) -> Result<(), Error> {
        if self.records.get(key) == Some(&record) {
            return Ok(());
        }
        self.records.insert(key.to_owned(), record);
        self.save()
    }

    pub(super) fn remove(&mut self, key: &str) -> Result<(), Error> {
        match self.records.remove(key) {
            Some(_) => self.save(),
            None => Ok(()),
        }
    }

    /// Readers see the content before or after, and never half of it.
    fn save(&self) -> Result<(), Error> {
        let content = serde_json::to_vec(&self.records).map_err(io::Error::from);
        let next = self.path.with_extension("json.next");
        content
            .and_then(|content| fs::write(&next, content))
            .and_then(|()| fs::rename(&next, &self.path))
            .map_err(Error::file("write", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_outlive_their_agent_and_a_torn_file_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let record = Record {
            uid: "u".into(),
            backend: Backend::Netns,
            interface: "red-a".into(),
            namespace: Some(("red.web.a".into(), 7)),
        };
        let mut records = Records::open(directory.path()).unwrap();
        records.put("web/a", record.clone()).unwrap();
        let again = Records::open(directory.path()).unwrap();
        assert_eq!(again.get("web/a"), Some(&record));
        records.remove("web/a").unwrap();
        assert_eq!(Records::open(directory.path()).unwrap().get("web/a"), None);
        fs::write(directory.path().join(FILE), b"{\"web/a\":").unwrap();
        assert_eq!(Records::open(directory.path()).unwrap().iter().count(), 0);
    }
}
