//! One-time tokens with which hosts join.

use inlay_api::{join_token, objects::JoinToken};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    HostIdentity, Issued, Trust, TrustError,
    hosts::{TRIES_MAX, contended, known, record, unreadable},
    secrets::{hash, random_hex},
};
use crate::store::{Condition, Entry, Operation, StoreError, Transaction};

/// Before the hashes of all tokens.
const TOKENS: &str = "joins/";
/// Tokens that are looked at, and removed, in one step.
const SWEEP_PAGE: usize = 1_000;

/// What is known of a token: what is in the store under `joins/HASH`, the SHA-256 of its secret.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct JoinClaim {
    /// Name of the host that it is for.
    pub host: String,
    /// `uid` of that host, so that it is for no other one of that name.
    pub uid: String,
    /// Until when it can be used, Unix time in seconds.
    pub expires_s: i64,
    /// Whether it was used. It is remembered until it expires, so that a second use is noticed.
    #[serde(default)]
    pub used: bool,
}

/// Why a token is not valid: for the manager's own log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TokenFault {
    /// It was never made, or expired long ago.
    Unknown,
    /// It expired.
    Expired,
    /// It was used already: whoever used it may not be who should have.
    Replayed,
    /// Its host was removed, or made again.
    HostGone,
}

/// What a host is given that joins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Joined {
    /// Its name.
    pub host: String,
    /// Its certificate.
    pub issued: Issued,
    /// The CA's certificate, X.509 in DER.
    pub authority_der: Vec<u8>,
}

impl Trust {
    /// A token with which a host can join once, within the next hour.
    ///
    /// # Errors
    /// `NoHost` where there is no such host.
    pub async fn issue_join_token(&self, host: &str) -> Result<JoinToken, TrustError> {
        let known = known(&*self.store, host).await?;
        let known = known.ok_or_else(|| TrustError::NoHost(host.to_owned()))?;
        let secret = random_hex::<{ join_token::SECRET_DIGITS / 2 }>();
        let expires_s = self.now_s() + i64::from(self.lifetimes.join_token_s);
        let claim = JoinClaim {
            host: host.to_owned(),
            uid: known.uid,
            expires_s,
            used: false,
        };
        let key = key(&secret);
        let transaction = Transaction {
            conditions: vec![Condition::Absent(key.clone())],
            operations: vec![put(key, &claim)?],
        };
        self.store.commit(transaction).await?;
        let fingerprint = self.authority.fingerprint();
        let expires_at = Timestamp::from_second(expires_s).unwrap_or(Timestamp::MAX);
        Ok(JoinToken {
            token: join_token::JoinToken {
                secret,
                fingerprint,
            }
            .to_string(),
            expires_at: expires_at.to_string(),
        })
    }

    /// Takes a token's secret and a signing request for a certificate. Only one of those who show the same token is
    /// given one; a request that is refused costs no token. Certificates that the host had count no more.
    ///
    /// # Errors
    /// `JoinToken` where the token is not valid; `SigningRequest` where the request is refused.
    pub async fn join(&self, secret: &str, signing_request: &[u8]) -> Result<Joined, TrustError> {
        for _ in 0..TRIES_MAX {
            let (entry, mut claim) = self.claim(secret).await?;
            let known = known(&*self.store, &claim.host).await?;
            let known = known.filter(|known| known.uid == claim.uid);
            let known = known.ok_or(TrustError::JoinToken(TokenFault::HostGone))?;
            let issued = self.sign(signing_request, &claim.host, &claim.uid)?;
            let identity = HostIdentity {
                uid: claim.uid.clone(),
                serials: vec![issued.serial.clone()],
            };
            let mut transaction = record(&claim.host, &known, &identity)?;
            let condition = Condition::Unchanged(entry.key.to_string(), entry.modified);
            transaction.conditions.push(condition);
            claim.used = true;
            transaction
                .operations
                .push(put(entry.key.to_string(), &claim)?);
            match self.store.commit(transaction).await {
                Ok(_) => return Ok(self.joined(&claim.host, issued)),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended(key(secret)))
    }

    /// The token of a secret, if it can be used.
    async fn claim(&self, secret: &str) -> Result<(Entry, JoinClaim), TrustError> {
        let fault = |fault| Err(TrustError::JoinToken(fault));
        let Some(entry) = self.store.get(&key(secret)).await? else {
            return fault(TokenFault::Unknown);
        };
        let claim: JoinClaim =
            serde_json::from_slice(&entry.value).map_err(unreadable("a join token"))?;
        if claim.used {
            return fault(TokenFault::Replayed);
        }
        if claim.expires_s <= self.now_s() {
            return fault(TokenFault::Expired);
        }
        Ok((entry, claim))
    }

    /// Forgets the tokens that have expired. To be called from time to time.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn sweep_join_tokens(&self) -> Result<(), TrustError> {
        let mut after = String::new();
        loop {
            let page = self.store.range(TOKENS, &after, SWEEP_PAGE).await?;
            let expired = page.entries.iter().filter(|entry| self.is_expired(entry));
            let operations = expired.map(|entry| Operation::Delete(entry.key.to_string()));
            let transaction = Transaction {
                conditions: Vec::new(),
                operations: operations.collect(),
            };
            self.store.commit(transaction).await?;
            match page.entries.last() {
                Some(last) if page.more => after = last.key.to_string(),
                _ => return Ok(()),
            }
        }
    }

    /// What cannot be read can never be used either.
    fn is_expired(&self, entry: &Entry) -> bool {
        let claim = serde_json::from_slice::<JoinClaim>(&entry.value);
        claim.map_or(true, |claim| claim.expires_s <= self.now_s())
    }
}

fn key(secret: &str) -> String {
    format!("{TOKENS}{}", hash(secret))
}

fn put(key: String, claim: &JoinClaim) -> Result<Operation, TrustError> {
    let value = serde_json::to_vec(claim).map_err(unreadable("a join token"))?;
    Ok(Operation::Put(key, value.into()))
}
