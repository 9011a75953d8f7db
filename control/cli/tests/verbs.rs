//! The verbs of a client, against a server on a real socket.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

mod common;

use common::{FakeManager, Fault, Inlay};
use serde_json::json;

const NODES: &str = "/v1/projects/acme/networks/main/nodes";

fn with_network() -> (FakeManager, Inlay) {
    let manager = FakeManager::start();
    let inlay = Inlay::of(&manager);
    inlay.ok("network create main --cidr 10.0.0.0/16");
    inlay.ok("subnet create front --cidr 10.0.1.0/24");
    manager.take_requests();
    (manager, inlay)
}

#[test]
fn an_object_is_made_shown_changed_and_deleted() {
    let (manager, inlay) = with_network();
    let made = inlay
        .ok("node create web --subnet front --label tier=front --security-group default -o json");
    assert_eq!(made.json()["metadata"]["name"], "web");
    let request = &manager.take_requests()[0];
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", NODES)
    );
    assert_eq!(request.parameter("wait"), Some("applied"));
    assert_eq!(request.parameter("timeout"), Some("30s"));
    assert_eq!(request.body["metadata"]["labels"], json!({"tier": "front"}));
    assert_eq!(request.body["spec"]["security_groups"], json!(["default"]));

    let listed = inlay.ok("node list");
    assert!(
        listed.out.contains("NAME") && listed.out.contains("web"),
        "{listed:?}"
    );
    assert_eq!(inlay.ok("node list -l tier=front -o json").count(), 1);
    assert_eq!(inlay.ok("node list -l tier=back -o json").count(), 0);
    assert!(
        inlay
            .ok("node show web")
            .out
            .contains("metadata.labels.tier")
    );
    assert!(
        inlay
            .ok("node show web -o yaml")
            .out
            .contains("tier: front")
    );

    inlay.ok("node update web --forwarding --label tier=edge --no-wait");
    let node = manager.get(&format!("{NODES}/web")).unwrap();
    assert_eq!(node["spec"]["forwarding"], true);
    assert_eq!(
        node["spec"]["subnet"], "front",
        "what was not said is as it was"
    );
    assert_eq!(node["metadata"]["labels"], json!({"tier": "edge"}));
    let requests = manager.take_requests();
    let put = requests.last().unwrap();
    assert_eq!(put.method, "PUT");
    assert_eq!(put.parameter("wait"), None);
    assert!(!put.header("if-match").is_empty());

    inlay.ok("node delete web");
    assert_eq!(manager.get(&format!("{NODES}/web")), None);
    inlay.line("node delete web").expect(4);
}

#[test]
fn a_count_makes_several() {
    let (manager, inlay) = with_network();
    let made = inlay.ok("node create web --subnet front --count 3");
    for name in ["web-1", "web-2", "web-3"] {
        assert!(made.out.contains(name), "{made:?}");
        assert!(manager.get(&format!("{NODES}/{name}")).is_some());
    }
}

#[test]
fn every_kind_has_its_flags() {
    let (manager, inlay) = with_network();
    let network = "/v1/projects/acme/networks/main";
    let rows: &[(&[&str], &str, &str, serde_json::Value)] = &[
        (
            &[
                "security-group",
                "create",
                "web",
                "--inbound",
                "tcp 80 0.0.0.0/0",
                "--inbound",
                "icmp 8 0.0.0.0/0",
            ],
            &format!("{network}/security-groups/web"),
            "/spec/inbound",
            json!([{"protocol": "tcp", "ports": "80", "peer": "0.0.0.0/0"}, {"protocol": "icmp", "icmp": {"type": 8}, "peer": "0.0.0.0/0"}]),
        ),
        (
            &["sg", "create", "quiet", "--no-outbound"],
            &format!("{network}/security-groups/quiet"),
            "/spec/outbound",
            json!([]),
        ),
        (
            &[
                "acl",
                "create",
                "strict",
                "--inbound",
                "100 allow tcp 80 0.0.0.0/0",
            ],
            &format!("{network}/acls/strict"),
            "/spec/inbound",
            json!([{"number": 100, "action": "allow", "protocol": "tcp", "ports": "80", "peer": "0.0.0.0/0"}]),
        ),
        (
            &["rt", "create", "out", "--route", "192.0.2.0/24 blackhole"],
            &format!("{network}/route-tables/out"),
            "/spec/routes",
            json!([{"destination": "192.0.2.0/24", "target": "blackhole"}]),
        ),
        (
            &[
                "host",
                "create",
                "host1",
                "--prefix",
                "2001:db8:0:1::/64",
                "--location",
                "fra1",
                "--capacity",
                "netns=100,tap=10",
            ],
            "/v1/hosts/host1",
            "/spec",
            json!({"prefix": "2001:db8:0:1::/64", "location": "fra1", "cordoned": false,
                "node_types": [{"type": "netns", "capacity": 100}, {"type": "tap", "capacity": 10}]}),
        ),
        (
            &[
                "token",
                "create",
                "ci",
                "--role",
                "editor",
                "--project",
                "acme",
                "--expires",
                "2027-01-01T00:00:00Z",
            ],
            "/v1/tokens/ci",
            "/spec",
            json!({"role": "editor", "project": "acme", "expires_at": "2027-01-01T00:00:00Z"}),
        ),
        (
            &["project", "create", "beta", "--quota", "networks=2,nodes=7"],
            "/v1/projects/beta",
            "/spec/quota/nodes",
            json!(7),
        ),
        (
            &[
                "peering",
                "create",
                "link",
                "--peer-project",
                "beta",
                "--peer-network",
                "shared",
            ],
            "/v1/projects/acme/peerings/link",
            "/spec",
            json!({"network": "main", "peer_project": "beta", "peer_network": "shared"}),
        ),
    ];
    for (line, path, pointer, expected) in rows {
        inlay.run(line).expect(0);
        let object = manager.get(path).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(object.pointer(pointer), Some(expected), "{line:?}");
    }
}

#[test]
fn a_token_is_shown_once_and_an_editors_needs_a_project() {
    let (_manager, inlay) = with_network();
    let made = inlay.ok("token create ci --role admin");
    assert!(made.out.contains("inlay-secret"), "{made:?}");
    assert!(!inlay.ok("token list").out.contains("inlay-secret"));
    inlay.line("token create ci --role editor").expect(2);
}

#[test]
fn rules_are_added_and_removed_at_the_revision_that_was_read() {
    let (manager, inlay) = with_network();
    inlay.ok("sg create web");
    let path = "/v1/projects/acme/networks/main/security-groups/web";
    let rules = || {
        manager.get(path).unwrap()["spec"]["inbound"]
            .as_array()
            .map_or(0, Vec::len)
    };
    let add = [
        "sg",
        "rule",
        "add",
        "web",
        "--inbound",
        "tcp 80 0.0.0.0/0",
        "--inbound",
        "all group:web",
    ];
    inlay.run(&add).expect(0);
    assert_eq!(rules(), 2);
    manager.take_requests();
    inlay.run(&add).expect(0);
    assert_eq!(rules(), 2, "none is there twice");
    assert_eq!(
        manager.take_changes(),
        Vec::<String>::new(),
        "nothing differs, nothing is sent"
    );

    // Somebody else is faster, once: it is read anew.
    let there = manager.get(path).unwrap();
    manager.answer_next(200, there);
    manager.refuse_next(412, "Precondition failed", "it was changed meanwhile");
    inlay.ok("sg rule remove web --inbound 'tcp 80 0.0.0.0/0 # web'");
    assert_eq!(rules(), 1);
    let absent = inlay
        .line("sg rule remove web --inbound 'tcp 80 0.0.0.0/0'")
        .expect(4);
    assert!(absent.err.contains("tcp 80 0.0.0.0/0"), "{absent:?}");
    inlay.line("sg rule add web").expect(2);
}

#[test]
fn what_has_its_own_path_is_done_there() {
    let (manager, inlay) = with_network();
    inlay.ok("node create web --subnet front");
    inlay.ok("peering create link --peer-network shared");
    inlay.ok("host create host1 --prefix 2001:db8:0:1::/64");
    manager.take_requests();
    inlay.ok("node move web --to host2");
    inlay.ok("peering accept link");
    inlay.ok("peering reject link");
    inlay.ok("host cordon host1");
    assert_eq!(
        manager.get("/v1/hosts/host1").unwrap()["spec"]["cordoned"],
        true
    );
    inlay.ok("host uncordon host1");
    assert_eq!(
        manager.get("/v1/hosts/host1").unwrap()["spec"]["cordoned"],
        false
    );
    let expected = [
        format!("POST {NODES}/web/move"),
        "POST /v1/projects/acme/peerings/link/accept".to_owned(),
        "POST /v1/projects/acme/peerings/link/reject".to_owned(),
        "PUT /v1/hosts/host1".to_owned(),
        "PUT /v1/hosts/host1".to_owned(),
    ];
    assert_eq!(manager.take_changes(), expected);
    let line = inlay
        .ok("host token host1 --manager manager.example:7444")
        .out;
    assert_eq!(line, "inlay agent --join one-time@manager.example:7444\n");
    let line = inlay.ok("host token host1").out;
    assert_eq!(line, "inlay agent --join one-time@127.0.0.1\n");
}

#[test]
fn all_pages_are_read() {
    let (manager, inlay) = with_network();
    inlay.ok("node create web --subnet front --count 7");
    manager.set_page(3);
    manager.take_requests();
    assert_eq!(inlay.ok("node list -o json").count(), 7);
    let tokens: Vec<_> = manager
        .take_requests()
        .iter()
        .map(|request| request.parameter("page_token").map(str::to_owned))
        .collect();
    assert_eq!(
        tokens,
        [None, Some("web-3".to_owned()), Some("web-6".to_owned())]
    );
}

#[test]
fn a_request_is_repeated_with_its_key_where_the_connection_breaks() {
    for fault in [Fault::BeforeDoing, Fault::AfterDoing, Fault::WithinTelling] {
        let (manager, inlay) = with_network();
        manager.fail_next(&[fault, fault]);
        inlay.ok("node create web --subnet front");
        let requests = manager.take_requests();
        let keys: Vec<&str> = requests
            .iter()
            .map(|request| request.header("idempotency-key"))
            .collect();
        assert_eq!(keys.len(), 3, "{fault:?}");
        assert!(
            keys.iter().all(|key| *key == keys[0] && !key.is_empty()),
            "{keys:?}"
        );
        assert!(manager.get(&format!("{NODES}/web")).is_some());
        inlay.ok("node create web2 --subnet front");
        assert_ne!(
            manager.take_requests()[0].header("idempotency-key"),
            keys[0],
            "another request has another key"
        );
    }
}

#[test]
fn attempts_are_bounded() {
    let (manager, inlay) = with_network();
    manager.fail_next(&[Fault::BeforeDoing; 10]);
    let ran = inlay.line("node list").expect(1);
    assert!(
        ran.err.contains("no answer from http://127.0.0.1"),
        "{ran:?}"
    );
    assert_eq!(manager.take_requests().len(), 4);
}

#[test]
fn a_busy_manager_is_asked_again_and_a_refusal_is_not() {
    let (manager, inlay) = with_network();
    manager.refuse_next(503, "The manager is busy", "try again");
    inlay.ok("node list");
    assert_eq!(manager.take_requests().len(), 2);
    manager.refuse_next(422, "Not valid", "");
    inlay.line("node list").expect(1);
    assert_eq!(manager.take_requests().len(), 1);
}

#[test]
fn exit_codes_say_why() {
    let (manager, inlay) = with_network();
    inlay.line("node show nope").expect(4);
    inlay
        .line("subnet create front --cidr 10.0.1.0/24")
        .expect(5);
    inlay.line("node create web --subnet nope").expect(1);
    inlay.line("node create web").expect(2);
    inlay
        .line("node create web --subnet front --type device")
        .expect(2);
    let other = Inlay::of(&manager).with("INLAY_TOKEN", "somebody");
    let ran = other.line("node list").expect(1);
    assert!(ran.err.contains("the token is nobody's"), "{ran:?}");
    assert!(!ran.err.contains("somebody"), "no token is told: {ran:?}");
    let none = Inlay::new();
    let ran = none.line("node list").expect(2);
    assert!(ran.err.contains("inlay context set"), "{ran:?}");
    let ran = Inlay::of(&manager)
        .with("INLAY_NETWORK", "")
        .run(&["node", "list"])
        .expect(2);
    assert!(ran.err.contains("which network?"), "{ran:?}");
}

#[test]
fn a_problem_names_each_field() {
    let (manager, inlay) = with_network();
    let errors = json!([
        {"field": "spec.cidr", "message": "10.0.0.1/16 has host bits set"},
        {"field": "spec.acl", "message": "there is no acl nope"},
    ]);
    manager.answer_next(422, json!({"title": "Not valid", "status": 422, "detail": "2 fields are wrong", "errors": errors}));
    let ran = inlay.line("subnet create a --cidr 10.0.0.1/16").expect(1);
    let expected = "inlay: Not valid: 2 fields are wrong\n  spec.cidr: 10.0.0.1/16 has host bits set\n  spec.acl: there is no acl nope\n";
    assert_eq!(ran.err, expected);
}

#[test]
fn hosts_that_have_not_applied_a_change_are_named() {
    let (manager, inlay) = with_network();
    manager.leave_behind("host2");
    let ran = inlay
        .line("node create web --subnet front --timeout 2s")
        .expect(6);
    assert!(ran.out.contains("web"), "it is done, and shown: {ran:?}");
    assert!(ran.err.contains("host2: it is not connected"), "{ran:?}");
    assert_eq!(manager.take_requests()[0].parameter("timeout"), Some("2s"));
    inlay.ok("node create web2 --subnet front --no-wait");
    inlay.line("node delete web").expect(6);
}

#[test]
fn a_dry_run_shows_the_plan_and_does_nothing() {
    let (manager, inlay) = with_network();
    let ran = inlay.ok("node create web --subnet front --dry-run");
    assert!(
        ran.out.contains("on host1") && ran.out.contains("host1, host2"),
        "{ran:?}"
    );
    assert_eq!(manager.get(&format!("{NODES}/web")), None);
    let plan = inlay
        .ok("node create web --subnet front --dry-run -o json")
        .json();
    assert_eq!(plan["hosts"], json!(["host1", "host2"]));
}
