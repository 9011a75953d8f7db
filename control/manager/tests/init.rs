//! The first start of a manager: all or none, and never over another.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::Path,
};

use inlay_api::objects::{Role, Token};
use inlay_manager::{
    config::ManagerConfig,
    init::{Initialised, init},
    store::{Store as _, sqlite::SqliteStore},
    trust::{Lifetimes, Trust, hash, system_clock},
};
use tempfile::TempDir;

fn config(directory: &TempDir) -> ManagerConfig {
    ManagerConfig {
        data_dir: directory.path().join("a/manager"),
        names: vec!["manager.example".into()],
        ..ManagerConfig::default()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn files(config: &ManagerConfig) -> Vec<String> {
    let files = fs::read_dir(&config.data_dir).unwrap();
    let mut names: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_manager_is_initialised() {
    let directory = TempDir::new().unwrap();
    let config = config(&directory);
    let Initialised {
        admin_token,
        ca_pem,
        fingerprint,
        api_url,
    } = init(&config).await.unwrap();
    assert_eq!(api_url, "https://manager.example:8443");
    assert_eq!(files(&config), ["ca.pem", "manager.db"]);
    assert_eq!(mode(&config.data_dir), 0o700);
    assert_eq!(mode(&config.database()), 0o600);
    assert_eq!(fs::read_to_string(config.authority()).unwrap(), ca_pem);

    let store = std::sync::Arc::new(SqliteStore::open(&config.database()).unwrap());
    let name = store
        .get(&format!("tokens/{}", hash(&admin_token)))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(name.value, "admin");
    let object = store.get("objects/token/admin").await.unwrap().unwrap();
    assert_eq!(object.modified, name.modified, "one transaction");
    let token: Token = serde_json::from_slice(&object.value).unwrap();
    assert_eq!((token.spec.role, token.spec.project), (Role::Admin, None));
    assert!(admin_token.starts_with(&token.status.hint));
    assert!(
        !object
            .value
            .windows(admin_token.len())
            .any(|window| window == admin_token.as_bytes())
    );
    let trust = Trust::open(store, Lifetimes::default(), system_clock())
        .await
        .unwrap();
    assert_eq!(trust.authority().fingerprint(), fingerprint);
}

#[tokio::test]
async fn an_initialised_manager_is_left_as_it_is() {
    let directory = TempDir::new().unwrap();
    let config = config(&directory);
    init(&config).await.unwrap();
    let before = fs::read(config.database()).unwrap();
    let authority = fs::read(config.authority()).unwrap();
    let error = init(&config).await.unwrap_err().to_string();
    assert!(error.contains("is there already"), "{error}");
    assert_eq!(fs::read(config.database()).unwrap(), before);
    assert_eq!(fs::read(config.authority()).unwrap(), authority);
}

/// What one that was killed has left is not taken for a manager.
#[tokio::test]
async fn what_was_not_finished_is_begun_again() {
    let directory = TempDir::new().unwrap();
    let config = config(&directory);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.data_dir)
        .unwrap();
    drop(SqliteStore::create(&config.data_dir.join("init.db")).unwrap());
    fs::write(config.data_dir.join("init.db-wal"), "half").unwrap();
    init(&config).await.unwrap();
    assert_eq!(files(&config), ["ca.pem", "manager.db"]);
    SqliteStore::open(&config.database()).unwrap();
}

#[tokio::test]
async fn a_directory_that_others_read_is_refused() {
    let directory = TempDir::new().unwrap();
    let config = config(&directory);
    fs::create_dir_all(&config.data_dir).unwrap();
    fs::set_permissions(&config.data_dir, fs::Permissions::from_mode(0o750)).unwrap();
    let error = init(&config).await.unwrap_err().to_string();
    assert!(error.contains("chmod 700"), "{error}");
    assert!(files(&config).is_empty());
    fs::set_permissions(&config.data_dir, fs::Permissions::from_mode(0o700)).unwrap();
    init(&config).await.unwrap();
}
