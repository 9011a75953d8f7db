//! The status of the whole system, from what is known of its hosts.

use inlay_api::objects::{Host, HostCondition, HostSummary, Kind, Labels, SystemStatus};

use super::{Verbs, problems::Failure, query::LIMIT_MAX};
use crate::service::{Actor, Listing, Target};

/// Pages of hosts that are read: 16,384 hosts are the most.
const PAGES_MAX: usize = 17;

/// All hosts.
///
/// # Errors
/// The problem of listing them.
pub(crate) async fn hosts(verbs: &dyn Verbs, actor: &Actor) -> Result<Vec<Host>, Failure> {
    let mut hosts = Vec::new();
    let mut page_token = None;
    for _ in 0..PAGES_MAX {
        let page = verbs.list(Listing {
            actor: actor.clone(),
            target: Target {
                kind: Kind::Host,
                project: String::new(),
                network: String::new(),
                name: String::new(),
            },
            labels: Labels::new(),
            limit: LIMIT_MAX,
            page_token,
        });
        let page = page.await?;
        // What the service lists as hosts are hosts.
        hosts.extend(
            page.items
                .into_iter()
                .filter_map(|host| serde_json::from_value(host).ok()),
        );
        page_token = page.next_page_token;
        if page_token.is_none() {
            break;
        }
    }
    Ok(hosts)
}

/// How all hosts are.
///
/// # Errors
/// The problem of listing them.
pub(crate) async fn read(verbs: &dyn Verbs, actor: &Actor) -> Result<SystemStatus, Failure> {
    let mut status = SystemStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..SystemStatus::default()
    };
    for host in hosts(verbs, actor).await? {
        count(&mut status, &host);
        status.hosts.push(HostSummary {
            name: host.metadata.name,
            location: host.spec.location,
            cordoned: host.spec.cordoned,
            status: host.status,
        });
    }
    Ok(status)
}

fn count(status: &mut SystemStatus, host: &Host) {
    match host.status.state {
        HostCondition::Ready => status.ready += 1,
        HostCondition::Unreachable => status.unreachable += 1,
        HostCondition::Expected => status.expected += 1,
    }
    status.lagging += u64::from(host.status.lag_ms > 0);
    status.degraded += u64::from(!host.status.degraded.is_empty());
}
