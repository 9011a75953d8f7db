//! Where the manager listens, and how others on the machine learn it.

use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::{config::ManagerConfig, init::write_whole};

/// The addresses that were taken: what is in `listening.json` of the data directory, from when requests are answered
/// until the manager ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Listening {
    /// Of the API.
    pub api: SocketAddr,
    /// Of the agents' server.
    pub agents: SocketAddr,
    /// Of the metrics.
    pub metrics: SocketAddr,
}

/// Sockets that listen.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) api: TcpListener,
    pub(crate) agents: TcpListener,
    pub(crate) metrics: TcpListener,
}

impl Listeners {
    pub(crate) async fn bind(config: &ManagerConfig) -> Result<Self> {
        Ok(Self {
            api: bind("api_listen", config.api_listen).await?,
            agents: bind("agents_listen", config.agents_listen).await?,
            metrics: bind("metrics_listen", config.metrics_listen).await?,
        })
    }

    pub(crate) fn addresses(&self) -> Result<Listening> {
        Ok(Listening {
            api: self.api.local_addr()?,
            agents: self.agents.local_addr()?,
            metrics: self.metrics.local_addr()?,
        })
    }
}

async fn bind(field: &str, address: SocketAddr) -> Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen on {address}; change {field}"))
}

/// The file that says where, while it is held. One that a killed manager left is replaced.
#[derive(Debug)]
pub(crate) struct Announcement(PathBuf);

impl Announcement {
    pub(crate) fn make(config: &ManagerConfig, listening: &Listening) -> Result<Self> {
        let path = config.listening();
        write_whole(&path, &serde_json::to_vec_pretty(listening)?)?;
        Ok(Self(path))
    }

    /// Removes what a killed manager left: nobody listens there.
    pub(crate) fn clear(config: &ManagerConfig) {
        let _ = fs::remove_file(config.listening());
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Whoever reads it meanwhile finds nobody there.
        let _ = fs::remove_file(&self.0);
    }
}
