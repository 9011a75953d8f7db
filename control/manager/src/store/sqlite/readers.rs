//! A few connections that read, each on a thread for blocking work while it does.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, Transaction};
use tokio::sync::Semaphore;

use super::{database, error::failed};
use crate::store::StoreError;

/// Connections that read at a time; more readers wait. Each has a page cache of its own.
const READERS_MAX: usize = 4;

#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    free: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            free: Semaphore::new(READERS_MAX),
            idle: Mutex::default(),
        }
    }

    /// Has `read` see one revision of the database.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let _permit = self.free.acquire().await;
        let readers = Arc::clone(self);
        let work = move || readers.read_blocking(read);
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|error| Err(failed(format!("a reader ended: {error}"))))
    }

    fn read_blocking<T>(
        &self,
        read: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = self.idle().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => database::open_reader(&self.path)?,
        };
        let transaction = connection.transaction()?;
        let answer = read(&transaction)?;
        drop(transaction);
        self.idle().push(connection);
        Ok(answer)
    }

    /// Closes those that nobody uses.
    pub(super) fn close(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
