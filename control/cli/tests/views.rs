//! Views of the whole system, and what is made from the command line itself.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

mod common;

use common::{FakeManager, Inlay};
use serde_json::{Value, json};

fn status(lagging: u64, degraded: &[&str]) -> Value {
    json!({
        "version": "0.1.0", "ready": 1, "unreachable": 0, "expected": 1, "lagging": lagging, "degraded": degraded.len(),
        "hosts": [
            {"name": "host1", "location": "fra1", "cordoned": true, "status": {
                "state": "ready", "nodes": 3, "agent_version": "0.1.0", "desired_revision": 9, "applied_revision": 7,
                "lag_ms": 250, "degraded": degraded, "clock_skew_ms": 0, "seen_at": "2027-01-01T00:00:00Z"}},
            {"name": "host2", "cordoned": false, "status": {"state": "expected"}},
        ]
    })
}

#[test]
fn the_status_says_what_is_missing() {
    let manager = FakeManager::start();
    let inlay = Inlay::of(&manager);
    manager.can(
        "/v1/status",
        200,
        status(0, &["tap0 has no XDP program; use a virtio queue"]),
    );
    let ran = inlay.ok("status");
    for text in [
        "host1",
        "ready, cordoned",
        "250 ms",
        "host1 is degraded: tap0 has no XDP program",
        "expected",
    ] {
        assert!(ran.out.contains(text), "{text}: {ran:#?}");
    }
    inlay.line("status --check").expect(1);
    assert_eq!(
        inlay.ok("status -o json").json()["hosts"][0]["status"]["lag_ms"],
        250
    );
    manager.can("/v1/status", 200, status(1, &[]));
    inlay.line("status --check").expect(1);
    manager.can("/v1/status", 200, status(0, &[]));
    inlay.ok("status --check");
}

fn event(revision: u64, name: &str) -> Value {
    json!({"revision": revision, "at": "2027-01-01T00:00:00Z", "actor": "ci", "action": "created",
        "kind": "node", "project": "acme", "network": "main", "name": name})
}

#[test]
fn events_come_as_in_a_log() {
    let manager = FakeManager::start();
    let inlay = Inlay::of(&manager);
    let pages = || {
        let first = [event(1, "a"), event(2, "b")];
        manager.answer_next(200, json!({"items": first, "next_page_token": "2"}));
        manager.answer_next(200, json!({"items": [event(3, "c")]}));
    };
    pages();
    let events = inlay.ok("events -o json").json();
    let events = events.as_array().unwrap().iter();
    let names: Vec<&str> = events
        .map(|event| event["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
    let requests = manager.take_requests();
    assert_eq!(requests[0].path, "/v1/projects/acme/events");
    assert_eq!(requests[1].parameter("page_token"), Some("2"));

    pages();
    let ran = inlay.ok("events --limit 1 --all-projects");
    let rows: Vec<&str> = ran.out.lines().collect();
    assert_eq!(rows.len(), 2, "a heading and the latest: {ran:?}");
    assert!(
        rows[1].contains("created") && rows[1].contains(" c"),
        "{ran:?}"
    );
    assert_eq!(manager.take_requests()[0].path, "/v1/events");
}

#[test]
fn events_are_followed_and_each_is_shown_once() {
    let manager = FakeManager::start();
    let inlay = Inlay::of(&manager);
    let path = "/v1/projects/acme/events";
    manager.can(path, 200, json!({"items": [event(1, "a")]}));
    let following = inlay.follow(&["events", "--follow", "-o", "json"]);
    assert_eq!(following.next()["name"], "a");
    manager.can(path, 200, json!({"items": [event(1, "a"), event(2, "b")]}));
    assert_eq!(following.next()["name"], "b");
}

fn trace(verdict: &str, inbound: &Value) -> Value {
    let outbound = json!({"verdict": "sent", "steps": [
        {"step": "route", "found": "local"},
        {"step": "destination", "found": "host2, 2001:db8:0:2::/64"},
    ]});
    json!({"verdict": verdict, "steps": [
        {"host": "host1", "direction": "outbound", "explanation": outbound},
        {"host": "host2", "direction": "inbound", "explanation": inbound},
    ]})
}

#[test]
fn a_trace_shows_every_step_of_every_host() {
    let manager = FakeManager::start();
    let inlay = Inlay::of(&manager);
    let path = "/v1/projects/acme/networks/main/trace";
    let line = "network trace main --from a --to 10.0.1.11 --proto tcp --dport 80";
    let dropped = json!({"verdict": "dropped", "reason": "no_rule_inbound", "rule": "default", "steps": [{"step": "group", "found": "no rule"}]});
    manager.can(path, 200, trace("dropped", &dropped));
    let ran = inlay.run(&line.split(' ').collect::<Vec<_>>()).expect(3);
    let rows: Vec<&str> = ran.out.lines().collect();
    assert_eq!(rows[0], "a to 10.0.1.11, tcp 80: dropped");
    for texts in [
        ["host1", "outbound", "host2, 2001:db8:0:2::/64"],
        ["host2", "inbound", "dropped; no_rule_inbound; default"],
    ] {
        assert!(
            rows.iter()
                .any(|row| texts.iter().all(|text| row.contains(text))),
            "{ran:#?}"
        );
    }
    let request = &manager.take_requests()[0];
    for (name, value) in [
        ("from", "a"),
        ("to", "10.0.1.11"),
        ("protocol", "tcp"),
        ("port", "80"),
    ] {
        assert_eq!(request.parameter(name), Some(value));
    }
    manager.can(
        path,
        200,
        trace("delivered", &json!({"verdict": "delivered", "steps": []})),
    );
    inlay.ok(line);
    assert_eq!(
        inlay.ok(&format!("{line} -o json")).json()["verdict"],
        "delivered"
    );
    manager.can(
        path,
        200,
        json!({"verdict": "unknown", "reason": "host host2 is not connected", "steps": []}),
    );
    let ran = inlay.run(&line.split(' ').collect::<Vec<_>>()).expect(1);
    assert!(ran.out.contains("host host2 is not connected"), "{ran:?}");
    inlay
        .line("network trace main --from a --to 10.0.1.11 --proto tcp")
        .expect(2);
}

#[test]
fn completions_and_pages_are_made_without_a_context() {
    let inlay = Inlay::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = inlay.run(&["completions", shell]).expect(0).out;
        assert!(script.contains("security-group"), "{shell}");
    }
    assert!(inlay.ok("man").out.contains(".TH inlay 1 "));
    let pages = inlay.home().join("man");
    inlay.run(&["man", pages.to_str().unwrap()]).expect(0);
    for page in ["inlay.1", "inlay-node-create.1", "inlay-explain.1"] {
        assert!(pages.join(page).exists(), "{page}");
    }
}

#[test]
fn a_node_that_this_host_has_not_is_told_without_a_manager() {
    let inlay = Inlay::new();
    let line = [
        "node",
        "exec",
        "--project",
        "acme",
        "--network",
        "main",
        "no-such-node",
        "--",
        "true",
    ];
    let ran = inlay.run(&line).expect(4);
    assert!(ran.err.contains("acme.main.no-such-node"), "{ran:?}");
    inlay
        .line("node exec --project acme --network main web")
        .expect(2);
    inlay.line("node exec web -- true").expect(2);
}
