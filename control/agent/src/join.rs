//! Joins a manager: trades a one-time token for a certificate.
//!
//! The token has a secret, and the fingerprint of the manager's CA. Whoever answers shows its certificates first; the
//! secret goes to a second connection, which trusts the CA of that fingerprint and no other.

use std::{fmt, str::FromStr};

use anyhow::{Context as _, bail, ensure};
use inlay_api::{
    join_token::JoinToken,
    wire::agent::{JoinRequest, enrollment_client::EnrollmentClient},
};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use tonic::Code;
use tracing::info;

use crate::{
    identity::{DataDirectory, Identity, ManagerAddress, to_pem},
    tls,
};

/// What `--join` says: `SECRET.FINGERPRINT@MANAGER[:PORT]`. Its `Debug` has no secret.
#[derive(Clone, Eq, PartialEq)]
pub struct JoinTarget {
    token: JoinToken,
    manager: ManagerAddress,
}

impl fmt::Debug for JoinTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("JoinTarget");
        fields.field("token", &self.token);
        fields.field("manager", &self.manager);
        fields.finish_non_exhaustive()
    }
}

impl FromStr for JoinTarget {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        // Not repeated in messages: it is a secret.
        let told = "--join takes TOKEN@MANAGER, with a token as `inlay host token` prints it";
        let (token, manager) = text.rsplit_once('@').context(told)?;
        Ok(Self {
            token: JoinToken::parse(token)?,
            manager: manager.parse()?,
        })
    }
}

impl JoinTarget {
    /// Whether `identity` is of the manager that made the token.
    #[must_use]
    pub fn is_of(&self, identity: &Identity) -> bool {
        let authority = pem::parse(&identity.authority);
        authority.is_ok_and(|it| self.token.names_authority(it.contents()))
    }
}

/// A key that was made here and never leaves.
pub(crate) struct HostKey(KeyPair);

impl HostKey {
    pub(crate) fn make() -> anyhow::Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
        key.map(Self).context("cannot make a key")
    }

    /// PKCS #10, DER, without a subject: the manager knows which host this is.
    pub(crate) fn signing_request(&self) -> anyhow::Result<Vec<u8>> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let request = params.serialize_request(&self.0);
        Ok(request
            .context("cannot make a signing request")?
            .der()
            .to_vec())
    }

    pub(crate) fn into_pem(self) -> String {
        self.0.serialize_pem()
    }
}

/// Joins as `target` says, and keeps what comes of it in `directory`. What was there is replaced.
///
/// # Errors
/// Where the manager cannot be reached, is not the one that the token is for, or refuses the token. Nothing is changed
/// then.
pub async fn join(target: &JoinTarget, directory: &DataDirectory) -> anyhow::Result<Identity> {
    let authority = authority_of(target).await?;
    let endpoint = tls::endpoint(&target.manager, &authority, None)?;
    let channel = endpoint.connect().await.with_context(|| {
        format!(
            "the certificate of the manager at {} is not good for that name, or not at this host's time; use the name \
             that it was given at `inlay manager init`, and see that both clocks are right",
            target.manager
        )
    })?;
    let key = HostKey::make()?;
    let request = JoinRequest {
        secret: target.token.secret.clone(),
        signing_request: key.signing_request()?,
    };
    let mut client = EnrollmentClient::new(channel);
    let call = tokio::time::timeout(tls::CONNECT_TIMEOUT * 2, client.join(request));
    let response = match call
        .await
        .context("the manager does not answer; try again")?
    {
        Ok(response) => response.into_inner(),
        Err(status) if is_refusal(status.code()) => bail!(
            "the manager refused the token ({}); a token serves once and not for long: make another with `inlay host \
             token NAME`",
            status.message()
        ),
        Err(status) => bail!(
            "the manager did not take this host in: {}",
            status.message()
        ),
    };
    ensure!(
        target.token.names_authority(&response.authority),
        "the manager gave another CA than the token's; nothing of it is kept"
    );
    let identity = Identity::new(
        response.host,
        target.manager.clone(),
        key.into_pem(),
        &response.certificate,
        &response.authority,
    )?;
    directory.write_identity(&identity)?;
    info!(host = identity.host, manager = %identity.manager, "joined");
    Ok(identity)
}

/// The CA of the token's fingerprint, PEM, if whoever answers shows it.
async fn authority_of(target: &JoinTarget) -> anyhow::Result<String> {
    let chain = tls::presented_chain(&target.manager).await?;
    let found = chain.iter().find(|it| target.token.names_authority(it));
    let found = found.with_context(|| {
        format!(
            "whoever answers at {} is not the manager that the token is for: its CA is another one; the token was not \
             sent",
            target.manager
        )
    })?;
    Ok(to_pem(found))
}

fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::Unauthenticated | Code::PermissionDenied | Code::NotFound
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_after_join() {
        let (secret, print) = ("0a".repeat(16), "ab".repeat(32));
        let target: JoinTarget = format!("{secret}.{print}@[::1]:9").parse().unwrap();
        assert_eq!((&target.token.secret, target.manager.port), (&secret, 9));
        assert!(!format!("{target:?}").contains(&secret));
        for text in [
            secret.clone(),
            format!("{secret}@manager"),
            format!("{secret}.ab@manager"),
            format!(".{print}@manager"),
            format!("{secret}.{print}"),
            format!("{secret}.{print}@"),
        ] {
            let refusal = text.parse::<JoinTarget>().unwrap_err();
            assert!(!format!("{refusal:#}").contains(&secret), "{refusal:#}");
        }
    }
}
