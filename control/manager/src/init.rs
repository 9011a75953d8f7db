//! The first start: the directory, the database with the CA, and the operator's first token; all or none.

use std::{
    fmt,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail, ensure};
use inlay_api::objects::{Kind, Metadata, Role, Token, TokenSpec, TokenStatus};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    config::ManagerConfig,
    keys,
    store::{Condition, Operation, Store, Transaction, sqlite::SqliteStore},
    trust::{Authority, Lifetimes, Trust, hash, hint, new_secret, system_clock},
};

/// What somebody else than the owner may do.
const OTHERS: u32 = 0o077;
/// Name of the first token.
const ADMIN: &str = "admin";

/// A manager that can be run.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Initialised {
    /// The operator's bearer token. It is shown once: the store has its hash alone.
    pub admin_token: String,
    /// The CA's certificate: what clients trust. The same is in the file `ca.pem` of the data directory.
    pub ca_pem: String,
    /// Its SHA-256, hex digits.
    pub fingerprint: String,
    /// Where the API will be.
    pub api_url: String,
}

impl fmt::Debug for Initialised {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Initialised")
            .field("fingerprint", &self.fingerprint)
            .field("api_url", &self.api_url)
            .finish_non_exhaustive()
    }
}

/// Makes what a manager needs to run.
///
/// # Errors
/// Where there is a database already, which is left as it is; or the directory cannot be made, or is open to others.
pub async fn init(config: &ManagerConfig) -> Result<Initialised> {
    let database = config.database();
    refuse_existing(&database)?;
    make_directory(&config.data_dir)?;
    let unfinished = Unfinished::new(&config.data_dir);
    unfinished.remove()?;
    let (admin_token, authority) = fill(&unfinished.database()).await?;
    // Everything or nothing: the database is there, with a token to use it by, once it has its name.
    fs::hard_link(unfinished.database(), &database)
        .with_context(|| format!("cannot make {}", database.display()))?;
    File::open(&config.data_dir)?.sync_all()?;
    unfinished.remove()?;
    write_authority(config, authority.certificate_pem())?;
    Ok(Initialised {
        admin_token,
        ca_pem: authority.certificate_pem().to_owned(),
        fingerprint: authority.fingerprint(),
        api_url: config.api_url(),
    })
}

/// Puts the CA's certificate where clients are given it from.
///
/// # Errors
/// Where the file cannot be written.
pub(crate) fn write_authority(config: &ManagerConfig, pem: &str) -> Result<()> {
    write_whole(&config.authority(), pem.as_bytes())
}

/// Writes a file so that nobody sees a part of it.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    let written = fs::write(&partial, content).and_then(|()| fs::rename(&partial, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn refuse_existing(database: &Path) -> Result<()> {
    if database.exists() {
        bail!(
            "{} is there already: this manager is initialised, and `inlay manager run` runs it",
            database.display()
        );
    }
    Ok(())
}

/// Makes the data directory, for its owner alone. One that is there and open to others is not ours to close.
///
/// # Errors
/// Where it cannot be made, or is open to others.
pub fn make_directory(path: &Path) -> Result<()> {
    let shown = path.display();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make {shown}"))?;
    let mode = fs::metadata(path)?.permissions().mode();
    ensure!(
        mode & OTHERS == 0,
        "{shown} is open to others than its owner; type chmod 700 {shown}"
    );
    Ok(())
}

/// Makes the store and what is in it at first. When this returns it is closed, and all of it is in one file.
async fn fill(path: &Path) -> Result<(String, Arc<Authority>)> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::create(path)?);
    let trust = Trust::open(Arc::clone(&store), Lifetimes::default(), system_clock()).await?;
    let secret = new_secret();
    store.commit(first_token(&secret)?).await?;
    let authority = Arc::clone(trust.authority());
    Ok((secret, authority))
}

/// The object of the token, and where it is found by its hash.
fn first_token(secret: &str) -> Result<Transaction> {
    let now = Timestamp::now().to_string();
    let token = Token {
        kind: None,
        metadata: Metadata {
            name: ADMIN.to_owned(),
            uid: uuid::Uuid::now_v7().to_string(),
            created_at: now.clone(),
            updated_at: now,
            ..Metadata::default()
        },
        spec: TokenSpec {
            description: "The operator's first token".to_owned(),
            role: Role::Admin,
            ..TokenSpec::default()
        },
        status: TokenStatus { hint: hint(secret) },
    };
    let object = keys::object(Kind::Token, &token.metadata);
    let by_hash = keys::token(&hash(secret));
    Ok(Transaction {
        conditions: vec![Condition::Absent(object.clone())],
        operations: vec![
            Operation::Put(object, serde_json::to_vec(&token)?.into()),
            Operation::Put(by_hash, ADMIN.into()),
        ],
    })
}

/// The database until it is complete, and the files that SQLite and the store have beside it.
struct Unfinished(PathBuf);

impl Unfinished {
    fn new(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    fn database(&self) -> PathBuf {
        self.0.join("init.db")
    }

    fn remove(&self) -> Result<()> {
        for name in ["init.db", "init.db-wal", "init.db-shm", "init.db-lock"] {
            let path = self.0.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done.with_context(|| format!("cannot remove {}", path.display()))?,
            }
        }
        Ok(())
    }
}
