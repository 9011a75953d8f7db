//! What a large network costs: memory of each node, and the time that one more takes.

#![allow(clippy::unwrap_used)]

mod fleet;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fleet::{
    memory::MemoryStore,
    objects::{host, network_with_parts, node, write},
    puts,
};
use inlay_manager::{
    store::{Store, Transaction},
    world::World,
};

/// Nodes of the large network, and of the small one.
const LARGE: u32 = if cfg!(debug_assertions) {
    100_000
} else {
    1_000_000
};
const SMALL: u32 = 1_000;
/// Hosts that have them.
const HOSTS: u32 = 500;
/// Bytes that a node may cost in resident memory.
const NODE_BYTES_MAX: u64 = 250;

async fn store(nodes: u32) -> MemoryStore {
    let store = MemoryStore::new("epoch");
    let hosts = (0..HOSTS).map(host);
    let nodes = (0..nodes).map(|number| node("main", number, number % HOSTS));
    let objects = hosts.chain(network_with_parts("main", 7)).chain(nodes);
    let transaction = Transaction {
        operations: objects.map(write).collect(),
        ..Transaction::default()
    };
    store.commit(transaction).await.unwrap();
    store
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// The time that each of some commits took that add one node, the middle one of all.
fn time_to_add(world: &World, nodes: u32) -> Duration {
    let commits: Vec<_> = (nodes..nodes + 2_000)
        .map(|number| {
            puts(
                u64::from(number) + 2,
                [node("main", number, number % HOSTS)],
            )
        })
        .collect();
    let time = |commit| {
        let begin = Instant::now();
        world.commit(commit);
        begin.elapsed()
    };
    let mut times: Vec<_> = commits.iter().map(time).collect();
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
async fn memory_and_time_stay_within_their_limits() {
    let small = World::load(&store(SMALL).await).await.unwrap();
    let store = store(LARGE).await;
    let (before, begin) = (resident_bytes(), Instant::now());
    let large = Arc::new(World::load(&store).await.unwrap());
    let each = (resident_bytes() - before) / u64::from(LARGE);
    println!("{each} bytes a node, loaded in {:?}", begin.elapsed());
    assert!(each <= NODE_BYTES_MAX, "{each} bytes a node");
    let of_small = time_to_add(&small, SMALL);
    let of_large = time_to_add(&large, LARGE);
    println!("one more of {SMALL}: {of_small:?}; of {LARGE}: {of_large:?}");
    // Wide, because other tests run at the same time; a cost that grew with the network would be 100 times as large.
    assert!(of_large < of_small * 3, "{of_small:?} {of_large:?}");
    let begin = Instant::now();
    let snapshot = large.snapshot(7).await.unwrap();
    let bytes: usize = snapshot.chunks.iter().map(bytes::Bytes::len).sum();
    println!("snapshot of {bytes} bytes in {:?}", begin.elapsed());
}
