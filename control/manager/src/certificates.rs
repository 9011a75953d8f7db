//! The certificate that API and agents' server show, and its replacement while they go on.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Result;
use prometheus_client::{
    metrics::gauge::Gauge,
    registry::{Registry, Unit},
};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info};

use crate::{
    http::ServedCertificate,
    names::names,
    trust::{Authority, Clock, ServerCertificate},
};

/// How often it is looked whether another one is needed.
const CHECK_INTERVAL: Duration = Duration::from_mins(1);

/// The present certificate, and what it was made for.
pub(crate) struct Certificates {
    authority: Arc<Authority>,
    clock: Clock,
    configured: Vec<String>,
    /// What both servers show.
    served: Arc<ServedCertificate>,
    ends: Gauge,
    made: Mutex<Made>,
}

/// What the present one was made for, and until when.
struct Made {
    names: Vec<String>,
    renew_s: i64,
}

impl Certificates {
    /// Makes the first one.
    pub(crate) fn new(
        authority: Arc<Authority>,
        clock: Clock,
        configured: &[String],
    ) -> Result<Self> {
        let names = names(configured);
        let ServerCertificate {
            chain,
            key,
            ends_s,
            renew_s,
        } = authority.issue_server(&names, clock())?;
        let ends = Gauge::default();
        ends.set(ends_s);
        Ok(Self {
            authority,
            clock,
            configured: configured.to_vec(),
            served: Arc::new(ServedCertificate::new(chain, key)?),
            ends,
            made: Mutex::new(Made { names, renew_s }),
        })
    }

    pub(crate) fn served(&self) -> Arc<ServedCertificate> {
        Arc::clone(&self.served)
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "server_certificate_ends",
            "When the certificate of API and agents' server ends, Unix time",
            Unit::Seconds,
            self.ends.clone(),
        );
    }

    /// Replaces it for ever: before it ends, and when the machine has other addresses.
    pub(crate) async fn keep(&self) {
        let mut clock = interval(CHECK_INTERVAL);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            if let Err(error) = self.check() {
                error!("the server's certificate cannot be replaced: {error:#}");
            }
        }
    }

    fn check(&self) -> Result<()> {
        let (names, now_s) = (names(&self.configured), (self.clock)());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if names == made.names && now_s < made.renew_s {
            return Ok(());
        }
        let issued = self.authority.issue_server(&names, now_s)?;
        self.served.replace(issued.chain, issued.key)?;
        self.ends.set(issued.ends_s);
        info!(?names, "the server's certificate is replaced");
        let renew_s = issued.renew_s;
        *made = Made { names, renew_s };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::{
        store::sqlite::SqliteStore,
        trust::{Lifetimes, Trust, system_clock},
    };

    const DAY_S: i64 = 24 * 60 * 60;

    #[tokio::test]
    async fn it_is_replaced_before_it_ends() {
        let directory = tempfile::TempDir::new().unwrap();
        let store = SqliteStore::create(&directory.path().join("store.db")).unwrap();
        let trust = Trust::open(Arc::new(store), Lifetimes::default(), system_clock()).await;
        let trust = trust.unwrap();
        let start_s = system_clock()();
        let now_s = Arc::new(AtomicI64::new(start_s));
        let clock: Clock = {
            let now_s = Arc::clone(&now_s);
            Arc::new(move || now_s.load(Ordering::Relaxed))
        };
        let authority = Arc::clone(trust.authority());
        let configured = ["manager.example".to_owned()];
        let mut certificates = Certificates::new(authority, clock, &configured).unwrap();
        let ends = certificates.ends.clone();
        assert_eq!(ends.get(), start_s + 30 * DAY_S);
        for (day, expected) in [(1, 30), (19, 30), (20, 50), (39, 50), (41, 71)] {
            now_s.store(start_s + day * DAY_S, Ordering::Relaxed);
            certificates.check().unwrap();
            assert_eq!(ends.get(), start_s + expected * DAY_S, "day {day}");
        }
        // Another name is another certificate.
        certificates.configured = vec!["other.example".to_owned()];
        now_s.fetch_add(1, Ordering::Relaxed);
        certificates.check().unwrap();
        assert_eq!(ends.get(), start_s + 71 * DAY_S + 1);
    }
}
