//! A session over a machine in memory: what of the manager's changes is in force, and what it is told.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Instant;

use bytes::Bytes;
use common::{
    fake_backend::FakeBackend,
    fake_host::FakeHost,
    interfaces,
    resources::{Resources, batch, change, changes, config, resources},
    states::with_networks,
    temporary::Directory,
};
use inlay_agent::{
    Agent,
    disk::StateFile,
    manager::{collect::Batch, held::ResourceKey, session::Session},
    run_directory::{READY, RunDirectory},
};
use inlay_api::{
    raw::{RawNetwork, RawNode, RawRemoteHost, RawRule, RawSecurityGroup, RawState, RawSubnet},
    wire::agent::{Attachment, HostSettings, Kind, Node, Rejection, SecurityGroup, Subnet},
};
use inlay_core::tables::records::NONE;
use prost::Message;

/// A host with its session and directories.
struct Bed {
    host: FakeHost,
    backend: FakeBackend,
    directory: Directory,
    session: Session<FakeHost, FakeBackend>,
    sent: Resources,
    revision: u64,
}

fn session(
    host: &FakeHost,
    backend: &FakeBackend,
    directory: &Directory,
) -> Session<FakeHost, FakeBackend> {
    let run = RunDirectory::open(directory.path()).unwrap();
    let agent = Agent::open(host.clone(), run).unwrap();
    Session::new(
        agent,
        backend.clone(),
        config(&network()),
        "boot".to_owned(),
    )
}

impl Bed {
    fn new() -> Self {
        let host = FakeHost::default();
        host.machine().interfaces = interfaces(["up0", "up1"]);
        let (backend, directory) = (FakeBackend::of(&host), Directory::make());
        Self {
            session: session(&host, &backend, &directory),
            host,
            backend,
            directory,
            sent: Resources::new(),
            revision: 0,
        }
    }

    /// A manager that has `resources` sends what differs.
    fn send(&mut self, resources: &Resources) -> Vec<Rejection> {
        let changes = changes(&self.sent, resources);
        self.revision += 1;
        self.sent.clone_from(resources);
        self.take(batch(self.revision, &changes))
    }

    fn take(&mut self, batch: Batch) -> Vec<Rejection> {
        let revision = batch.revision;
        self.session.take(vec![batch], Instant::now()).unwrap();
        let acknowledgement = self.session.acknowledgement().unwrap();
        assert_eq!(acknowledgement.revision, revision);
        assert_eq!(self.session.acknowledgement(), None, "once");
        acknowledgement.rejections
    }

    /// Addresses in the maps, with the slot of the port of those that are here.
    fn mappings(&self) -> Vec<(String, Option<u32>)> {
        let image = &self.host.machine().image;
        let mapping = |(key, record): (&_, &inlay_core::tables::records::MappingRecord)| {
            let key: &inlay_core::tables::records::MappingKey = key;
            let port = (record.port != NONE).then_some(record.port);
            (key.virtual_ip.to_string(), port)
        };
        image.mappings.iter().map(mapping).collect()
    }

    fn ports(&self) -> usize {
        self.host.machine().image.ports.len()
    }
}

fn node(name: &str, host: &str, last: u32) -> RawNode {
    RawNode {
        name: name.to_owned(),
        host: host.to_owned(),
        addresses: vec![format!("10.0.1.{last}")],
        mac: format!("02:00:00:00:00:{last:02x}"),
        security_groups: Some(vec!["default".to_owned()]),
        interface: (host == "host1").then(|| format!("{name}-port")),
        ..RawNode::default()
    }
}

/// Nodes a here, b and c on host2.
fn network() -> RawState {
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
            inbound: vec![RawRule {
                protocol: "tcp".to_owned(),
                ports: Some("80".to_owned()),
                peer: "group:default".to_owned(),
                ..RawRule::default()
            }],
            ..RawSecurityGroup::default()
        }],
        nodes: vec![
            node("a", "host1", 10),
            node("b", "host2", 11),
            node("c", "host2", 12),
        ],
        ..RawNetwork::default()
    }])
}

fn key(kind: Kind, name: &str) -> ResourceKey {
    ResourceKey::new(100, kind, name)
}

fn attachment_key() -> ResourceKey {
    ResourceKey::new(0, Kind::Attachment, "acme/main/a")
}

/// `resources` with one message edited.
fn edited<M: Message + Default>(
    resources: &Resources,
    key: &ResourceKey,
    edit: impl FnOnce(&mut M),
) -> Resources {
    let mut resources = resources.clone();
    let mut message = M::decode(resources[key].clone()).unwrap();
    edit(&mut message);
    resources.insert(key.clone(), message.encode_to_vec().into());
    resources
}

fn names(rejections: &[Rejection]) -> Vec<(i32, &str)> {
    rejections
        .iter()
        .map(|it| (it.kind, it.key.as_str()))
        .collect()
}

#[test]
fn what_is_sent_is_in_the_maps_before_it_is_acknowledged() {
    let mut bed = Bed::new();
    let rejections = bed.send(&resources(&network()));
    assert!(rejections.is_empty(), "{rejections:?}");
    let addresses: Vec<_> = bed.mappings().into_iter().map(|(it, _)| it).collect();
    assert_eq!(addresses, ["10.0.1.10", "10.0.1.11", "10.0.1.12"]);
    assert_eq!(bed.ports(), 1);
    assert_eq!(bed.directory.read(READY), "1\n");
    let hello = bed.session.hello();
    assert_eq!((hello.revision, hello.epoch.as_str()), (1, "one"));
    assert_eq!(hello.scopes.len(), 2);
    assert_eq!(hello.scopes, bed.session.report(0, 0).scopes);
    let labels = bed.directory.read("labels.json");
    assert!(labels.contains("acme/main"), "{labels}");
}

#[test]
fn nothing_is_applied_where_nothing_is_known() {
    let mut bed = Bed::new();
    bed.session.check().unwrap();
    bed.session.retry().unwrap();
    assert!(bed.host.calls().is_empty());
    // A manager that does not say who this host is.
    let mut nothing = resources(&network());
    nothing.remove(&ResourceKey::new(0, Kind::HostSettings, ""));
    let rejections = bed.send(&nothing);
    assert!(!rejections.is_empty());
    assert!(bed.host.calls().is_empty());
    assert_eq!(bed.backend.interfaces(), [""; 0]);
    // It says so later: all of it is tried again.
    let rejections = bed.send(&resources(&network()));
    assert!(rejections.is_empty(), "{rejections:?}");
    assert_eq!(bed.ports(), 1);
}

#[test]
fn a_bad_resource_keeps_its_last_good_value_and_the_rest_is_applied() {
    let mut bed = Bed::new();
    let good = resources(&network());
    bed.send(&good);
    let before = bed.host.machine().image.policies.clone();
    let group = key(Kind::SecurityGroup, "default");
    let bad = edited(&good, &group, |group: &mut SecurityGroup| {
        group.inbound[0].ports = "90-80".to_owned();
    });
    let bad = edited(&bad, &key(Kind::Node, "c"), |node: &mut Node| {
        node.addresses = vec![0x0a00_0163];
    });
    let rejections = bed.send(&bad);
    assert_eq!(
        names(&rejections),
        [(Kind::SecurityGroup.into(), "default")]
    );
    assert!(rejections[0].reason.contains("90-80"), "{rejections:?}");
    assert_eq!(bed.host.machine().image.policies, before);
    assert_eq!(bed.mappings()[2].0, "10.0.1.99", "the rest is applied");
    // It stays refused while others change, and is told each time.
    let more = edited(&bad, &key(Kind::Node, "c"), |node: &mut Node| {
        node.addresses = vec![0x0a00_0164];
    });
    assert_eq!(names(&bed.send(&more)).len(), 1);
    assert_eq!(bed.mappings()[2].0, "10.0.1.100");
    assert_eq!(bed.host.machine().image.policies, before);
    // Until it is good.
    let cured = edited(&more, &group, |group: &mut SecurityGroup| {
        group.inbound[0].ports = "80-90".to_owned();
    });
    assert!(bed.send(&cured).is_empty());
    assert_ne!(bed.host.machine().image.policies, before);
}

#[test]
fn a_resource_is_retried_when_what_it_depends_on_changes() {
    let mut bed = Bed::new();
    let good = resources(&network());
    bed.send(&good);
    let web = key(Kind::SecurityGroup, "web");
    let lonely = edited(&good, &key(Kind::Node, "b"), |node: &mut Node| {
        node.security_groups.push("web".to_owned());
    });
    assert_eq!(names(&bed.send(&lonely)), [(Kind::Node.into(), "b")]);
    let mut whole = lonely.clone();
    whole.insert(
        web.clone(),
        good[&key(Kind::SecurityGroup, "default")].clone(),
    );
    assert!(bed.send(&whole).is_empty());
    // A group that is taken away under a node stays.
    let rejections = bed.send(&lonely);
    assert_eq!(names(&rejections), [(Kind::SecurityGroup.into(), "web")]);
    assert_eq!(bed.mappings().len(), 3);
    assert!(bed.send(&good).is_empty());
}

#[test]
fn what_had_no_good_value_is_left_out() {
    let mut bed = Bed::new();
    let good = resources(&network());
    let bad = edited(&good, &key(Kind::Node, "b"), |node: &mut Node| {
        node.mac = vec![1];
    });
    let mut bad = edited(&bad, &attachment_key(), |it: &mut Attachment| {
        it.interface = "up0".to_owned();
    });
    bad.insert(key(Kind::Acl, "torn"), Bytes::from_static(&[0xff]));
    let rejections = bed.send(&bad);
    let expected = [
        (Kind::Attachment.into(), "acme/main/a"),
        (Kind::Acl.into(), "torn"),
        // Without its attachment it has no interface.
        (Kind::Node.into(), "a"),
        (Kind::Node.into(), "b"),
    ];
    assert_eq!(names(&rejections), expected);
    let addresses: Vec<_> = bed.mappings().into_iter().map(|(it, _)| it).collect();
    assert!(
        addresses.is_empty(),
        "no port here, so no network: {addresses:?}"
    );
    assert!(bed.send(&good).is_empty());
    assert_eq!(bed.mappings().len(), 3);
}

/// A network with a node that forwards on each of `hosts` other hosts: one more than 1,024 do not fit the maps.
fn forwarding(hosts: u32) -> RawState {
    let mut raw = network();
    raw.hosts.clear();
    for number in 2..hosts + 2 {
        let name = format!("host{number}");
        raw.hosts.push(RawRemoteHost {
            name: name.clone(),
            prefix: format!("2001:db8:1:{number:x}::/64"),
        });
        let mut one = node(&format!("n{number:04}"), &name, 0);
        one.addresses = vec![format!("10.0.{}.{}", number / 250 + 8, number % 250 + 2)];
        one.mac = format!("02:00:00:01:{:02x}:{:02x}", number / 250, number % 250);
        one.forwarding = true;
        raw.networks[0].nodes.push(one);
    }
    "10.0.0.0/16".clone_into(&mut raw.networks[0].subnets[0].cidr);
    raw
}

#[test]
fn what_does_not_fit_the_maps_is_found_by_halves() {
    let mut bed = Bed::new();
    assert!(bed.send(&resources(&forwarding(1024))).is_empty());
    let bad = resources(&forwarding(1025));
    let bad = edited(&bad, &key(Kind::Node, "c"), |node: &mut Node| {
        node.addresses = vec![0x0a00_0163];
    });
    let rejections = bed.send(&bad);
    assert_eq!(names(&rejections), [(Kind::Node.into(), "n1026")]);
    assert!(rejections[0].reason.contains("hosts whose nodes forward"));
    assert_eq!(bed.host.machine().image.forwarders.len(), 1024);
    let mappings = bed.mappings();
    assert_eq!(mappings.len(), 3 + 1024);
    let is_applied = mappings.iter().any(|(address, _)| address == "10.0.1.99");
    assert!(is_applied, "the rest is applied");
}

#[test]
fn unknown_settings_are_refused_and_the_host_stays() {
    let mut bed = Bed::new();
    let good = resources(&network());
    bed.send(&good);
    let settings = ResourceKey::new(0, Kind::HostSettings, "");
    let bad = edited(&good, &settings, |it: &mut HostSettings| {
        it.prefix = "2001:db8::/48".to_owned();
    });
    let bad = edited(&bad, &key(Kind::Subnet, "front"), |it: &mut Subnet| {
        it.cidr = "10.0.1.7/24".to_owned();
    });
    let rejections = bed.send(&bad);
    let expected = [
        (Kind::HostSettings.into(), ""),
        (Kind::Subnet.into(), "front"),
    ];
    assert_eq!(names(&rejections), expected);
    assert_eq!((bed.ports(), bed.mappings().len()), (1, 3));
}

#[test]
fn a_node_that_comes_is_ready_before_packets_do() {
    let mut bed = Bed::new();
    let mut raw = network();
    raw.networks[0].nodes.push(node("d", "host1", 13));
    let whole = resources(&raw);
    let node_key = key(Kind::Node, "d");
    let prepared = edited(&whole, &node_key, |node: &mut Node| {
        node.host = "host2".to_owned();
    });
    bed.send(&prepared);
    assert_eq!(bed.backend.interfaces(), ["a-port", "d-port"]);
    assert_eq!(bed.ports(), 2);
    let attached = bed.host.machine().attached.len();
    assert_eq!(attached, 4, "two uplinks, two ports");
    assert_eq!(bed.mappings()[3], ("10.0.1.13".to_owned(), None));
    bed.host.calls();
    bed.send(&whole);
    assert!(bed.mappings()[3].1.is_some());
    assert_eq!(
        bed.host.calls(),
        ["write"],
        "only the mapping is left to do"
    );
}

#[test]
fn a_node_that_leaves_is_served_until_its_attachment_goes() {
    let mut bed = Bed::new();
    let whole = resources(&network());
    bed.send(&whole);
    let left = edited(&whole, &key(Kind::Node, "a"), |node: &mut Node| {
        node.host = "host2".to_owned();
    });
    bed.host.calls();
    bed.send(&left);
    assert!(bed.mappings()[0].1.is_some());
    assert!(bed.host.calls().is_empty(), "nothing changes here");
    let mut gone = left;
    gone.remove(&attachment_key());
    bed.send(&gone);
    assert_eq!(bed.backend.interfaces(), [""; 0]);
    assert_eq!(bed.ports(), 0);
}

#[test]
fn an_interface_that_cannot_be_made_is_told_with_its_reason() {
    let mut bed = Bed::new();
    bed.backend
        .refuse("a-port", "there is no interface a-port; plug it in");
    // A node that is about to move here must not come before it can.
    let rejections = bed.send(&resources(&network()));
    let expected = [(Kind::Attachment.into(), "acme/main/a")];
    assert_eq!(names(&rejections), expected);
    assert!(
        rejections[0].reason.contains("plug it in"),
        "{rejections:?}"
    );
    let degraded = bed.session.report(5, 6).degraded;
    assert_eq!(degraded.len(), 1, "{degraded:?}");
    assert_eq!(degraded[0].network, "acme/main");
    assert_eq!(degraded[0].node, "a");
    assert!(degraded[0].reason.contains("plug it in"));
    bed.session.retry().unwrap();
    assert_eq!(bed.session.acknowledgement(), None, "it is known");
    bed.backend.allow();
    bed.session.retry().unwrap();
    let again = bed.session.acknowledgement().unwrap();
    assert_eq!((again.revision, again.rejections), (1, vec![]));
    assert_eq!(bed.session.acknowledgement(), None, "once");
    assert!(bed.session.report(5, 6).degraded.is_empty());
    assert_eq!(bed.ports(), 1);
}

#[test]
fn what_is_told_is_never_longer_than_a_manager_takes() {
    const MESSAGE_BYTES_MAX: usize = 1 << 20;
    let mut raw = network();
    let long = "it is not there; plug it in ".repeat(100);
    let mut bed = Bed::new();
    for number in 0..1000_u32 {
        let name = format!("n{number:04}");
        let mut one = node(&name, "host1", 0);
        one.addresses = vec![format!("10.0.{}.{}", number / 250 + 8, number % 250 + 2)];
        one.mac = format!("02:00:00:02:{:02x}:{:02x}", number / 250, number % 250);
        one.flows_max = Some(64);
        bed.backend.refuse(&format!("{name}-port"), &long);
        raw.networks[0].nodes.push(one);
    }
    "10.0.0.0/16".clone_into(&mut raw.networks[0].subnets[0].cidr);
    let changes = changes(&Resources::new(), &resources(&raw));
    bed.session
        .take(vec![batch(1, &changes)], Instant::now())
        .unwrap();
    let acknowledgement = bed.session.acknowledgement().unwrap();
    let count = acknowledgement.rejections.len();
    assert_eq!(count, 1000, "{:?}", acknowledgement.rejections.first());
    assert!(acknowledgement.encoded_len() < MESSAGE_BYTES_MAX);
    let report = bed.session.report(5, 6);
    assert_eq!(
        report.degraded.len(),
        1000,
        "{:?}",
        bed.session.rejections().first()
    );
    assert!(report.encoded_len() < MESSAGE_BYTES_MAX);
}

#[test]
fn what_the_machine_refuses_is_acknowledged_when_it_is_done() {
    let mut bed = Bed::new();
    bed.host.machine().failing_writes = 1;
    let changes = changes(&Resources::new(), &resources(&network()));
    let result = bed.session.take(vec![batch(1, &changes)], Instant::now());
    result.unwrap_err();
    assert_eq!(bed.session.acknowledgement(), None);
    assert_eq!(bed.session.hello().revision, 0);
    bed.session.retry().unwrap();
    assert_eq!(bed.session.acknowledgement().unwrap().revision, 1);
    assert_eq!(bed.session.hello().revision, 1);
}

#[test]
fn another_store_replaces_all_at_once() {
    let mut bed = Bed::new();
    bed.send(&resources(&network()));
    let mut raw = network();
    raw.networks[0].nodes.pop();
    let changes = changes(&Resources::new(), &resources(&raw));
    let mut other = batch(1, &changes);
    other.epoch = "two".to_owned();
    bed.take(other);
    assert_eq!(bed.session.hello().epoch, "two");
    assert_eq!(bed.mappings().len(), 2);
}

#[test]
fn a_host_comes_back_from_its_disk() {
    let mut bed = Bed::new();
    let good = resources(&network());
    bed.send(&good);
    let bad = edited(&good, &key(Kind::Node, "b"), |node: &mut Node| {
        node.mac = vec![1];
    });
    bed.send(&bad);
    let file = StateFile::of(bed.directory.path());
    file.write(&bed.session.stored()).unwrap();
    let Bed {
        backend,
        directory,
        session: ended,
        ..
    } = bed;
    let hello = ended.hello();
    drop(ended);
    // After a reboot: nothing is in the maps.
    let host = FakeHost::default();
    host.machine().interfaces = interfaces(["up0", "up1"]);
    backend.is_on(&host);
    let mut session = session(&host, &backend, &directory);
    session.restore(file.read().unwrap().unwrap()).unwrap();
    assert_eq!(
        host.machine().image.mappings.len(),
        3,
        "the last good value too"
    );
    assert_eq!(session.hello().scopes, hello.scopes);
    assert_eq!(session.hello().epoch, hello.epoch);
    assert_eq!(session.hello().revision, 2);
}

#[test]
fn a_file_that_is_torn_changed_or_of_another_version_is_refused() {
    let directory = Directory::make();
    let file = StateFile::of(directory.path());
    assert!(file.read().unwrap().is_none());
    let mut held = inlay_agent::manager::held::Held::default();
    held.apply(batch(
        3,
        &[change(
            &key(Kind::Node, "a"),
            Some(&Bytes::from_static(b"1")),
        )],
    ));
    let stored = inlay_agent::disk::Stored {
        held,
        ..inlay_agent::disk::Stored::default()
    };
    file.write(&stored).unwrap();
    assert_eq!(file.read().unwrap().unwrap(), stored);
    let path = directory.path().join("state");
    let whole = std::fs::read(&path).unwrap();
    let later = String::from_utf8_lossy(&whole).replacen("state 1", "state 2", 1);
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let torn = (0..whole.len()).map(|len| whole[..len].to_vec());
    for bytes in torn.chain([later.into_bytes(), flipped]) {
        std::fs::write(&path, &bytes).unwrap();
        let refusal = file.read().unwrap_err().to_string();
        assert!(refusal.contains("is ignored"), "{refusal}");
    }
}
