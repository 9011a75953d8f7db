//! Moves nodes: once the next host has prepared a node, it is that host's; once every host that can be reached knows, the
//! former one may forget it. Hosts that cannot be reached hold up nobody for long.
//!
//! ```text
//! host=A next=B --B acknowledged, and does not reject--> host=B former=A --all hold it--> host=B
//! ```
//!
//! A node that is sent on before its former host is forgotten waits where it is: one former host is remembered, and
//! hosts that lag behind send to it.

use std::{sync::Arc, time::Duration};

use inlay_api::objects::{AuditAction, AuditEntry, Kind, Metadata, Node};

use super::fleet::Fleet;
use crate::{
    keys,
    service::log_operation,
    store::{Condition, Operation, Revision, Store, StoreError, Transaction},
    world::Moving,
};

/// While nodes are on their way: after the store failed, or hosts were waited for long enough.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Moves nodes for ever.
pub async fn move_nodes(store: &Arc<dyn Store>, fleet: &Fleet) {
    let mut revisions = fleet.world.revisions();
    let mut changes = fleet.changes();
    loop {
        // What changes from here on is looked at in the next round.
        revisions.borrow_and_update();
        changes.borrow_and_update();
        let all = fleet.world.moving();
        let is_waiting = !all.is_empty();
        for moving in all {
            if let Err(error) = step(&**store, fleet, &moving).await {
                tracing::error!(%error, network = %moving.network, node = %moving.node, "a node cannot be moved");
            }
        }
        let again = async {
            if is_waiting {
                tokio::time::sleep(AGAIN_AFTER).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            changed = revisions.changed() => if changed.is_err() { return },
            changed = changes.changed() => if changed.is_err() { return },
            () = again => {}
        }
    }
}

/// Takes a node one step further, if it is due.
async fn step(store: &dyn Store, fleet: &Fleet, moving: &Moving) -> Result<(), StoreError> {
    let Moving {
        network,
        node: name,
        revision: seen,
        ..
    } = moving;
    let Some((key, vni)) = key(network, name).zip(fleet.world.vni(network)) else {
        return Ok(());
    };
    if !is_due(fleet, vni, moving) {
        return Ok(());
    }
    let Some(entry) = store.get(&key).await? else {
        return Ok(());
    };
    // Where the world is not there yet, it will wake us.
    let read = serde_json::from_slice::<Node>(&entry.value);
    let Some(mut node) = read.ok().filter(|_| entry.modified == *seen) else {
        return Ok(());
    };
    advance(&mut node);
    let operations = operations(&key, &node).map_err(|error| StoreError::Engine {
        what: format!("{key} cannot be written: {error}"),
    })?;
    let transaction = Transaction {
        conditions: vec![Condition::Unchanged(key, *seen)],
        operations,
    };
    match store.commit(transaction).await {
        Ok(revision) => {
            let status = &node.status;
            tracing::info!(%network, node = %name, host = status.host, former_host = status.former_host, revision, "a node moves");
            Ok(())
        }
        // Somebody else changed it: it is looked at again when the world has that.
        Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn key(path: &str, name: &str) -> Option<String> {
    let (project, network) = path.split_once('/')?;
    let metadata = Metadata {
        project: project.into(),
        network: network.into(),
        name: name.into(),
        ..Metadata::default()
    };
    Some(keys::object(Kind::Node, &metadata))
}

/// Whether the hosts are ready for the node's next step.
fn is_due(fleet: &Fleet, vni: u32, moving: &Moving) -> bool {
    match &moving.next_host {
        Some(host) => is_prepared(fleet, host, (vni, &moving.node), moving.revision),
        None => fleet.is_settled(vni, moving.revision),
    }
}

/// Stores a node where it has come to, and tells of it in the audit log.
fn operations(key: &str, node: &Node) -> serde_json::Result<Vec<Operation>> {
    let status = &node.status;
    let detail = if status.former_host.is_empty() {
        format!("moved to {}: every host knows", status.host)
    } else {
        format!("moves from {} to {}", status.former_host, status.host)
    };
    let entry = AuditEntry {
        at: jiff::Timestamp::now().to_string(),
        actor: "manager".into(),
        action: AuditAction::Event,
        kind: Kind::Node.name().into(),
        project: node.metadata.project.clone(),
        network: node.metadata.network.clone(),
        name: node.metadata.name.clone(),
        detail,
        ..AuditEntry::default()
    };
    let value = serde_json::to_vec(node)?;
    Ok(vec![
        Operation::Put(key.to_owned(), value.into()),
        log_operation(&entry)?,
    ])
}

/// Changes where a node is: the former host is forgotten, or the next one has it.
fn advance(node: &mut Node) {
    let status = &mut node.status;
    if status.former_host.is_empty() {
        let next = std::mem::take(&mut status.next_host);
        status.former_host = std::mem::replace(&mut status.host, next);
    } else {
        status.former_host.clear();
    }
}

/// Whether a host that is connected has made what the node needs.
fn is_prepared(fleet: &Fleet, host: &str, (vni, node): (u32, &str), revision: Revision) -> bool {
    let (held, is_connected) = fleet.held_by(host);
    let hosts = fleet.hosts();
    let accepts = hosts
        .get(host)
        .is_some_and(|entry| entry.accepts(vni, node));
    is_connected && held >= revision && accepts
}
