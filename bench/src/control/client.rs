//! A client of the API, blocking, over one connection.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};

use super::manager::Manager;

/// The longest that one call may take: ten thousand nodes at once.
const PATIENCE: Duration = Duration::from_mins(2);

/// A client with the operator's token.
#[derive(Clone, Debug)]
pub(super) struct Client {
    agent: Agent,
    base: String,
    token: String,
}

impl Client {
    pub(super) fn of(manager: &Manager) -> Result<Self> {
        let authority = Certificate::from_pem(manager.authority.as_bytes())?;
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[authority]))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        Ok(Self {
            agent: config.into(),
            base: format!("https://{}/v1", manager.listening.api),
            token: format!("Bearer {}", manager.token),
        })
    }

    /// Creates, or does what else a POST does.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let sent = self
            .agent
            .post(format!("{}/{path}", self.base))
            .header("Authorization", &self.token)
            .send_json(body);
        answer(path, sent)
    }

    /// Deletes.
    pub(super) fn delete(&self, path: &str) -> Result<Value> {
        let sent = self
            .agent
            .delete(format!("{}/{path}", self.base))
            .header("Authorization", &self.token)
            .call();
        answer(path, sent)
    }

    /// Reads.
    pub(super) fn get(&self, path: &str) -> Result<Value> {
        let sent = self
            .agent
            .get(format!("{}/{path}", self.base))
            .header("Authorization", &self.token)
            .call();
        answer(path, sent)
    }
}

/// The body. 202 is what is not applied in time: the benchmark asks for what is.
fn answer(
    path: &str,
    sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Value> {
    let mut response = sent.with_context(|| format!("call {path}"))?;
    let status = response.status().as_u16();
    let text = response
        .body_mut()
        .with_config()
        .limit(1 << 28)
        .read_to_string()?;
    ensure!(
        (200..300).contains(&status) && status != 202,
        "{path} answered {status}: {text}"
    );
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}
