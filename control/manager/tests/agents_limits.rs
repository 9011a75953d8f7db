//! Whoever asks too much of the agent server, or speaks otherwise than an agent does, harms himself alone.

#![allow(clippy::unwrap_used)]

mod fleet;

use std::{sync::Arc, time::Duration};

use fleet::{
    agent::{Agent, SERVER, client_config, connect},
    objects::{network_with_parts, node},
    scene::{DEADLINE, Scene},
};
use inlay_api::wire::{
    Follower,
    agent::{
        Acknowledgement, FromAgent, Hello, JoinRequest, agents_client::AgentsClient,
        enrollment_client::EnrollmentClient, from_agent::Message,
    },
};
use inlay_manager::hosts::Hosts as _;
use rustls::pki_types::ServerName;
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tokio_rustls::TlsConnector;
use tokio_stream::StreamExt as _;
use tonic::{Code, Status};

/// How a stream ends on which these messages are sent.
async fn end_of(
    scene: &Scene,
    config: &Arc<rustls::ClientConfig>,
    messages: Vec<Message>,
) -> Status {
    let channel = connect(scene.manager.address, Arc::clone(config))
        .await
        .unwrap();
    let messages = messages.into_iter().map(|message| FromAgent {
        message: Some(message),
    });
    // The agent's direction stays open.
    let messages = tokio_stream::iter(messages).chain(tokio_stream::pending());
    let read = async {
        let mut incoming = AgentsClient::new(channel)
            .follow(messages)
            .await?
            .into_inner();
        while incoming.message().await?.is_some() {}
        Ok::<_, Status>(())
    };
    let read = tokio::time::timeout(DEADLINE, read)
        .await
        .expect("the stream should end");
    read.err().unwrap_or_else(|| Status::ok("it ended"))
}

#[tokio::test]
async fn messages_out_of_place_end_the_stream_that_they_are_in() {
    let scene = Scene::new().await;
    let config = scene.joined(1).await;
    let other = scene.agent(2).await;
    scene.put(network_with_parts("main", 7)).await;
    let hello = || Message::Hello(Hello::default());
    let acknowledgement = || {
        Message::Acknowledgement(Acknowledgement {
            revision: 1_000_000,
            ..<_>::default()
        })
    };
    let huge = Hello {
        version: "x".repeat(2 << 20),
        ..Hello::default()
    };
    let rows = [
        ("no Hello", vec![acknowledgement()], Code::InvalidArgument),
        ("two Hellos", vec![hello(), hello()], Code::InvalidArgument),
        (
            "an acknowledgement of what was never sent, and silence",
            vec![hello(), acknowledgement()],
            Code::DeadlineExceeded,
        ),
        ("nothing at all", vec![], Code::DeadlineExceeded),
        (
            "a message of 2 MiB",
            vec![Message::Hello(huge)],
            Code::OutOfRange,
        ),
    ];
    for (name, messages, code) in rows {
        let end = end_of(&scene, &config, messages).await;
        assert_eq!(end.code(), code, "{name}: {end:?}");
        assert_eq!(scene.manager.fleet.host("h1").applied_revision, 0, "{name}");
    }
    let revision = scene.put([node("main", 1, 2)]).await;
    scene.manager.applied(revision).await;
    assert!(scene.manager.agrees("h2", &other));
    assert_eq!(other.ends.borrow().len(), 0);
}

#[tokio::test]
async fn strangers_are_few_and_take_no_place_of_hosts() {
    let scene = Scene::new().await;
    let host = scene.joined(1).await;
    let connector = TlsConnector::from(client_config(&scene.authority(), None));
    let mut strangers = Vec::new();
    for _ in 0..129 {
        let stream = TcpStream::connect(scene.manager.address).await.unwrap();
        let name = ServerName::try_from(SERVER).unwrap();
        strangers.push(connector.connect(name, stream).await.unwrap());
    }
    let mut last = strangers.pop().unwrap();
    let mut byte = [0];
    let read = tokio::time::timeout(DEADLINE, last.read(&mut byte))
        .await
        .expect("it should be cut off");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    let agent = Agent::start(scene.manager.address, host, Follower::default());
    scene.manager.converges("h1", &agent).await;
    drop(strangers);
    // Then there is room for others: a wrong token is answered.
    let config = client_config(&scene.authority(), None);
    let answered = async {
        loop {
            if let Ok(channel) = connect(scene.manager.address, Arc::clone(&config)).await
                && let Err(status) = EnrollmentClient::new(channel)
                    .join(JoinRequest::default())
                    .await
                && status.code() == Code::PermissionDenied
            {
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, answered).await.unwrap();
}

#[tokio::test]
async fn what_is_counted_is_on_the_page() {
    let scene = Scene::new().await;
    let agent = scene.agent(1).await;
    scene.put(network_with_parts("main", 7)).await;
    let revision = scene.put([node("main", 1, 1)]).await;
    scene.manager.applied(revision).await;
    let mut registry = inlay_manager::metrics::registry();
    scene.manager.fleet.metrics().register(&mut registry);
    let mut page = String::new();
    prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
    for line in [
        "inlay_manager_agents_sessions 1",
        "inlay_manager_agents_snapshots_built 1",
        "inlay_manager_agents_digest_mismatches_total 0",
        "inlay_manager_agents_refused_total 0",
        "inlay_manager_agents_deferred_total 0",
        "inlay_manager_agents_rejections_total 0",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
    let count = page.lines().find_map(|line| {
        line.strip_prefix("inlay_manager_agents_acknowledged_after_seconds_count ")
    });
    assert!(count.unwrap().parse::<u64>().unwrap() >= 1, "{page}");
    assert!(agent.follower().revision() >= revision);
    assert!(
        scene.manager.fleet.host("h1").lag_ms
            < u64::try_from(Duration::from_secs(5).as_millis()).unwrap()
    );
}
