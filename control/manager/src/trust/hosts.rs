//! What the store says of hosts' certificates: which ones count.

use std::fmt;

use inlay_api::objects::{Host, Kind, Metadata};
use serde::{Deserialize, Serialize};

use super::{HostCertificate, Issued, Trust, TrustError, join::Joined};
use crate::{
    keys,
    store::{Condition, Operation, Revision, Store, StoreError, Transaction},
};

/// How often something is tried whose conditions somebody else's commits broke.
pub(super) const TRIES_MAX: usize = 5;

/// Which certificates of a host count: what is in the store under `trust/hosts/HOST`.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct HostIdentity {
    /// `uid` of the host's object when it joined.
    pub uid: String,
    /// Serial numbers, in hex digits: the present one, and the one that it was renewed with, should the answer have
    /// been lost on its way. Joining leaves one alone.
    pub serials: Vec<String>,
}

/// Whether a certificate counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It does.
    Current,
    /// Its time is over.
    Expired,
    /// Its host is removed.
    Removed,
    /// Its host was made again since.
    MadeAgain,
    /// Its host has joined again, or has been renewed twice, since.
    Superseded,
}

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Current => "it counts",
            Self::Expired => "its time is over",
            Self::Removed => "the host is removed",
            Self::MadeAgain => "the host was made again since",
            Self::Superseded => "the host has a later one",
        })
    }
}

/// The object of a host, as far as trust is concerned.
pub(super) struct Known {
    pub(super) key: String,
    pub(super) uid: String,
    pub(super) modified: Revision,
}

impl Trust {
    /// Whether the certificate that a host has shown counts. To be asked when a host connects, and again after every
    /// change of its object or of its identity.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn standing(&self, certificate: &HostCertificate) -> Result<Standing, TrustError> {
        if certificate.ends_s <= self.now_s() {
            return Ok(Standing::Expired);
        }
        let Some(known) = known(&*self.store, &certificate.host).await? else {
            return Ok(Standing::Removed);
        };
        if known.uid != certificate.uid {
            return Ok(Standing::MadeAgain);
        }
        let (identity, _) = identity(&*self.store, &certificate.host).await?;
        let counts =
            identity.uid == certificate.uid && identity.serials.contains(&certificate.serial);
        Ok(if counts {
            Standing::Current
        } else {
            Standing::Superseded
        })
    }

    /// A certificate for the host that has shown `certificate`, and which goes on to count until the next renewal.
    ///
    /// # Errors
    /// `NotCurrent` where the shown one does not count; `SigningRequest` where the request is refused.
    pub async fn renew(
        &self,
        certificate: &HostCertificate,
        signing_request: &[u8],
    ) -> Result<Issued, TrustError> {
        let host = &certificate.host;
        for _ in 0..TRIES_MAX {
            let known = known(&*self.store, host).await?;
            let (_, modified) = identity(&*self.store, host).await?;
            let standing = self.standing(certificate).await?;
            let (Some(known), Standing::Current) = (known, standing) else {
                let host = host.clone();
                return Err(TrustError::NotCurrent { host, standing });
            };
            let issued = self.sign(signing_request, host, &known.uid)?;
            let serials = vec![issued.serial.clone(), certificate.serial.clone()];
            let uid = known.uid.clone();
            let mut transaction = record(host, &known, &HostIdentity { uid, serials })?;
            transaction
                .conditions
                .push(unchanged(keys::host_identity(host), modified));
            match self.store.commit(transaction).await {
                Ok(_) => return Ok(issued),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended(keys::host_identity(host)))
    }

    pub(super) fn sign(
        &self,
        signing_request: &[u8],
        host: &str,
        uid: &str,
    ) -> Result<Issued, TrustError> {
        let lifetime_s = self.lifetimes.host_certificate_s;
        self.authority
            .sign_host(signing_request, host, uid, self.now_s(), lifetime_s)
    }

    pub(super) fn joined(&self, host: &str, issued: Issued) -> Joined {
        Joined {
            host: host.to_owned(),
            issued,
            authority_der: self.authority.certificate_der().to_vec(),
        }
    }
}

/// Makes `identity` the one of a host, if its object is as it was known.
pub(super) fn record(
    host: &str,
    known: &Known,
    identity: &HostIdentity,
) -> Result<Transaction, TrustError> {
    let value = serde_json::to_vec(identity).map_err(unreadable(host))?;
    Ok(Transaction {
        conditions: vec![Condition::Unchanged(known.key.clone(), known.modified)],
        operations: vec![Operation::Put(keys::host_identity(host), value.into())],
    })
}

/// The object of a host; `None` where there is none.
pub(super) async fn known(store: &dyn Store, host: &str) -> Result<Option<Known>, TrustError> {
    let metadata = Metadata {
        name: host.to_owned(),
        ..Metadata::default()
    };
    let key = keys::object(Kind::Host, &metadata);
    let Some(entry) = store.get(&key).await? else {
        return Ok(None);
    };
    let object: Host = serde_json::from_slice(&entry.value).map_err(unreadable(host))?;
    Ok(Some(Known {
        key,
        uid: object.metadata.uid,
        modified: entry.modified,
    }))
}

/// The identity of a host, and the revision that it was changed at; an empty one, and 0, where it has not joined.
async fn identity(store: &dyn Store, host: &str) -> Result<(HostIdentity, Revision), TrustError> {
    let Some(entry) = store.get(&keys::host_identity(host)).await? else {
        return Ok((HostIdentity::default(), 0));
    };
    let identity = serde_json::from_slice(&entry.value).map_err(unreadable(host))?;
    Ok((identity, entry.modified))
}

fn unchanged(key: String, revision: Revision) -> Condition {
    match revision {
        0 => Condition::Absent(key),
        _ => Condition::Unchanged(key, revision),
    }
}

pub(super) fn contended(key: String) -> TrustError {
    TrustError::Store(StoreError::Conflict { key })
}

pub(super) fn unreadable(what: &str) -> impl Fn(serde_json::Error) -> TrustError {
    let what = what.to_owned();
    move |error| {
        TrustError::Store(StoreError::Engine {
            what: format!("what is stored of {what} cannot be read: {error}"),
        })
    }
}
