//! The agent and a manager in memory, over real TLS on loopback; the machine is in memory too.

#![allow(clippy::unwrap_used)]

mod common;

use std::os::unix::fs::PermissionsExt as _;

use common::{
    fake_backend::FakeBackend,
    fake_host::FakeHost,
    fake_manager::{DEADLINE, FakeManager, SECRET},
    interfaces,
    resources::{Resources, changes, config, resources, update},
    states::with_networks,
    temporary::Directory,
};
use inlay_agent::{
    Agent, Follower, MachineEvent, MachineEvents,
    identity::{DataDirectory, Identity, now_s},
    join::join,
    manager::{answer::Explain, held::ResourceKey, session::Session},
    metrics::Meters,
    run_directory::{READY, RunDirectory},
};
use inlay_api::{
    raw::{RawNetwork, RawNode, RawSecurityGroup, RawState, RawSubnet},
    wire::agent::{Answer, ExplainOutbound, Kind, Node, Question, Update, answer, question},
};
use prost::Message as _;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tonic::Status;

/// What the test tells the agent of its machine.
struct Machine(mpsc::Receiver<MachineEvent>);

impl MachineEvents for Machine {
    async fn next(&mut self) -> anyhow::Result<MachineEvent> {
        match self.0.recv().await {
            Some(event) => Ok(event),
            None => std::future::pending().await,
        }
    }
}

/// Answers with the question's node.
#[derive(Debug)]
struct Echo;

impl Explain for Echo {
    fn answer(&self, question: Question) -> Answer {
        let Some(question::Question::ExplainOutbound(asked)) = question.question else {
            return Answer::default();
        };
        Answer {
            id: question.id,
            answer: Some(answer::Answer::Explanation(asked.node)),
            frame: vec![1, 2, 3],
        }
    }
}

/// An agent that runs.
struct Running {
    host: FakeHost,
    meters: Meters,
    machine: mpsc::Sender<MachineEvent>,
    identity: watch::Sender<Identity>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// With its files in `directory`, where its certificate is.
    fn start(
        host: &FakeHost,
        directory: &Directory,
        data: DataDirectory,
        identity: Identity,
    ) -> Self {
        let run = RunDirectory::open(&directory.path().join("run")).unwrap();
        let agent = Agent::open(host.clone(), run).unwrap();
        let backend = FakeBackend::of(host);
        let session = Session::new(agent, backend, config(&network(2)), "boot".to_owned());
        let (sender, _) = watch::channel(identity);
        let meters = Meters::default();
        let mut follower = Follower::new(session, data, sender.clone(), Echo, meters.clone());
        let (machine, events) = mpsc::channel(1);
        follower.restore();
        Self {
            host: host.clone(),
            meters,
            machine,
            identity: sender,
            task: tokio::spawn(async move { follower.run(&mut Machine(events)).await }),
        }
    }

    async fn stop(self) {
        self.machine.send(MachineEvent::Stop).await.unwrap();
        let stopped = tokio::time::timeout(DEADLINE, self.task).await;
        stopped.unwrap().unwrap().unwrap();
    }

    fn mappings(&self) -> usize {
        self.host.machine().image.mappings.len()
    }
}

struct Bed {
    manager: FakeManager,
    directory: Directory,
    agent: Running,
}

impl Bed {
    async fn new() -> Self {
        let (manager, directory) = (FakeManager::start().await, Directory::make());
        let (data, identity) = manager.enrolled(&directory).await;
        let agent = Running::start(&machine(), &directory, data, identity);
        Self {
            manager,
            directory,
            agent,
        }
    }
}

fn machine() -> FakeHost {
    let host = FakeHost::default();
    host.machine().interfaces = interfaces(["up0", "up1"]);
    host
}

/// One node here, the others on host2.
fn network(nodes: u32) -> RawState {
    let node = |number: u32| RawNode {
        name: format!("n{number}"),
        host: if number == 0 { "host1" } else { "host2" }.to_owned(),
        addresses: vec![format!("10.0.1.{}", 10 + number)],
        mac: format!("02:00:00:00:00:{number:02x}"),
        security_groups: Some(vec!["default".to_owned()]),
        interface: (number == 0).then(|| "port0".to_owned()),
        ..RawNode::default()
    };
    with_networks(vec![RawNetwork {
        project: Some("acme".to_owned()),
        name: "main".to_owned(),
        vni: 100,
        cidrs: vec!["10.0.0.0/16".to_owned()],
        subnets: vec![RawSubnet {
            name: "front".to_owned(),
            cidr: "10.0.1.0/24".to_owned(),
            ..RawSubnet::default()
        }],
        security_groups: vec![RawSecurityGroup {
            name: "default".to_owned(),
            ..RawSecurityGroup::default()
        }],
        nodes: (0..nodes).map(node).collect(),
        ..RawNetwork::default()
    }])
}

/// What leads from `before` to `after` nodes, in updates of at most `size` changes.
fn updates(revision: u64, before: u32, after: u32, size: usize) -> Vec<Update> {
    let of = |nodes| match nodes {
        0 => Resources::new(),
        nodes => resources(&network(nodes)),
    };
    let changes = changes(&of(before), &of(after));
    let mut updates: Vec<_> = changes
        .chunks(size)
        .map(|it| update(revision, it))
        .collect();
    let last = updates.len() - 1;
    updates[..last]
        .iter_mut()
        .for_each(|it| it.complete = false);
    updates
}

#[tokio::test]
async fn a_host_converges_and_says_how_it_is() {
    let bed = Bed::new().await;
    let hello = bed.manager.until(|it| it.hellos.first().cloned()).await;
    assert_eq!((hello.epoch.as_str(), hello.revision), ("", 0));
    assert!(hello.scopes.is_empty());
    for part in updates(7, 0, 5, 3) {
        bed.manager.update(part).await;
    }
    let acknowledgement = bed.manager.acknowledged(7).await;
    assert!(acknowledgement.rejections.is_empty());
    assert!(acknowledgement.apply_us > 0);
    assert_eq!(bed.agent.mappings(), 5);
    let report = bed
        .manager
        .until(|it| it.reports.iter().find(|it| it.revision == 7).cloned())
        .await;
    assert_eq!(report.scopes.len(), 2);
    assert!(report.degraded.is_empty(), "{report:?}");
    assert!((report.time_ms / 1000 - now_s()).abs() < 60);
    assert!(report.certificate_ends_s > now_s());
    assert_eq!(bed.agent.meters.is_connected.get(), 1);
    assert_eq!(bed.agent.meters.applied_revision.get(), 7);
    assert_eq!(bed.agent.meters.mappings.get(), 5);
    bed.agent.stop().await;
}

#[tokio::test]
async fn a_stream_that_breaks_goes_on_with_what_is_held() {
    let bed = Bed::new().await;
    let all = updates(3, 0, 5, 6);
    // It breaks after each of the parts, and all comes again.
    for parts in 0..all.len() {
        let streams = bed
            .manager
            .until(|it| Some(it.hellos.len()).filter(|it| *it > parts))
            .await;
        for part in &all[..parts] {
            bed.manager.update(part.clone()).await;
        }
        bed.manager.cut();
        bed.manager
            .until(|it| (it.hellos.len() > streams).then_some(()))
            .await;
        assert_eq!(bed.agent.mappings(), 0, "nothing before it is whole");
        let hello = bed.manager.until(|it| it.hellos.last().cloned()).await;
        assert!(hello.scopes.is_empty());
    }
    for part in all {
        bed.manager.update(part).await;
    }
    bed.manager.acknowledged(3).await;
    assert_eq!(bed.agent.mappings(), 5);
    let streams = bed.manager.until(|it| Some(it.hellos.len())).await;
    bed.manager.cut();
    let hello = bed
        .manager
        .until(|it| it.hellos.get(streams).cloned())
        .await;
    assert_eq!((hello.epoch.as_str(), hello.revision), ("one", 3));
    let scopes: Vec<_> = hello.scopes.iter().map(|it| it.vni).collect();
    assert_eq!(scopes, [0, 100]);
    for part in updates(4, 5, 4, 100) {
        bed.manager.update(part).await;
    }
    bed.manager.acknowledged(4).await;
    assert_eq!(bed.agent.mappings(), 4);
    bed.agent.stop().await;
}

#[tokio::test]
async fn another_store_voids_all_but_not_before_it_is_whole() {
    let bed = Bed::new().await;
    for part in updates(9, 0, 5, 100) {
        bed.manager.update(part).await;
    }
    bed.manager.acknowledged(9).await;
    bed.manager.state().epoch = "two".to_owned();
    let mut greeting = updates(1, 0, 3, 4);
    let last = greeting.pop().unwrap();
    bed.manager.state().greeting = greeting;
    let streams = bed.manager.until(|it| Some(it.hellos.len())).await;
    bed.manager.cut();
    bed.manager
        .until(|it| (it.hellos.len() > streams).then_some(()))
        .await;
    bed.manager
        .until(|it| it.reports.last().filter(|it| it.revision == 9).map(drop))
        .await;
    assert_eq!(bed.agent.mappings(), 5, "it goes on with what it has");
    bed.manager.update(last).await;
    bed.manager.acknowledged(1).await;
    assert_eq!(bed.agent.mappings(), 3);
    bed.agent.stop().await;
}

#[tokio::test]
async fn what_is_refused_is_told_and_the_last_good_stays() {
    let bed = Bed::new().await;
    for part in updates(1, 0, 3, 100) {
        bed.manager.update(part).await;
    }
    bed.manager.acknowledged(1).await;
    let key = ResourceKey::new(100, Kind::Node, "n1");
    let bad = Node {
        host: "nowhere".to_owned(),
        ..common::resources::node_of(&network(2).networks[0].nodes[1])
    };
    let change = common::resources::change(&key, Some(&bad.encode_to_vec().into()));
    bed.manager.update(update(2, &[change])).await;
    let acknowledgement = bed.manager.acknowledged(2).await;
    assert_eq!(acknowledgement.rejections.len(), 1);
    let rejection = &acknowledgement.rejections[0];
    assert_eq!((rejection.vni, rejection.key.as_str()), (100, "n1"));
    assert!(
        rejection.reason.contains("there is no host"),
        "{rejection:?}"
    );
    assert_eq!(bed.agent.mappings(), 3);
    // It holds what was sent all the same, so that digests agree.
    let report = bed
        .manager
        .until(|it| it.reports.iter().find(|it| it.revision == 2).cloned())
        .await;
    assert_eq!(report.scopes.len(), 2);
    assert_eq!(bed.agent.meters.rejected.get(), 1);
    bed.agent.stop().await;
}

#[tokio::test]
async fn a_host_that_starts_without_its_manager_is_as_it_was() {
    let Bed {
        mut manager,
        directory,
        agent,
    } = Bed::new().await;
    for part in updates(5, 0, 4, 100) {
        manager.update(part).await;
    }
    manager.acknowledged(5).await;
    // What was not yet written is when it stops.
    agent.stop().await;
    manager.stop().await;
    let data = DataDirectory::open(directory.path()).unwrap();
    let identity = data.identity().unwrap().unwrap();
    let host = machine();
    let agent = Running::start(&host, &directory, data, identity);
    assert_eq!(agent.mappings(), 4, "before anybody is asked");
    let ready = std::fs::read_to_string(directory.path().join("run").join(READY)).unwrap();
    assert_eq!(ready, "5\n");
    manager.resume().await;
    let hello = manager.until(|it| it.hellos.get(1).cloned()).await;
    assert_eq!((hello.epoch.as_str(), hello.revision), ("one", 5));
    assert_eq!(hello.scopes.len(), 2);
    agent.stop().await;
}

#[tokio::test]
async fn a_torn_file_leaves_the_maps_as_they_are() {
    let Bed {
        manager,
        directory,
        agent,
    } = Bed::new().await;
    for part in updates(5, 0, 4, 100) {
        manager.update(part).await;
    }
    manager.acknowledged(5).await;
    let host = agent.host.clone();
    agent.stop().await;
    let file = directory.path().join("state");
    let whole = std::fs::read(&file).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let data = DataDirectory::open(directory.path()).unwrap();
    let identity = data.identity().unwrap().unwrap();
    host.calls();
    let agent = Running::start(&host, &directory, data, identity);
    let hello = manager.until(|it| it.hellos.get(1).cloned()).await;
    assert_eq!((hello.epoch.as_str(), hello.scopes.len()), ("", 0));
    assert_eq!(agent.mappings(), 4);
    assert!(
        host.calls().is_empty(),
        "nothing is known, so nothing is done"
    );
    agent.stop().await;
}

#[tokio::test]
async fn a_certificate_is_renewed_and_the_next_one_used() {
    let (manager, directory) = (FakeManager::start().await, Directory::make());
    // More than two thirds of it are over.
    manager.state().validity_s = (-300, 30);
    let (data, identity) = manager.enrolled(&directory).await;
    manager.state().validity_s = (-60, 3600);
    let agent = Running::start(&machine(), &directory, data.clone(), identity.clone());
    manager.until(|it| (it.renewals > 0).then_some(())).await;
    let mut changed = agent.identity.subscribe();
    let renewed = tokio::time::timeout(DEADLINE, changed.wait_for(|it| *it != identity));
    let renewed = renewed.await.unwrap().unwrap().clone();
    assert!(renewed.validity().unwrap().ends_s > identity.validity().unwrap().ends_s);
    assert_eq!(data.identity().unwrap(), Some(renewed));
    assert_eq!(manager.state().renewals, 1);
    // The stream begins again with the next one.
    manager.until(|it| it.hellos.get(1).cloned()).await;
    let ends_s = agent.identity.borrow().validity().unwrap().ends_s;
    manager
        .until(|it| {
            let mut reports = it.reports.iter();
            reports.find(|it| it.certificate_ends_s == ends_s).map(drop)
        })
        .await;
    agent.stop().await;
}

#[tokio::test]
async fn a_certificate_that_ended_says_what_to_do() {
    let (manager, directory) = (FakeManager::start().await, Directory::make());
    manager.state().validity_s = (-7200, -3600);
    let (data, identity) = manager.enrolled(&directory).await;
    let outside = identity.is_outside_its_time(now_s()).unwrap();
    assert!(outside.contains("inlay host token host1"), "{outside}");
    let agent = Running::start(&machine(), &directory, data, identity.clone());
    let lost = || agent.meters.lost_streams.get() > 0;
    common::until("a stream that is refused", lost).await;
    assert!(
        manager.state().hellos.is_empty(),
        "the manager lets it not in"
    );
    agent.stop().await;
    // A clock that is behind is another matter, and said as such.
    let early = identity.is_outside_its_time(now_s() - 10_000).unwrap();
    assert!(early.contains("set the clock"), "{early}");
    assert_eq!(identity.is_outside_its_time(now_s() - 5_000), None);
}

#[tokio::test]
async fn a_skewed_clock_is_told_in_reports() {
    let bed = Bed::new().await;
    let report = bed.manager.until(|it| it.reports.last().cloned()).await;
    let now_ms = jiff_now_ms();
    assert!((report.time_ms - now_ms).abs() < 60_000, "{report:?}");
    bed.agent.stop().await;
}

fn jiff_now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap().as_millis()).unwrap()
}

#[tokio::test]
async fn a_host_that_was_removed_is_refused_and_keeps_its_dataplane() {
    let bed = Bed::new().await;
    for part in updates(5, 0, 4, 100) {
        bed.manager.update(part).await;
    }
    bed.manager.acknowledged(5).await;
    bed.manager.state().refusal = Some(Status::permission_denied("host1 was removed"));
    let lost = bed.agent.meters.lost_streams.get();
    bed.manager.cut();
    common::until("two refusals or a long wait", || {
        bed.agent.meters.lost_streams.get() > lost + 1
    })
    .await;
    assert_eq!(bed.manager.state().hellos.len(), 1);
    assert_eq!(bed.agent.mappings(), 4);
    assert_eq!(bed.agent.meters.is_connected.get(), 0);
    bed.agent.stop().await;
}

#[tokio::test]
async fn a_question_is_answered() {
    let bed = Bed::new().await;
    bed.manager
        .ask(Question {
            id: 42,
            question: Some(question::Question::ExplainOutbound(ExplainOutbound {
                vni: 100,
                node: "n0".to_owned(),
                ..ExplainOutbound::default()
            })),
        })
        .await;
    let answered = bed.manager.until(|it| it.answers.first().cloned()).await;
    assert_eq!(answered.id, 42);
    assert_eq!(
        answered.answer,
        Some(answer::Answer::Explanation("n0".to_owned()))
    );
    assert_eq!(answered.frame, [1, 2, 3]);
    bed.agent.stop().await;
}

#[tokio::test]
async fn whoever_has_another_ca_is_not_told_the_secret() {
    let (manager, directory) = (FakeManager::start().await, Directory::make());
    let data = DataDirectory::open(directory.path()).unwrap();
    let target = manager.target(SECRET, &"0".repeat(64));
    let refusal = format!("{:#}", join(&target, &data).await.unwrap_err());
    assert!(refusal.contains("the token was not sent"), "{refusal}");
    assert!(manager.state().secrets.is_empty());
    assert_eq!(data.identity().unwrap(), None);
}

#[tokio::test]
async fn a_token_that_is_not_known_is_refused_and_one_that_is_joins() {
    let (manager, directory) = (FakeManager::start().await, Directory::make());
    let data = DataDirectory::open(directory.path()).unwrap();
    let wrong = "f".repeat(32);
    let target = manager.target(&wrong, &manager.fingerprint());
    let refusal = format!("{:#}", join(&target, &data).await.unwrap_err());
    assert!(
        refusal.contains("the manager refused the token"),
        "{refusal}"
    );
    assert!(!refusal.contains(&wrong), "{refusal}");
    assert_eq!(data.identity().unwrap(), None);
    let target = manager.target(SECRET, &manager.fingerprint());
    let identity = join(&target, &data).await.unwrap();
    assert_eq!(data.identity().unwrap().unwrap(), identity);
    assert_eq!(identity.host, "host1");
    assert!(target.is_of(&identity));
    assert!(!manager.target(SECRET, &"0".repeat(64)).is_of(&identity));
    assert!(!format!("{identity:?}").contains("PRIVATE"));
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory.path()), 0o700);
    assert_eq!(mode(&directory.path().join("identity.json")), 0o600);
}

#[tokio::test]
async fn a_manager_that_says_nothing_is_given_up() {
    let (manager, directory) = (FakeManager::start().await, Directory::make());
    let (data, mut identity) = manager.enrolled(&directory).await;
    let (silent, accepted) = common::fake_manager::silent_port().await;
    identity.manager = silent.to_string().parse().unwrap();
    let agent = Running::start(&machine(), &directory, data, identity);
    common::until("an attempt that is given up", || {
        agent.meters.lost_streams.get() > 0
    })
    .await;
    assert!(accepted.load(std::sync::atomic::Ordering::Relaxed) > 0);
    agent.stop().await;
}

#[tokio::test]
async fn a_manager_that_hangs_is_given_up_and_the_dataplane_stays() {
    let bed = Bed::new().await;
    for part in updates(1, 0, 2, 10) {
        bed.manager.update(part).await;
    }
    bed.manager.acknowledged(1).await;
    // One that answers is not, however little it has to say.
    bed.manager
        .until(|state| (state.reports.len() > 10).then_some(()))
        .await;
    assert_eq!(bed.manager.state().hellos.len(), 1);
    bed.manager.state().is_deaf = true;
    bed.manager
        .until(|state| (state.hellos.len() > 1).then_some(()))
        .await;
    assert!(bed.agent.meters.lost_streams.get() > 0);
    assert_eq!(bed.agent.mappings(), 2);
    bed.agent.stop().await;
}
