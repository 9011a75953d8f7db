//! Connections: clients that are slow, large or many, certificates that change, and the server's end.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "http_support/fake.rs"]
mod fake;
mod http_support;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use fake::{Fake, FakeHosts};
use http_support::{PATIENCE, Server, certificate, eventually};
use inlay_manager::{
    http::{BODY_BYTES_MAX, ConnectionLimits, RequestLimits},
    metrics,
};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::timeout,
};

const NODE: &str = "/v1/projects/acme/networks/main/nodes/web";
const NODES: &str = "/v1/projects/acme/networks/main/nodes";

fn start(
    fake: Fake,
    requests: RequestLimits,
    connections: ConnectionLimits,
) -> (Arc<Fake>, Server) {
    let fake = Arc::new(fake);
    let hosts = Arc::new(FakeHosts::default());
    let server = Server::start(fake.clone(), hosts, requests, connections);
    (fake, server)
}

/// Times that a test can wait for.
fn impatient() -> ConnectionLimits {
    ConnectionLimits {
        connections_max: 1,
        per_address_max: 16,
        handshake_time: Duration::from_secs(1),
        head_time: Duration::from_secs(1),
        write_time: Duration::from_secs(1),
        linger_time: Duration::from_millis(200),
        shutdown_time: Duration::from_secs(20),
    }
}

/// All that comes until the server closes the connection.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    // A connection that ends without a farewell has ended too.
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    assert!(read.is_ok(), "the server keeps the connection");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What comes until the head and a body of a problem are there.
async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = String::new();
    let mut part = [0; 4096];
    let read = async {
        while !text.ends_with('}') {
            match stream.read(&mut part).await.unwrap() {
                0 => break,
                some => text.push_str(&String::from_utf8_lossy(&part[..some])),
            }
        }
    };
    timeout(PATIENCE, read).await.unwrap();
    text
}

/// With room for one connection, whoever is slow must be gone before another one is answered.
fn assert_served(server: &Server) {
    server.client("admin").get("/v1/events").expect(200);
}

#[test]
fn a_client_that_never_ends_its_head_is_closed() {
    let (_, server) = start(Fake::default(), RequestLimits::default(), impatient());
    server.runtime.block_on(async {
        let mut slow = server.connect().await;
        slow.write_all(b"GET /healthz HTTP/1.1\r\nX-A: ")
            .await
            .unwrap();
        assert_eq!(rest(&mut slow).await, "");
    });
    assert_served(&server);
}

#[test]
fn a_client_that_says_nothing_is_closed() {
    let (_, server) = start(Fake::default(), RequestLimits::default(), impatient());
    server.runtime.block_on(async {
        let mut without_handshake = TcpStream::connect(server.address).await.unwrap();
        rest(&mut without_handshake).await;
        let mut idle = server.connect().await;
        rest(&mut idle).await;
    });
    assert_served(&server);
}

#[test]
fn one_address_does_not_take_all_connections() {
    let limits = ConnectionLimits {
        per_address_max: 2,
        ..ConnectionLimits::default()
    };
    let (_, server) = start(Fake::default(), RequestLimits::default(), limits);
    server.runtime.block_on(async {
        let (first, second) = (server.connect().await, server.connect().await);
        let mut third = TcpStream::connect(server.address).await.unwrap();
        assert_eq!(rest(&mut third).await, "");
        drop((first, second));
    });
    eventually("there is room again", || {
        server.runtime.block_on(server.try_connect()).is_ok()
    });
}

#[test]
fn a_client_that_reads_no_answer_is_closed() {
    let (_, server) = start(Fake::default(), RequestLimits::default(), impatient());
    server.runtime.block_on(async {
        let mut deaf = server.connect().await;
        let request =
            "GET /v1/nodes?limit=1000 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin\r\n\r\n";
        deaf.write_all(request.as_bytes()).await.unwrap();
        // 16 MiB: more than both ends' buffers hold. The connection stays open while another one is served.
        let other = tokio::task::spawn_blocking({
            let client = server.client("admin");
            move || client.get("/v1/events").status
        });
        assert_eq!(timeout(PATIENCE, other).await.unwrap().unwrap(), 200);
        drop(deaf);
    });
}

#[test]
fn a_body_that_does_not_come_is_answered_408() {
    let requests = RequestLimits {
        body_time: Duration::from_millis(100),
        ..RequestLimits::default()
    };
    let (fake, server) = start(Fake::default(), requests, impatient());
    server.runtime.block_on(async {
        let mut slow = server.connect().await;
        let head = format!("POST {NODES} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin\r\nContent-Length: 9\r\n\r\n{{");
        slow.write_all(head.as_bytes()).await.unwrap();
        let text = rest(&mut slow).await;
        assert!(text.starts_with("HTTP/1.1 408"), "{text}");
        assert!(text.contains("urn:inlay:problem:timeout"), "{text}");
    });
    assert_served(&server);
    assert_eq!(fake.done(), 0);
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let (fake, server) = start(
        Fake::default(),
        RequestLimits::default(),
        ConnectionLimits::default(),
    );
    server.runtime.block_on(async {
        let mut large = server.connect().await;
        let head = format!("POST {NODES} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin\r\nContent-Length: 10485760\r\n\r\n");
        large.write_all(head.as_bytes()).await.unwrap();
        let text = answer(&mut large).await;
        assert!(text.starts_with("HTTP/1.1 413"), "{text}");
        assert!(text.contains(&BODY_BYTES_MAX.to_string()), "{text}");
    });
    // A client that sends all of it whatever comes still reads the answer.
    let json = [("Content-Type", "application/json")];
    let send = |size: usize| {
        let client = server.client("admin");
        client.send("POST", NODES, &json, Some(vec![b' '; size]))
    };
    send(10 << 20).expect_problem(413);
    send(BODY_BYTES_MAX).expect_problem(400);
    assert_eq!(fake.done(), 0);
}

#[test]
fn a_body_without_length_is_refused_once_it_is_too_large() {
    let (fake, server) = start(
        Fake::default(),
        RequestLimits::default(),
        ConnectionLimits::default(),
    );
    server.runtime.block_on(async {
        let mut endless = server.connect().await;
        let head = format!("POST {NODES} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin\r\nTransfer-Encoding: chunked\r\n\r\n");
        endless.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
        for _ in 0..17 {
            endless.write_all(chunk.as_bytes()).await.unwrap();
        }
        let text = answer(&mut endless).await;
        assert!(text.starts_with("HTTP/1.1 413"), "{text}");
    });
    assert_eq!(fake.done(), 0);
}

#[test]
fn what_is_no_http_ends_the_connection_and_nothing_else() {
    let (_, server) = start(Fake::default(), RequestLimits::default(), impatient());
    server.runtime.block_on(async {
        for garbage in [
            "\u{0}\u{1}\u{2}\r\n\r\n",
            "GET\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            let mut stream = server.connect().await;
            stream.write_all(garbage.as_bytes()).await.unwrap();
            let text = rest(&mut stream).await;
            assert!(!text.starts_with("HTTP/1.1 2"), "{garbage:?}: {text}");
        }
        let mut plain = TcpStream::connect(server.address).await.unwrap();
        plain
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        rest(&mut plain).await;
    });
    assert_served(&server);
}

#[test]
fn what_is_too_much_at_a_time_is_refused_and_later_welcome() {
    let limits = RequestLimits {
        running_max: 1,
        queued_max: 0,
        ..RequestLimits::default()
    };
    let (fake, server) = start(Fake::held(), limits, ConnectionLimits::default());
    let first = std::thread::spawn({
        let client = server.client("admin");
        move || client.delete(NODE).status
    });
    eventually("the first has begun", || {
        fake.begun.load(Ordering::SeqCst) == 1
    });
    let refused = server.client("admin").get("/v1/hosts").expect_problem(503);
    assert_eq!(refused.header("retry-after"), "1");
    server.client("").get("/healthz").expect(200);
    fake.gate.add_permits(1);
    assert_eq!(first.join().unwrap(), 201);
    server.client("admin").get("/v1/hosts").expect(200);
}

#[test]
fn one_project_leaves_room_for_others() {
    let limits = RequestLimits {
        per_project_max: 1,
        ..RequestLimits::default()
    };
    let (fake, server) = start(Fake::held(), limits, ConnectionLimits::default());
    let first = std::thread::spawn({
        let client = server.client("editor");
        move || client.delete(NODE).status
    });
    eventually("the first has begun", || {
        fake.begun.load(Ordering::SeqCst) == 1
    });
    let refused = server.client("editor").get(NODE).expect_problem(429);
    assert_eq!(refused.header("retry-after"), "1");
    server.client("admin").get(NODE).expect(200);
    fake.gate.add_permits(1);
    first.join().unwrap();
    server.client("editor").get(NODE).expect(200);
}

/// Who asks and leaves would else have any number of changes done at a time.
#[test]
fn what_is_done_for_who_is_gone_counts() {
    let limits = RequestLimits {
        per_project_max: 1,
        ..RequestLimits::default()
    };
    // The next connection is served once the one before is over.
    let (fake, server) = start(Fake::held(), limits, impatient());
    server.runtime.block_on(async {
        let mut hasty = server.connect().await;
        let head =
            format!("DELETE {NODE} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer editor\r\n\r\n");
        hasty.write_all(head.as_bytes()).await.unwrap();
        timeout(PATIENCE, fake.began.notified()).await.unwrap();
    });
    server.client("editor").get(NODE).expect_problem(429);
    fake.gate.add_permits(1);
    eventually("it is done", || {
        server.client("editor").get(NODE).status == 200
    });
    assert_eq!(fake.done(), 1);
}

/// Places of those who wait for hosts are all projects' alike.
#[test]
fn who_waits_for_hosts_counts() {
    let limits = RequestLimits {
        per_project_max: 1,
        running_max: 1,
        ..RequestLimits::default()
    };
    let hosts = Arc::new(FakeHosts {
        pending: Some("h9".into()),
        ..FakeHosts::default()
    });
    let fake = Arc::new(Fake::default());
    let server = Server::start(fake.clone(), hosts, limits, ConnectionLimits::default());
    let waiting = std::thread::spawn({
        let client = server.client("editor");
        move || {
            client
                .delete(&format!("{NODE}?wait=applied&timeout=3s"))
                .status
        }
    });
    eventually("it is done", || fake.done() == 1);
    server.client("editor").get(NODE).expect_problem(429);
    server.client("admin").get(NODE).expect(200);
    assert_eq!(waiting.join().unwrap(), 202);
    server.client("editor").get(NODE).expect(200);
}

#[test]
fn what_was_begun_is_done_though_the_client_is_gone() {
    let (fake, server) = start(
        Fake::held(),
        RequestLimits::default(),
        ConnectionLimits::default(),
    );
    server.runtime.block_on(async {
        let mut hasty = server.connect().await;
        let head =
            format!("DELETE {NODE} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin\r\n\r\n");
        hasty.write_all(head.as_bytes()).await.unwrap();
        timeout(PATIENCE, fake.began.notified()).await.unwrap();
        hasty.shutdown().await.unwrap();
        drop(hasty);
    });
    fake.gate.add_permits(1);
    eventually("it is done", || fake.done() == 1);
}

#[test]
fn the_servers_end_waits_for_what_it_answers() {
    let (fake, mut server) = start(Fake::held(), RequestLimits::default(), impatient());
    let request = std::thread::spawn({
        let client = server.client("admin");
        move || client.delete(NODE).status
    });
    eventually("it has begun", || fake.begun.load(Ordering::SeqCst) == 1);
    let ended = server.stop();
    eventually("nobody else is let in", || {
        let connected = server.runtime.block_on(TcpStream::connect(server.address));
        connected.is_err()
    });
    assert!(!ended.is_finished());
    fake.gate.add_permits(1);
    assert_eq!(request.join().unwrap(), 201);
    let ended = server
        .runtime
        .block_on(async { timeout(PATIENCE, ended).await });
    ended.unwrap().unwrap();
}

#[test]
fn a_certificate_is_replaced_without_an_interruption() {
    let (_, mut server) = start(
        Fake::default(),
        RequestLimits::default(),
        ConnectionLimits::default(),
    );
    let before = server.client("admin");
    before.get("/v1/hosts").expect(200);
    let (next, key) = certificate();
    server.certificate.replace(vec![next.clone()], key).unwrap();
    // A connection that is open stays so; one that is made is shown the next certificate.
    before.get("/v1/hosts").expect(200);
    server.root = next;
    server.client("admin").get("/v1/hosts").expect(200);
    let (_, foreign_key) = certificate();
    let chain = vec![server.root.clone()];
    assert!(server.certificate.replace(chain, foreign_key).is_err());
    server.client("admin").get("/v1/hosts").expect(200);
}

#[test]
fn metrics_are_scraped_where_only_this_machine_asks() {
    let (_, server) = start(
        Fake::default(),
        RequestLimits::default(),
        ConnectionLimits::default(),
    );
    server.client("admin").get("/v1/hosts").expect(200);
    server.client("admin").get("/v1/wherever").expect(404);
    server.client("admin").post(NODES, &json!({})).expect(201);
    let text = server.runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_stop, stopped) = oneshot::channel::<()>();
        let registry = Arc::clone(&server.registry);
        tokio::spawn(metrics::serve(listener, registry, async {
            let _ = stopped.await;
        }));
        let mut scraper = TcpStream::connect(address).await.unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        scraper.write_all(request).await.unwrap();
        rest(&mut scraper).await
    });
    for line in [
        r#"inlay_manager_http_requests_total{route="/v1/hosts",method="GET",status="200"} 1"#,
        r#"inlay_manager_http_requests_total{route="",method="GET",status="404"} 1"#,
        "inlay_manager_commit_seconds_count 1",
        "inlay_manager_http_in_flight 0",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
