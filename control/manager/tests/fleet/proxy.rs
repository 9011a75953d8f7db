//! A link that loses: it cuts connections after some bytes, delays what it forwards, tries connections twice, and
//! forwards nothing any more while it keeps both ends open.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Mutex,
    task::JoinHandle,
};

/// What becomes of one connection.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It works.
    Good,
    /// It is cut when so many bytes have passed, both directions together.
    Cut(usize),
    /// Nothing is forwarded after so many bytes, and nobody is told.
    Silent(usize),
    /// It works, with each part delayed by up to so many milliseconds.
    Slow(u64),
    /// The first bytes are sent over a second connection too, which is then cut.
    Twice,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    /// While it is set, connections have bad fates.
    pub(crate) is_bad: Arc<AtomicBool>,
    pub(crate) connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// One in front of `target`, whose faults are chosen by `seed`.
    pub(crate) async fn new(target: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let is_bad = Arc::new(AtomicBool::new(true));
        let connections = Arc::new(AtomicUsize::new(0));
        let (bad, count) = (Arc::clone(&is_bad), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            let mut random = StdRng::seed_from_u64(seed);
            let mut links = tokio::task::JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let fate = if bad.load(Ordering::Relaxed) {
                    fate(&mut random, number)
                } else {
                    Fate::Good
                };
                links.spawn(link(near, target, fate));
            }
        });
        Self {
            address,
            is_bad,
            connections,
            task,
        }
    }
}

fn fate(random: &mut StdRng, number: usize) -> Fate {
    // A TLS handshake takes some 2,000 bytes; most faults should come after it. The first connection is lost for sure.
    let (bytes, fates) = if number == 0 {
        (1..4_000, 0..6)
    } else {
        (1..20_000, 0..8)
    };
    let bytes = random.random_range(bytes);
    match random.random_range(fates) {
        0..=3 => Fate::Cut(bytes),
        4 | 5 => Fate::Silent(bytes),
        6 => Fate::Slow(random.random_range(1..10)),
        _ => Fate::Twice,
    }
}

async fn link(near: TcpStream, target: SocketAddr, fate: Fate) {
    let Ok(far) = TcpStream::connect(target).await else {
        return;
    };
    let second = match fate {
        Fate::Twice => TcpStream::connect(target).await.ok(),
        _ => None,
    };
    let left = match fate {
        Fate::Cut(bytes) | Fate::Silent(bytes) => bytes,
        _ => usize::MAX,
    };
    let left = Arc::new(Mutex::new(left));
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    // Both ends stay open until one direction is over.
    tokio::select! {
        () = pump(near_read, far_write, Arc::clone(&left), fate, second) => {}
        () = pump(far_read, near_write, left, fate, None) => {}
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    left: Arc<Mutex<usize>>,
    fate: Fate,
    mut second: Option<TcpStream>,
) {
    let mut bytes = vec![0; 4096];
    while let Ok(len) = from.read(&mut bytes).await {
        if len == 0 {
            return;
        }
        let mut left = left.lock().await;
        let passed = len.min(*left);
        *left -= passed;
        if let Some(mut second) = second.take() {
            // What comes of it is nobody's concern.
            let _ = second.write_all(&bytes[..passed]).await;
        }
        if let Fate::Slow(delay_ms) = fate {
            pass(Duration::from_millis(delay_ms)).await;
        }
        if to.write_all(&bytes[..passed]).await.is_err() {
            return;
        }
        if *left == 0 {
            match fate {
                Fate::Silent(_) => std::future::pending().await,
                _ => return,
            }
        }
    }
}

/// Lets a time pass: the fault itself, and nothing that a test waits for.
pub(crate) async fn pass(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}
