//! Renews the host's certificate: after two thirds of its time, at a moment of this host's own, again and again until
//! the manager gives another.

use std::time::Duration;

use anyhow::Context as _;
use inlay_api::wire::agent::{RenewRequest, agents_client::AgentsClient};
use rand::RngExt as _;
use tokio::sync::watch;
use tracing::{error, info};

use crate::{
    identity::{DataDirectory, Identity, Validity, now_s},
    join::HostKey,
    tls,
};

/// The longest sleep: a clock that is set meanwhile is seen within it.
const SLEEP_MAX: Duration = Duration::from_hours(1);
/// How long a renewal may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Renews `identity` for ever, and keeps it in `directory`.
pub(crate) async fn renew(identity: watch::Sender<Identity>, directory: DataDirectory) {
    loop {
        wait_until_due(&identity).await;
        let present = identity.borrow().clone();
        match renewed(&present).await {
            Ok(next) => {
                if let Err(error) = directory.write_identity(&next) {
                    // It is good for as long as this process runs, and for the next renewal.
                    error!("{error:#}");
                }
                info!(host = next.host, "the certificate is renewed");
                identity.send_replace(next);
            }
            Err(error) => {
                let outside = present.is_outside_its_time(now_s());
                let advice = outside.unwrap_or_else(|| "it is tried again".to_owned());
                error!("the certificate is not renewed: {error:#}; {advice}");
                tokio::time::sleep(retry_after(&present)).await;
            }
        }
    }
}

/// Somewhere in the first tenth of what is left after two thirds, so that hosts do not come together.
async fn wait_until_due(identity: &watch::Sender<Identity>) {
    let spread: f64 = rand::rng().random();
    loop {
        let validity = identity.borrow().validity();
        let Ok(validity) = validity else {
            return;
        };
        let jitter = validity.left_for_renewal().mul_f64(0.1 * spread);
        let due_s = validity.renewal_s();
        let left = u64::try_from(due_s.saturating_sub(now_s())).unwrap_or(0);
        let left = Duration::from_secs(left);
        if left.is_zero() {
            return tokio::time::sleep(jitter.min(SLEEP_MAX)).await;
        }
        tokio::time::sleep(left.min(SLEEP_MAX)).await;
    }
}

/// A random time up to a twentieth of the time that there is for renewals, a second at least.
fn retry_after(identity: &Identity) -> Duration {
    let left = identity.validity().map(Validity::left_for_renewal);
    let longest = left.unwrap_or_default() / 20;
    let random: f64 = rand::rng().random();
    longest
        .mul_f64(random)
        .clamp(Duration::from_secs(1), SLEEP_MAX)
}

async fn renewed(identity: &Identity) -> anyhow::Result<Identity> {
    let endpoint = tls::endpoint(&identity.manager, &identity.authority, Some(identity))?;
    let told = || format!("the manager at {} cannot be reached", identity.manager);
    let channel = endpoint.connect().await.with_context(told)?;
    let key = HostKey::make()?;
    let request = RenewRequest {
        signing_request: key.signing_request()?,
    };
    let mut client = AgentsClient::new(channel);
    let call = tokio::time::timeout(CALL_TIMEOUT, client.renew(request)).await;
    let response = call.context("the manager does not answer")??.into_inner();
    Identity::new(
        identity.host.clone(),
        identity.manager.clone(),
        key.into_pem(),
        &response.certificate,
        &response.authority,
    )
}
