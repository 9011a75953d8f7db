//! The service on the store that it has in earnest.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod service_support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use inlay_api::objects::Kind;
use inlay_manager::service::Action;
use inlay_manager::store::StoreError;
use inlay_manager::store::sqlite::SqliteStore;
use serde_json::{Value, json};
use service_support::*;

/// What all clients see of the network.
async fn seen(world: &World) -> Vec<Value> {
    let mut seen = Vec::new();
    for kind in Kind::ALL {
        seen.extend(
            world
                .list(kind, if kind == Kind::Peering { "acme" } else { "" })
                .await,
        );
    }
    seen
}

/// Opens the database once whoever had it is gone.
async fn reopened(path: &Path) -> SqliteStore {
    let opened = async {
        loop {
            match SqliteStore::open(path) {
                Ok(store) => return store,
                Err(StoreError::Engine { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let deadline = Duration::from_secs(30);
    tokio::time::timeout(deadline, opened).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let world = World::on(Arc::new(SqliteStore::create(&path).unwrap())).await;
    world.furnish().await;
    let spec = json!({"subnet": "front", "address_count": 2});
    world
        .act(Kind::Node, "acme/main/web", create_many(&spec, 90))
        .await
        .unwrap();
    world
        .act(Kind::Node, "acme/main/web-1", move_to(None))
        .await
        .unwrap();
    for nth in 80..=90 {
        world
            .deleted(Kind::Node, &format!("acme/main/web-{nth}"))
            .await;
    }
    let before = seen(&world).await;
    assert_eq!(names(&world.list(Kind::Node, "acme/main").await).len(), 79);
    drop(world);

    let world = World::on(Arc::new(reopened(&path).await)).await;
    assert_eq!(seen(&world).await, before);
    // Addresses in quarantine still are: 253 less those of 90 nodes are left.
    let subnet = world.read(Kind::Subnet, "acme/main/front").await;
    assert_eq!(subnet["status"]["addresses_used"], 2 * 79);
    assert_eq!(subnet["status"]["addresses_free"], 253 - 2 * 90);
    let refused = world
        .refused(Kind::Node, "acme/main/x", create_many(&spec, 37))
        .await;
    assert_eq!(refused.0, "no-room");
    world
        .act(Kind::Node, "acme/main/x", create_many(&spec, 36))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_at_once_are_each_given_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let world = Arc::new(World::on(Arc::new(SqliteStore::create(&path).unwrap())).await);
    world.furnish().await;
    let clients: Vec<_> = (0..40)
        .map(|nth| {
            let world = world.clone();
            tokio::spawn(async move {
                let path = format!("acme/main/n{nth}");
                world
                    .made(Kind::Node, &path, &json!({"subnet": "front"}))
                    .await;
                if nth % 2 == 0 {
                    world.act(Kind::Node, &path, Action::Delete).await.unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let list = world.list(Kind::Node, "acme/main").await;
    let addresses: std::collections::BTreeSet<String> = list
        .iter()
        .map(|node| node["status"]["addresses"].to_string())
        .collect();
    assert_eq!((list.len(), addresses.len()), (20, 20));
    let subnet = world.read(Kind::Subnet, "acme/main/front").await;
    assert_eq!(subnet["status"]["addresses_used"], 20);
    assert_eq!(subnet["status"]["addresses_free"], 253 - 40);
}
