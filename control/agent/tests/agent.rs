//! The agent over a machine in memory: what it does, in which order, and what it does after a fault.

#![allow(clippy::unwrap_used)]

mod common;

use common::{fake_host::FakeHost, interface, interfaces, state, temporary::Directory};
use inlay_agent::{
    Agent, PinsGone,
    run_directory::{LABELS, READY, RunDirectory, STATUS},
    source::Desired,
    status::Status,
};

const EXAMPLE: &str = include_str!("../../api/examples/host.yaml");

/// uplink0 is 11, red-a 12, blue-a 13.
fn host() -> FakeHost {
    let host = FakeHost::default();
    host.machine().interfaces = interfaces(["uplink0", "red-a", "blue-a"]);
    host
}

fn agent(host: &FakeHost, directory: &Directory) -> Agent<FakeHost> {
    Agent::open(host.clone(), RunDirectory::open(directory.path()).unwrap()).unwrap()
}

fn desired(yaml: &str, revision: &str) -> Desired {
    Desired {
        state: state(yaml),
        revision: revision.to_owned(),
    }
}

fn status(directory: &Directory) -> Status {
    serde_json::from_str(&directory.read(STATUS)).unwrap()
}

fn without_blue() -> String {
    EXAMPLE.split("  - name: blue").next().unwrap().to_owned()
}

fn epochs(host: &FakeHost) -> Vec<u32> {
    host.machine()
        .image
        .networks
        .values()
        .map(|network| network.epoch)
        .collect()
}

#[test]
fn records_come_before_programs_and_go_after_them() {
    let (host, directory) = (host(), Directory::make());
    let mut agent = agent(&host, &directory);
    assert_eq!(directory.read(READY), "");
    agent.set_desired(desired(EXAMPLE, "one")).unwrap();
    assert_eq!(
        host.calls(),
        ["write", "attach 11", "attach 12", "attach 13"]
    );
    assert_eq!(directory.read(READY), "one\n");
    let blue = host.machine().image.devices[&13];
    agent.set_desired(desired(&without_blue(), "two")).unwrap();
    let expected = [
        "detach 13".to_owned(),
        "write".to_owned(),
        format!("remove flows of {blue}"),
    ];
    assert_eq!(host.calls(), expected);
    assert_eq!(directory.read(READY), "two\n");
    assert!(!host.machine().image.devices.contains_key(&13));
}

#[test]
fn nothing_is_done_twice() {
    let (host, directory) = (host(), Directory::make());
    let mut first = agent(&host, &directory);
    first.set_desired(desired(EXAMPLE, "one")).unwrap();
    host.calls();
    first.set_desired(desired(EXAMPLE, "one")).unwrap();
    first.check().unwrap();
    first.retry().unwrap();
    assert!(host.calls().is_empty());
    drop(first);
    let mut second = agent(&host, &directory);
    second.set_desired(desired(EXAMPLE, "one")).unwrap();
    let calls = host.calls();
    assert_eq!(
        calls,
        ["attach 11", "attach 12", "attach 13"],
        "its programs may be of another version"
    );
    assert_eq!(epochs(&host), [1, 1]);
}

#[test]
fn interfaces_come_and_go() {
    let (host, directory) = (host(), Directory::make());
    let mut agent = agent(&host, &directory);
    host.machine().interfaces.remove("red-a");
    agent.set_desired(desired(EXAMPLE, "one")).unwrap();
    assert_eq!(host.calls(), ["write", "attach 11", "attach 13"]);
    assert_eq!(
        status(&directory).degraded[0].reason,
        "there is no interface red-a; create it"
    );
    host.machine()
        .interfaces
        .insert("red-a".to_owned(), interface(20));
    agent.check().unwrap();
    assert_eq!(host.calls(), ["write", "attach 20"]);
    assert!(status(&directory).degraded.is_empty());
    // Deleted and made anew: its link is gone with it, and its entry in the device map.
    host.machine().attached.remove(&20);
    host.machine().image.devices.remove(&20);
    host.machine()
        .interfaces
        .insert("red-a".to_owned(), interface(21));
    agent.check().unwrap();
    assert_eq!(host.calls(), ["detach 20", "write", "attach 21"]);
    // The same, with the number that it had.
    host.machine().attached.remove(&21);
    host.machine().image.devices.remove(&21);
    agent.check().unwrap();
    assert_eq!(host.calls(), ["write", "attach 21"]);
    assert!(host.machine().image.devices.contains_key(&21));
}

#[test]
fn what_cannot_be_attached_is_degraded_and_tried_again() {
    let (host, directory) = (host(), Directory::make());
    let mut agent = agent(&host, &directory);
    host.machine().refused.insert(12);
    agent.set_desired(desired(EXAMPLE, "one")).unwrap();
    assert_eq!(
        host.calls(),
        ["write", "attach 11", "attach 12", "attach 13"]
    );
    let degraded = &status(&directory).degraded;
    assert_eq!(
        (degraded.len(), degraded[0].interface.as_str()),
        (1, "red-a")
    );
    assert_eq!(degraded[0].node.as_deref(), Some("a"));
    assert_eq!(degraded[0].reason, "its driver has no native XDP");
    assert_eq!(directory.read(READY), "one\n", "the others work");
    host.machine().refused.clear();
    agent.retry().unwrap();
    assert_eq!(host.calls(), ["attach 12"]);
    assert!(status(&directory).degraded.is_empty());
}

#[test]
fn after_a_failed_write_all_flows_are_decided_anew() {
    let (host, directory) = (host(), Directory::make());
    let mut agent = agent(&host, &directory);
    agent.set_desired(desired(EXAMPLE, "one")).unwrap();
    host.machine().failing_writes = 1;
    let revoked = EXAMPLE.replacen("ports: 5201", "ports: 5202", 1);
    agent.set_desired(desired(&revoked, "two")).unwrap_err();
    assert_eq!(
        (directory.read(READY).as_str(), epochs(&host)),
        ("one\n", vec![1, 1])
    );
    agent.check().unwrap();
    assert_eq!(
        (directory.read(READY).as_str(), epochs(&host)),
        ("two\n", vec![2, 2])
    );
}

#[test]
fn after_an_agent_that_was_killed_in_a_change_all_flows_are_decided_anew() {
    let (host, directory) = (host(), Directory::make());
    let mut first = agent(&host, &directory);
    first.set_desired(desired(EXAMPLE, "one")).unwrap();
    host.machine().failing_writes = 1;
    let revoked = EXAMPLE.replacen("ports: 5201", "ports: 5202", 1);
    first.set_desired(desired(&revoked, "two")).unwrap_err();
    drop(first);
    let mut second = agent(&host, &directory);
    second.set_desired(desired(&revoked, "two")).unwrap();
    assert_eq!(epochs(&host), [2, 2]);
    second.set_desired(desired(&revoked, "two")).unwrap();
    assert_eq!(epochs(&host), [2, 2]);
}

#[test]
fn a_directory_has_one_agent() {
    let directory = Directory::make();
    let _first = RunDirectory::open(directory.path()).unwrap();
    let refusal = RunDirectory::open(directory.path())
        .unwrap_err()
        .to_string();
    assert!(refusal.starts_with("another agent runs here"), "{refusal}");
}

#[test]
fn what_could_not_be_told_is_done_again() {
    for file in ["changing", LABELS, STATUS, READY] {
        let (host, directory) = (host(), Directory::make());
        let mut agent = agent(&host, &directory);
        agent.set_desired(desired(EXAMPLE, "one")).unwrap();
        // A directory in the place of the file that is written first.
        let obstacle = directory.path().join(format!("{file}.next"));
        std::fs::create_dir(&obstacle).unwrap();
        let refusal = agent.set_desired(desired(&without_blue(), "two"));
        refusal.unwrap_err();
        agent.check().unwrap_err();
        assert_eq!(directory.read(READY), "one\n", "{file}");
        std::fs::remove_dir(&obstacle).unwrap();
        agent.check().unwrap();
        assert_eq!(directory.read(READY), "two\n", "{file}");
        assert_eq!(status(&directory).revision, "two", "{file}");
        assert_eq!(host.machine().image.ports.len(), 1, "{file}");
        host.calls();
        agent.check().unwrap();
        assert!(host.calls().is_empty(), "{file}");
    }
}

#[test]
fn what_breaks_after_it_was_attached_is_told() {
    let (host, directory) = (host(), Directory::make());
    let mut agent = agent(&host, &directory);
    agent.set_desired(desired(EXAMPLE, "one")).unwrap();
    agent.retry().unwrap();
    assert!(status(&directory).degraded.is_empty());
    host.machine().reasons.insert(12, "no GRO".to_owned());
    agent.retry().unwrap();
    let degraded = status(&directory).degraded;
    assert_eq!((degraded.len(), degraded[0].reason.as_str()), (1, "no GRO"));
    host.machine().reasons.clear();
    agent.retry().unwrap();
    assert!(status(&directory).degraded.is_empty());
}

#[test]
fn files_that_somebody_changed_are_written_again() {
    let (host, directory) = (host(), Directory::make());
    let mut agent = agent(&host, &directory);
    agent.set_desired(desired(EXAMPLE, "one")).unwrap();
    let files = [STATUS, LABELS].map(|name| (name, directory.read(name)));
    for (name, _) in &files {
        std::fs::write(directory.path().join(name), "{").unwrap();
    }
    agent.distrust().unwrap();
    agent.check().unwrap();
    for (name, text) in files {
        assert_eq!(directory.read(name), text);
    }
}

#[test]
fn nothing_is_written_to_maps_without_pins() {
    let (host, directory) = (host(), Directory::make());
    let mut agent = agent(&host, &directory);
    agent.set_desired(desired(EXAMPLE, "one")).unwrap();
    host.calls();
    host.machine().is_unpinned = true;
    assert!(agent.check().unwrap_err().is::<PinsGone>());
    assert!(agent.retry().unwrap_err().is::<PinsGone>());
    let refusal = agent.set_desired(desired(&without_blue(), "two"));
    assert!(refusal.unwrap_err().is::<PinsGone>());
    assert!(host.calls().is_empty());
}
