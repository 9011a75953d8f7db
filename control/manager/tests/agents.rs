//! The agent server, over real gRPC and TLS: who is let in, what each host is sent, and what is known of it.

#![allow(clippy::unwrap_used)]

mod fleet;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fleet::{
    agent::{Agent, Behaviour, Says, Shown, client_config, connect, join, signing_request},
    memory::MemoryStore,
    objects::{group, network_with_parts, node, write},
    scene::{DEADLINE, Manager, Scene, about, settings},
};
use inlay_api::{
    objects::{HostCondition, Kind as ObjectKind},
    wire::{
        Follower, HOST_SCOPE,
        agent::{
            Degraded, ExplainOutbound, Kind, Rejection, RenewRequest, agents_client::AgentsClient,
            answer, question::Question,
        },
    },
};
use inlay_manager::{
    agents::{RETRY_AFTER, Settings},
    hosts::{AskError, Hosts as _},
    service::Target,
    store::{Operation, Store, Transaction},
};
use tonic::Code;

/// Hosts h1 and h2 with a node each of the network 7.
async fn two_hosts(scene: &Scene) -> (Agent, Agent) {
    let (one, two) = (scene.agent(1).await, scene.agent(2).await);
    let revision = scene.put(network_with_parts("main", 7)).await;
    let nodes = scene.put([node("main", 1, 1), node("main", 2, 2)]).await;
    scene.manager.applied(revision).await;
    scene.manager.applied(nodes).await;
    (one, two)
}

#[tokio::test]
async fn hosts_join_and_are_brought_in_step() {
    let scene = Scene::new().await;
    let (one, two) = two_hosts(&scene).await;
    scene.manager.converges("h1", &one).await;
    scene.manager.converges("h2", &two).await;
    let revision = scene.put([group("main", "web", 80)]).await;
    scene.manager.applied(revision).await;
    assert!(scene.manager.agrees("h1", &one) && scene.manager.agrees("h2", &two));
    let fleet = &scene.manager.fleet;
    assert_eq!(fleet.held(7), scene.manager.world.revision());
    assert_eq!(fleet.subscribers(7), ["h1".into(), "h2".into()]);
    let view = fleet.host("h1");
    assert_eq!(
        (view.state, &*view.agent_version),
        (HostCondition::Ready, "simulated")
    );
    assert_eq!(
        (view.desired_revision, view.applied_revision),
        (revision, revision)
    );
    assert_eq!((view.lag_ms, view.degraded.len()), (0, 0));
    assert!(view.certificate_ends_s.unwrap() > 0 && view.seen_ms.unwrap() > 0);
    assert_eq!(fleet.host("h9").state, HostCondition::Expected);
    let built = scene.manager.world.snapshots_built();
    assert!(built <= 1, "one network, built {built} times");
    scene.manager.world.drop_idle_snapshots();
}

#[tokio::test]
async fn who_has_no_certificate_that_counts_is_refused() {
    let scene = Scene::new().await;
    let address = scene.manager.address;
    scene.add_host(1).await;
    let secret = scene.secret(1).await;
    let wrong = join(address, &scene.authority(), "0000")
        .await
        .err()
        .unwrap();
    assert_eq!(wrong.code(), Code::PermissionDenied);
    let shown = join(address, &scene.authority(), &secret).await.unwrap();
    let again = join(address, &scene.authority(), &secret)
        .await
        .err()
        .unwrap();
    assert_eq!(again.code(), Code::PermissionDenied, "a token is for once");

    let nobody = client_config(&scene.authority(), None);
    let mut nobody = Agent::start(address, nobody, Follower::default());
    assert_eq!(nobody.ended().await.code(), Code::Unauthenticated);
    // Of another manager's CA: the handshake fails.
    let other = Scene::new().await;
    let stranger = other.shown(1).await;
    let stranger = client_config(&scene.authority(), Some(&stranger));
    let mut stranger = Agent::start(address, stranger, Follower::default());
    stranger.ended().await;
    assert_eq!(scene.manager.fleet.host("h1").seen_ms, None);
    let known = client_config(&scene.authority(), Some(&shown));
    let known = Agent::start(address, known, Follower::default());
    scene.manager.converges("h1", &known).await;
}

#[tokio::test]
async fn certificates_count_for_their_time_and_a_little_skew() {
    let scene = Scene::new().await;
    let now_s = jiff::Timestamp::now().as_second();
    // Made by a manager whose clock is so far ahead; and how long it is good for.
    let rows = [
        ("made now", 0, 3_600, true),
        ("made by a clock that is 10 minutes ahead", 600, 3_600, true),
        ("made by a clock that is an hour ahead", 3_600, 3_600, false),
        ("ended a minute ago", -3_660, 3_600, false),
    ];
    for (index, (name, ahead_s, lifetime_s, is_good)) in rows.into_iter().enumerate() {
        let number = u32::try_from(index).unwrap() + 1;
        scene.add_host(number).await;
        let (request, key) = signing_request();
        let host = format!("h{number}");
        let uid = format!("uid-{number}");
        let authority = scene.trust.authority();
        let issued = authority
            .sign_host(&request, &host, &uid, now_s + ahead_s, lifetime_s)
            .unwrap();
        let identity = serde_json::json!({ "uid": uid, "serials": [issued.serial] });
        scene.put([(format!("trust/hosts/{host}"), identity)]).await;
        let shown = Shown {
            certificate: issued.certificate_der,
            key,
        };
        let config = client_config(&scene.authority(), Some(&shown));
        let mut agent = Agent::start(scene.manager.address, config, Follower::default());
        if is_good {
            scene.manager.converges(&host, &agent).await;
        } else {
            agent.ended().await;
            assert_eq!(scene.manager.fleet.host(&host).seen_ms, None, "{name}");
        }
    }
}

#[tokio::test]
async fn a_host_that_is_removed_is_refused_at_once() {
    let scene = Scene::new().await;
    let (mut one, two) = two_hosts(&scene).await;
    scene
        .commit(vec![Operation::Delete("objects/host/h1".into())])
        .await;
    assert_eq!(one.ended().await.code(), Code::PermissionDenied);
    let ends = one
        .ends
        .clone()
        .wait_for(|ends| ends.len() > 2)
        .await
        .unwrap()
        .clone();
    assert!(
        ends.iter().all(|end| end.code() == Code::PermissionDenied),
        "{ends:?}"
    );
    // Made again, it is another one.
    scene.add_host(1).await;
    let (key, mut object) = fleet::objects::host(1);
    object["metadata"]["uid"] = "another".into();
    scene.put([(key, object)]).await;
    let count = one.ends.borrow().len();
    let ends = one
        .ends
        .wait_for(|ends| ends.len() > count + 2)
        .await
        .unwrap()
        .clone();
    assert_eq!(ends.last().unwrap().code(), Code::Unauthenticated);
    scene.manager.converges("h2", &two).await;
    assert_eq!(two.ends.borrow().len(), 0, "nobody else is disturbed");
}

#[tokio::test]
async fn a_host_that_joins_again_ends_the_stream_of_its_old_certificate() {
    let scene = Scene::new().await;
    let mut old = scene.agent(1).await;
    scene
        .manager
        .until("it is connected", |fleet| {
            fleet.host("h1").seen_ms.is_some()
        })
        .await;
    let secret = scene.secret(1).await;
    join(scene.manager.address, &scene.authority(), &secret)
        .await
        .unwrap();
    assert_eq!(old.ended().await.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_certificate_is_renewed_and_the_stream_goes_on() {
    let scene = Scene::new().await;
    let config = scene.joined(1).await;
    let agent = Agent::start(
        scene.manager.address,
        Arc::clone(&config),
        Follower::default(),
    );
    scene.manager.converges("h1", &agent).await;
    let channel = connect(scene.manager.address, config).await.unwrap();
    let (signing_request, key) = signing_request();
    let renewed = AgentsClient::new(channel)
        .renew(RenewRequest { signing_request })
        .await
        .unwrap();
    let certificate = renewed.into_inner().certificate;
    let revision = scene.add_host(1).await;
    scene.manager.applied(revision).await;
    assert_eq!(agent.ends.borrow().len(), 0);
    let config = client_config(&scene.authority(), Some(&Shown { certificate, key }));
    let renewed = Agent::start(scene.manager.address, config, agent.follower());
    scene.manager.converges("h1", &renewed).await;
}

#[tokio::test]
async fn a_restarted_manager_sends_nothing_to_those_who_have_everything() {
    let mut scene = Scene::new().await;
    let (one, two) = two_hosts(&scene).await;
    scene.manager.converges("h2", &two).await;
    let held = one.follower();
    let config = client_config(&scene.authority(), Some(&scene_shown(&scene, 1).await));
    drop(one);
    let manager = Manager::start(&scene.store, &scene.trust, settings()).await;
    std::mem::replace(&mut scene.manager, manager).stop().await;
    assert_eq!(
        scene.manager.fleet.host("h1").state,
        HostCondition::Unreachable
    );
    let one = Agent::start(scene.manager.address, config, held);
    let revision = scene.manager.world.revision();
    scene
        .manager
        .until("it is in step", |fleet| {
            fleet.host("h1").applied_revision == revision
        })
        .await;
    assert!(scene.manager.agrees("h1", &one));
    let metrics = scene.manager.fleet.metrics();
    assert_eq!((metrics.replaced.get(), metrics.update_bytes.get()), (0, 0));
    assert_eq!(scene.manager.world.snapshots_built(), 0);
    // And what changes afterwards is a difference.
    let revision = scene.put([group("main", "web", 80)]).await;
    let deadline = Instant::now() + Duration::from_secs(1);
    let fleet = &scene.manager.fleet;
    let applied = fleet.wait_applied(revision, &about(), deadline).await;
    let pending: Vec<_> = applied
        .pending
        .iter()
        .map(|pending| &*pending.host)
        .collect();
    assert_eq!(pending, ["h2"], "it was at the other manager");
    assert!(applied.pending[0].reason.contains("not connected"));
    assert!(scene.manager.agrees("h1", &one));
    assert_eq!(scene.manager.fleet.metrics().replaced.get(), 0);
}

/// Another certificate of a host that has joined.
async fn scene_shown(scene: &Scene, number: u32) -> Shown {
    let secret = scene.secret(number).await;
    let (request, key) = signing_request();
    let joined = scene.trust.join(&secret, &request).await.unwrap();
    Shown {
        certificate: joined.issued.certificate_der,
        key,
    }
}

#[tokio::test]
async fn a_store_of_another_epoch_replaces_everything() {
    let mut scene = Scene::new().await;
    let (one, _two) = two_hosts(&scene).await;
    scene.manager.converges("h1", &one).await;
    let held = one.follower();
    drop(one);
    // A backup: what was there before the last changes, and fewer revisions.
    let restored: Arc<dyn Store> = Arc::new(MemoryStore::new("restored"));
    let mut operations = vec![write(fleet::objects::host(1))];
    operations.extend(network_with_parts("main", 7).into_iter().map(write));
    operations.push(write(node("main", 1, 1)));
    for key in ["trust/authority", "trust/hosts/h1", "objects/host/h1"] {
        let entry = scene.store.get(key).await.unwrap().unwrap();
        operations
            .retain(|operation| !matches!(operation, Operation::Put(other, _) if other == key));
        operations.push(Operation::Put(key.into(), entry.value));
    }
    let shown = scene_shown(&scene, 1).await;
    let entry = scene.store.get("trust/hosts/h1").await.unwrap().unwrap();
    operations.retain(
        |operation| !matches!(operation, Operation::Put(key, _) if key == "trust/hosts/h1"),
    );
    operations.push(Operation::Put("trust/hosts/h1".into(), entry.value));
    let transaction = Transaction {
        operations,
        ..Transaction::default()
    };
    restored.commit(transaction).await.unwrap();
    let trust = inlay_manager::trust::Trust::open(
        Arc::clone(&restored),
        inlay_manager::trust::Lifetimes::default(),
        inlay_manager::trust::system_clock(),
    );
    let trust = Arc::new(trust.await.unwrap());
    scene.manager = Manager::start(&restored, &trust, settings()).await;
    let config = client_config(&scene.authority(), Some(&shown));
    let one = Agent::start(scene.manager.address, config, held.clone());
    scene.manager.converges("h1", &one).await;
    assert!(one.follower().revision() < held.revision());
    assert_eq!(
        scene.manager.fleet.metrics().replaced.get(),
        2,
        "its own scope and the network"
    );
}

#[tokio::test]
async fn what_a_host_holds_wrongly_is_sent_again() {
    let scene = Scene::new().await;
    let (one, two) = two_hosts(&scene).await;
    scene.manager.converges("h1", &one).await;
    let before = scene.manager.fleet.metrics().replaced.get();
    // A value is lost, and another scope was never to be there.
    let mut wrong = Follower::default();
    wrong.welcome(&inlay_api::wire::agent::Welcome {
        epoch: "epoch".into(),
        report_interval_ms: 0,
    });
    let mut states = one.follower().states();
    states[0].vni = 99;
    let update = inlay_api::wire::agent::Update {
        revision: one.follower().revision(),
        complete: true,
        scopes: states,
        ..inlay_api::wire::agent::Update::default()
    };
    wrong.receive(update).unwrap();
    *one.follower.lock().unwrap() = wrong;
    scene
        .manager
        .until("it is noticed", |fleet| {
            fleet.metrics().digest_mismatches.get() >= 2
        })
        .await;
    scene.manager.converges("h1", &one).await;
    assert!(scene.manager.fleet.metrics().replaced.get() >= before + 2);
    assert!(scene.manager.agrees("h2", &two));
    assert_eq!(one.ends.borrow().len(), 0, "the stream goes on");
}

#[tokio::test]
async fn rejections_are_told_where_somebody_looks() {
    let scene = Scene::new().await;
    let (one, _two) = two_hosts(&scene).await;
    let fleet = &scene.manager.fleet;
    let rejection = Rejection {
        vni: HOST_SCOPE,
        kind: Kind::Attachment.into(),
        key: "7/n3".into(),
        reason: "there is no interface eno7".into(),
    };
    one.behave(|behaviour| behaviour.rejections = vec![rejection]);
    let revision = scene.put([node("main", 3, 1)]).await;
    let applied = fleet
        .wait_applied(revision, &about(), Instant::now() + Duration::from_secs(1))
        .await;
    assert!(!applied.complete);
    let pending: Vec<_> = applied
        .pending
        .iter()
        .map(|pending| (&*pending.host, &*pending.reason))
        .collect();
    let expected = "attachment 7/n3 is not in force: there is no interface eno7";
    assert_eq!(pending, [("h1", expected)]);
    assert_eq!(fleet.host("h1").degraded, [expected]);
    assert_eq!(
        fleet.degraded("h1", "acme/main", "n3"),
        ["there is no interface eno7"]
    );
    assert!(fleet.degraded("h1", "acme/main", "n1").is_empty());
    assert!(fleet.degraded("h2", "acme/main", "n3").is_empty());
    // Other changes are not held up by it.
    let revision = scene.put([group("main", "web", 80)]).await;
    scene.manager.applied(revision).await;
    one.behave(|behaviour| behaviour.rejections.clear());
    let revision = scene
        .put([node("main", 3, 1), group("main", "web", 81)])
        .await;
    scene.manager.applied(revision).await;
    assert!(fleet.host("h1").degraded.is_empty());
}

#[tokio::test]
async fn reports_are_told_where_somebody_looks() {
    let scene = Scene::new().await;
    let (one, _two) = two_hosts(&scene).await;
    let port = Degraded {
        interface: "inl1".into(),
        network: "acme/main".into(),
        node: "n1".into(),
        reason: "it has no carrier".into(),
    };
    one.behave(|behaviour| {
        behaviour.degraded = vec![port];
        behaviour.skew_ms = 60_000;
    });
    scene
        .manager
        .until("it is told", |fleet| !fleet.host("h1").degraded.is_empty())
        .await;
    let view = scene.manager.fleet.host("h1");
    assert_eq!(
        view.degraded,
        ["inl1, node n1 of acme/main: it has no carrier"]
    );
    assert!(
        (50_000..70_000).contains(&view.clock_skew_ms),
        "{}",
        view.clock_skew_ms
    );
    let fleet = &scene.manager.fleet;
    assert_eq!(
        fleet.degraded("h1", "acme/main", "n1"),
        ["it has no carrier"]
    );
    assert!(fleet.degraded("h1", "acme/other", "n1").is_empty());
}

#[tokio::test]
async fn what_a_slow_host_misses_is_sent_as_one() {
    let scene = Scene::new().await;
    let (one, two) = two_hosts(&scene).await;
    one.behave(|behaviour| behaviour.says = Says::NoAcknowledgement);
    let before = *one.updates.borrow();
    let mut revision = 0;
    for port in 1..=50 {
        revision = scene.put([group("main", "web", port)]).await;
        // Each alone, so that they would be sent alone.
        let applied = async {
            let mut changes = scene.manager.fleet.changes();
            while scene.manager.fleet.host("h2").applied_revision < revision {
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(DEADLINE, applied).await.unwrap();
    }
    assert!(
        *one.updates.borrow() <= before + 2,
        "it is sent two that it has not acknowledged"
    );
    assert!(scene.manager.fleet.host("h1").lag_ms > 0);
    assert!(scene.manager.fleet.held(7) < revision);
    one.behave(|behaviour| behaviour.says = Says::All);
    // Its stream ends, since it never says what it got: then it is sent the rest at once.
    let config = client_config(&scene.authority(), Some(&scene_shown(&scene, 1).await));
    let follower = one.follower();
    drop(one);
    let one = Agent::start(scene.manager.address, config, follower);
    scene.manager.applied(revision).await;
    assert!(scene.manager.agrees("h1", &one) && scene.manager.agrees("h2", &two));
    assert!(*one.updates.borrow() <= 2);
}

#[tokio::test]
async fn a_later_stream_of_a_host_takes_the_place_of_the_earlier() {
    let scene = Scene::new().await;
    let config = scene.joined(1).await;
    let mut first = Agent::start(
        scene.manager.address,
        Arc::clone(&config),
        Follower::default(),
    );
    scene.manager.converges("h1", &first).await;
    let second = Agent::start(scene.manager.address, config, Follower::default());
    assert_eq!(first.ended().await.code(), Code::Aborted);
    drop(first);
    scene.manager.converges("h1", &second).await;
    let revision = scene.add_host(1).await;
    scene.manager.applied(revision).await;
    assert_eq!(scene.manager.fleet.metrics().sessions.get(), 1);
}

#[tokio::test]
async fn reports_are_answered() {
    let scene = Scene::new().await;
    let mut one = scene.agent(1).await;
    let heard = one.heard.wait_for(|count| *count >= 3);
    let heard = tokio::time::timeout(DEADLINE, heard).await;
    assert!(heard.is_ok());
    assert!(one.ends.borrow().is_empty());
}

#[tokio::test]
async fn a_stream_that_says_nothing_is_ended() {
    let scene = Scene::new().await;
    let config = scene.joined(1).await;
    let silent = Behaviour {
        says: Says::Nothing,
        ..Behaviour::default()
    };
    let mut agent = Agent::start_with(scene.manager.address, config, Follower::default(), silent);
    assert_eq!(agent.ended().await.code(), Code::DeadlineExceeded);
    assert_eq!(scene.manager.fleet.host("h1").applied_revision, 0);
}

#[tokio::test]
async fn too_many_are_told_when_to_come_again() {
    let one_place = Settings {
        sessions_max: 1,
        ..settings()
    };
    let scene = Scene::with(one_place).await;
    let first = scene.agent(1).await;
    scene.manager.converges("h1", &first).await;
    let mut second = scene.agent(2).await;
    let end = second.ended().await;
    assert_eq!(end.code(), Code::ResourceExhausted);
    let after: u64 = end
        .metadata()
        .get(RETRY_AFTER)
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((500..3_000).contains(&after));
    assert!(scene.manager.fleet.metrics().deferred.get() > 0);
    drop(first);
    scene.manager.converges("h2", &second).await;
}

#[tokio::test]
async fn hosts_are_asked() {
    let scene = Scene::new().await;
    let (one, _two) = two_hosts(&scene).await;
    let question = || {
        Question::ExplainOutbound(ExplainOutbound {
            vni: 7,
            node: "n1".into(),
            destination: 0x0a00_0012,
            protocol: "tcp".into(),
            destination_port: 22,
        })
    };
    let fleet = &scene.manager.fleet;
    let answer = fleet.ask("h1", question()).await.unwrap();
    let Some(answer::Answer::Explanation(text)) = answer.answer else {
        panic!("{answer:?}");
    };
    assert!(text.contains("node: \"n1\""), "{text}");
    one.behave(|behaviour| behaviour.says = Says::NoAnswer);
    assert_eq!(
        fleet.ask("h1", question()).await,
        Err(AskError::TimedOut("h1".into()))
    );
    assert_eq!(
        fleet.ask("h9", question()).await,
        Err(AskError::NotConnected("h9".into()))
    );
}

/// A node of network 7 that is on its way from h1 to h3.
fn moving() -> (String, serde_json::Value) {
    let (key, mut object) = node("main", 1, 1);
    object["status"]["next_host"] = "h3".into();
    (key, object)
}

async fn place(scene: &Scene) -> (String, String, String) {
    let entry = scene.store.get(&moving().0).await.unwrap().unwrap();
    let node: inlay_api::objects::Node = serde_json::from_slice(&entry.value).unwrap();
    (
        node.status.host,
        node.status.next_host,
        node.status.former_host,
    )
}

/// What the audit log says, sorted.
async fn audited(scene: &Scene) -> Vec<String> {
    let page = scene.store.range("audit/", "", 10).await.unwrap();
    let read = |entry: &inlay_manager::store::Entry| {
        serde_json::from_slice::<inlay_api::objects::AuditEntry>(&entry.value)
            .unwrap()
            .detail
    };
    let mut details: Vec<_> = page.entries.iter().map(read).collect();
    details.sort_unstable();
    details
}

async fn comes_to(scene: &Scene, expected: [&str; 3]) {
    let mut revisions = scene.manager.world.revisions();
    let waited = tokio::time::timeout(DEADLINE, async {
        while <[String; 3]>::from(place(scene).await) != expected {
            revisions.changed().await.unwrap();
        }
    });
    assert!(waited.await.is_ok(), "{:?}", place(scene).await);
}

/// After a restart no commit is remembered, and a client may ask again for what is there already.
#[tokio::test]
async fn what_is_too_old_names_the_hosts_of_its_network_alone() {
    let mut scene = Scene::new().await;
    drop(two_hosts(&scene).await);
    scene.add_host(3).await;
    scene.put(network_with_parts("empty", 8)).await;
    let manager = Manager::start(&scene.store, &scene.trust, settings()).await;
    std::mem::replace(&mut scene.manager, manager).stop().await;
    let (fleet, revision) = (&scene.manager.fleet, scene.manager.world.revision());
    let pending = async |about: Target| {
        let deadline = Instant::now() + Duration::from_millis(50);
        let applied = fleet.wait_applied(revision, &about, deadline).await;
        assert_eq!(applied.complete, applied.pending.is_empty());
        let pending = applied.pending.into_iter();
        pending.map(|pending| pending.host).collect::<Vec<_>>()
    };
    assert_eq!(pending(about()).await, ["h1", "h2"]);
    let in_empty = Target {
        network: "empty".into(),
        ..about()
    };
    assert!(pending(in_empty).await.is_empty());
    let project = Target {
        kind: ObjectKind::Project,
        project: String::new(),
        network: String::new(),
        name: "acme".into(),
    };
    assert!(pending(project.clone()).await.is_empty());
    let host = Target {
        kind: ObjectKind::Host,
        name: "h3".into(),
        ..project
    };
    assert_eq!(pending(host).await, ["h3"]);
}

#[tokio::test]
async fn a_node_moves_once_its_next_host_is_prepared() {
    let scene = Scene::new().await;
    let (one, two) = two_hosts(&scene).await;
    let revision = scene.add_host(3).await;
    scene.put([moving()]).await;
    // Nobody is there to prepare it, and it stays where it is.
    let applied = scene.manager.fleet.wait_applied(
        revision,
        &about(),
        Instant::now() + Duration::from_millis(300),
    );
    assert!(!applied.await.complete);
    assert_eq!(place(&scene).await.0, "h1");
    let reject = Rejection {
        vni: HOST_SCOPE,
        kind: Kind::Attachment.into(),
        key: "7/n1".into(),
        reason: "no room".into(),
    };
    let config = client_config(&scene.authority(), Some(&scene_shown(&scene, 3).await));
    let rejecting = Behaviour {
        rejections: vec![reject],
        ..Behaviour::default()
    };
    let three = Agent::start_with(
        scene.manager.address,
        config,
        Follower::default(),
        rejecting,
    );
    scene
        .manager
        .until("it is rejected", |fleet| {
            !fleet.host("h3").degraded.is_empty()
        })
        .await;
    assert_eq!(place(&scene).await.0, "h1");
    // It can by now, and says so without having been sent anything.
    three.behave(|behaviour| {
        behaviour.rejections.clear();
        behaviour.repeats = true;
    });
    comes_to(&scene, ["h3", "", ""]).await;
    assert_eq!(
        audited(&scene).await,
        ["moved to h3: every host knows", "moves from h1 to h3"]
    );
    for (host, agent) in [("h1", &one), ("h2", &two), ("h3", &three)] {
        scene.manager.converges(host, agent).await;
    }
    assert!(
        !one.follower().scopes().contains_key(&7),
        "it has no node of the network left"
    );
}

#[tokio::test]
async fn a_host_that_comes_back_is_not_taken_for_prepared_before_it_says_what_it_rejects() {
    let scene = Scene::new().await;
    let (_one, _two) = two_hosts(&scene).await;
    let three = scene.agent(3).await;
    three.behave(|behaviour| behaviour.says = Says::NoAcknowledgement);
    let revision = scene.put([moving()]).await;
    scene.manager.converges("h3", &three).await;
    let config = client_config(&scene.authority(), Some(&scene_shown(&scene, 3).await));
    let held = three.follower();
    drop(three);
    scene
        .manager
        .until("it is gone", |fleet| {
            fleet.host("h3").state == HostCondition::Unreachable
        })
        .await;
    // Its Hello has the revision of the move, and what it rejects comes with its first acknowledgement.
    let silent = Behaviour {
        says: Says::NoAcknowledgement,
        ..Behaviour::default()
    };
    let _three = Agent::start_with(scene.manager.address, config, held, silent);
    scene
        .manager
        .until("it is back, and has reported", |fleet| {
            fleet.host("h3").state == HostCondition::Ready
                && fleet.host("h3").applied_revision >= revision
        })
        .await;
    let deadline = Instant::now() + Duration::from_millis(300);
    let about = about();
    let applied = scene.manager.fleet.wait_applied(revision, &about, deadline);
    let pending: Vec<_> = applied
        .await
        .pending
        .into_iter()
        .map(|it| it.host)
        .collect();
    assert_eq!(pending, ["h3"]);
    assert_eq!(place(&scene).await.0, "h1");
}

#[tokio::test]
async fn a_former_host_that_is_gone_holds_up_no_move() {
    let scene = Scene::new().await;
    let (one, two) = two_hosts(&scene).await;
    drop(one);
    scene
        .manager
        .until("it is gone", |fleet| {
            fleet.host("h1").state == HostCondition::Unreachable
        })
        .await;
    let three = scene.agent(3).await;
    // Until the last connected host knows, the former one stays noted.
    two.behave(|behaviour| behaviour.says = Says::NoAcknowledgement);
    scene.put([moving()]).await;
    comes_to(&scene, ["h3", "", "h1"]).await;
    let config = client_config(&scene.authority(), Some(&scene_shown(&scene, 2).await));
    let follower = two.follower();
    drop(two);
    let _two = Agent::start(scene.manager.address, config, follower);
    comes_to(&scene, ["h3", "", ""]).await;
    scene.manager.converges("h3", &three).await;
}

#[tokio::test]
async fn a_node_moves_on_once_its_former_host_is_forgotten() {
    let scene = Scene::new().await;
    let (one, two) = two_hosts(&scene).await;
    let three = scene.agent(3).await;
    two.behave(|behaviour| behaviour.says = Says::NoAcknowledgement);
    scene.put([moving()]).await;
    comes_to(&scene, ["h3", "", "h1"]).await;
    // h2 still sends to h1, so h1 stays noted though the host after the next is prepared.
    let four = scene.agent(4).await;
    let (key, mut object) = moving();
    object["status"]["host"] = "h3".into();
    object["status"]["next_host"] = "h4".into();
    object["status"]["former_host"] = "h1".into();
    let asked = scene.put([(key, object)]).await;
    scene.manager.converges("h4", &four).await;
    // A node that has no former host moves there meanwhile, after the mover has looked at this one.
    let (key, mut other) = node("main", 3, 3);
    other["status"]["next_host"] = "h4".into();
    scene.put([(key.clone(), other)]).await;
    other_is_at(&scene, &key, "h4").await;
    assert!(scene.manager.world.revision() > asked);
    assert_eq!(<[String; 3]>::from(place(&scene).await), ["h3", "h4", "h1"]);
    let config = client_config(&scene.authority(), Some(&scene_shown(&scene, 2).await));
    let follower = two.follower();
    drop(two);
    let _two = Agent::start(scene.manager.address, config, follower);
    comes_to(&scene, ["h4", "", ""]).await;
    let steps = audited(&scene).await;
    for step in [
        "moved to h3: every host knows",
        "moves from h1 to h3",
        "moved to h4: every host knows",
        "moves from h3 to h4",
    ] {
        assert!(steps.iter().any(|it| it == step), "{step}: {steps:?}");
    }
    drop((one, three));
}

/// Waits until the node of a key is a host's.
async fn other_is_at(scene: &Scene, key: &str, host: &str) {
    let mut revisions = scene.manager.world.revisions();
    let waited = tokio::time::timeout(DEADLINE, async {
        loop {
            let entry = scene.store.get(key).await.unwrap().unwrap();
            let node: inlay_api::objects::Node = serde_json::from_slice(&entry.value).unwrap();
            if node.status.host == host {
                return;
            }
            revisions.changed().await.unwrap();
        }
    });
    assert!(waited.await.is_ok(), "{key} is not at {host}");
}
