//! Requests over HTTP and TLS to a service that is told what to do: headers, parameters, bodies, problems, waiting.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "http_support/fake.rs"]
mod fake;
mod http_support;

use std::sync::Arc;

use fake::{Fake, FakeHosts};
use http_support::{Client, Server};
use inlay_manager::{
    http::{ConnectionLimits, RequestLimits},
    service::Action,
};
use serde_json::json;

const NODES: &str = "/v1/projects/acme/networks/main/nodes";

struct Setup {
    fake: Arc<Fake>,
    hosts: Arc<FakeHosts>,
    server: Server,
    client: Client,
}

fn setup() -> Setup {
    setup_with(FakeHosts::default())
}

fn setup_with(hosts: FakeHosts) -> Setup {
    let (fake, hosts) = (Arc::new(Fake::default()), Arc::new(hosts));
    let server = Server::start(
        fake.clone(),
        hosts.clone(),
        RequestLimits::default(),
        ConnectionLimits::default(),
    );
    let client = server.client("admin");
    Setup {
        fake,
        hosts,
        server,
        client,
    }
}

#[test]
fn who_has_no_valid_token_is_told_how_to_give_one() {
    let setup = setup();
    let none = setup.server.client("").get("/v1/hosts").expect_problem(401);
    assert_eq!(none.header("www-authenticate"), "Bearer realm=\"inlay\"");
    let wrong = setup.server.client("nobody").get("/v1/hosts");
    let wrong = wrong.expect_problem(401);
    assert!(wrong.header("www-authenticate").contains("invalid_token"));
    setup.client.get("/v1/hosts").expect(200);
}

#[test]
fn what_is_public_needs_no_token() {
    let setup = setup();
    let anyone = setup.server.client("");
    for path in ["/healthz", "/readyz", "/v1/openapi.json"] {
        anyone.get(path).expect(200);
    }
    anyone.get("/healthz?x=1").expect_problem(400);
    setup.server.ready.send(false).unwrap();
    let waiting = anyone.get("/readyz").expect_problem(503);
    assert_eq!(waiting.header("retry-after"), "1");
    anyone.get("/healthz").expect(200);
}

#[test]
fn a_path_that_is_none_and_a_method_that_is_none_are_problems() {
    let setup = setup();
    for path in [
        "/",
        "/v1",
        "/v1/hosts/",
        "/v1/nothing",
        "/v1/hosts/A",
        "/v1/hosts/a%2Fb",
    ] {
        setup.client.get(path).expect_problem(404);
    }
    let answer = setup.client.delete("/v1/hosts").expect_problem(405);
    let allowed = answer.header("allow");
    assert!(
        allowed.contains("GET") && allowed.contains("POST"),
        "{allowed}"
    );
    assert!(!allowed.contains("DELETE"), "{allowed}");
}

#[test]
fn bodies_are_json_objects_and_nothing_else() {
    let setup = setup();
    let send = |kind: &str, body: &str| {
        let headers = [("Content-Type", kind)];
        setup
            .client
            .send("POST", NODES, &headers, Some(body.into()))
    };
    let json = "application/json";
    send(json, "{}").expect(201);
    for (body, expected) in [
        ("", "empty"),
        ("{", "line 1"),
        ("[]", "no JSON object"),
        ("{\"a\":1,\"a\":2}", "\"a\" occurs twice"),
        (&"[".repeat(1000), "nested deeper"),
        ("{\"a\":\"\u{0}\"}", "control character"),
    ] {
        let answer = send(json, body).expect_problem(400);
        assert!(answer.detail().contains(expected), "{answer:?}");
    }
    send("text/plain", "{}").expect_problem(415);
    let headers = [("Content-Type", json), ("Content-Encoding", "gzip")];
    let packed = setup.client.send("POST", NODES, &headers, Some(vec![1]));
    packed.expect_problem(415);
    assert_eq!(setup.fake.done(), 1);
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let setup = setup();
    let long = "x".repeat(20_000);
    let answer = setup
        .client
        .call("GET", "/v1/hosts", &[("X-A", &long)], None);
    answer.expect_problem(431);
    let many: Vec<_> = (0..80).map(|number| format!("x-{number}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
    setup
        .client
        .call("GET", "/v1/hosts", &many, None)
        .expect_problem(431);
    setup
        .client
        .get(&format!("/v1/hosts?label={}", &long[..9_000]))
        .expect_problem(414);
    setup.client.get("/v1/hosts").expect(200);
}

#[test]
fn parameters_and_headers_reach_the_service() {
    let setup = setup();
    let headers = [("Idempotency-Key", "k-1")];
    let answer = setup.client.call(
        "POST",
        &format!("{NODES}?count=3"),
        &headers,
        Some(&json!({"spec": {}})),
    );
    let answer = answer.expect(201);
    assert_eq!(answer.header("etag"), "\"7\"");
    assert_eq!(answer.header("location"), format!("{NODES}/made"));
    let mutation = setup.fake.last();
    assert_eq!(mutation.idempotency_key.as_deref(), Some("k-1"));
    assert_eq!(mutation.target.network, "main");
    let expected = Action::Create {
        body: json!({"spec": {}}),
        count: Some(3),
    };
    assert_eq!(mutation.action, expected);
    setup.client.call(
        "DELETE",
        &format!("{NODES}/a"),
        &[("If-Match", "\"6\"")],
        None,
    );
    assert_eq!(setup.fake.last().if_match, Some(6));
    // Several tags: the one that the object has.
    setup.client.call(
        "DELETE",
        &format!("{NODES}/a"),
        &[("If-Match", "\"6\", \"7\"")],
        None,
    );
    assert_eq!(setup.fake.last().if_match, Some(7));
    setup
        .client
        .call("DELETE", &format!("{NODES}/a"), &[("If-Match", "*")], None);
    assert_eq!(setup.fake.last().if_match, None);
    // A weak tag matches no object.
    setup.client.call(
        "DELETE",
        &format!("{NODES}/a"),
        &[("If-Match", "W/\"7\"")],
        None,
    );
    assert_eq!(setup.fake.last().if_match, Some(0));
}

#[test]
fn what_is_misspelt_changes_nothing() {
    let setup = setup();
    let answer = setup
        .client
        .post(&format!("{NODES}?dryrun=true&cuont=2"), &json!({}));
    let answer = answer.expect_problem(400);
    let fields: Vec<_> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["field"])
        .collect();
    assert_eq!(fields, ["dryrun", "cuont"]);
    let headers = [("If-Match", "7")];
    setup
        .client
        .call("DELETE", &format!("{NODES}/a"), &headers, None)
        .expect_problem(400);
    let headers = [("Idempotency-Key", "a b")];
    setup
        .client
        .call("DELETE", &format!("{NODES}/a"), &headers, None)
        .expect_problem(400);
    let headers = [("If-Match", "\"7\"")];
    setup
        .client
        .call("POST", NODES, &headers, Some(&json!({})))
        .expect_problem(412);
    assert_eq!(setup.fake.done(), 0);
}

#[test]
fn a_dry_run_answers_the_plan_and_does_not_wait() {
    let setup = setup_with(FakeHosts {
        pending: Some("h9".into()),
        ..FakeHosts::default()
    });
    let answer = setup
        .client
        .post(&format!("{NODES}?dry_run=true&wait=applied"), &json!({}));
    let answer = answer.expect(200);
    assert!(answer.body["steps"].is_array());
    assert!(setup.fake.last().dry_run);
}

#[test]
fn a_wait_that_is_complete_says_so() {
    let setup = setup();
    let answer = setup
        .client
        .post(&format!("{NODES}?wait=applied"), &json!({}));
    let answer = answer.expect(201);
    assert_eq!(answer.header("inlay-applied"), "complete");
    assert!(answer.body.get("applied").is_none());
}

#[test]
fn a_wait_that_is_incomplete_names_the_hosts() {
    let setup = setup_with(FakeHosts {
        pending: Some("h9".into()),
        ..FakeHosts::default()
    });
    let path = format!("{NODES}?wait=applied&timeout=10ms");
    let answer = setup.client.post(&path, &json!({})).expect(202);
    assert_eq!(answer.header("inlay-applied"), "incomplete");
    assert_eq!(answer.body["metadata"]["name"], "made");
    assert_eq!(answer.body["applied"]["pending"][0]["host"], "h9");
    assert_eq!(setup.fake.done(), 1);
}

#[test]
fn a_mistake_of_the_manager_is_a_problem_and_its_end_is_not() {
    let setup = setup();
    let bug = format!("{NODES}/bug");
    setup.client.delete(&bug).expect_problem(500);
    setup.client.get(&bug).expect_problem(500);
    setup.client.delete(&format!("{NODES}/web")).expect(201);
}

#[test]
fn the_status_is_the_operators_to_see() {
    let setup = setup();
    let status = setup.client.get("/v1/status").expect(200).body;
    assert_eq!(
        (&status["ready"], &status["lagging"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(status["hosts"][1]["name"], "h2");
    setup
        .server
        .client("editor")
        .get("/v1/status")
        .expect_problem(403);
}

#[test]
fn a_trace_follows_the_packet_to_the_next_host() {
    let setup = setup();
    let path = "/v1/projects/acme/networks/main/trace?from=a&to=10.0.0.9&protocol=tcp&port=22";
    let trace = setup.client.get(path).expect(200).body;
    assert_eq!(trace["verdict"], "delivered");
    let steps = trace["steps"].as_array().unwrap();
    let ways: Vec<_> = steps
        .iter()
        .map(|step| (&step["host"], &step["direction"]))
        .collect();
    assert_eq!(
        ways,
        [
            (&json!("h1"), &json!("outbound")),
            (&json!("h2"), &json!("inbound"))
        ]
    );
    assert_eq!(setup.hosts.asked.lock().unwrap().len(), 2);
    setup
        .client
        .get("/v1/projects/acme/networks/main/trace?from=a")
        .expect_problem(400);
}

#[test]
fn a_trace_says_where_it_ends_for_a_host_is_away() {
    let setup = setup_with(FakeHosts {
        pending: Some("h2".into()),
        ..FakeHosts::default()
    });
    let path = "/v1/projects/acme/networks/main/trace?from=a&to=10.0.0.9";
    let trace = setup.client.get(path).expect(200).body;
    assert_eq!(trace["verdict"], "unknown");
    assert_eq!(trace["steps"].as_array().unwrap().len(), 1);
    assert!(
        trace["reason"]
            .as_str()
            .unwrap()
            .contains("h2 is not connected")
    );
}

#[test]
fn the_checked_in_document_is_the_served_one() {
    let setup = setup();
    let served = setup
        .server
        .client("")
        .get("/v1/openapi.json")
        .expect(200)
        .body;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let checked_in = std::fs::read_to_string(path).unwrap();
    assert!(
        checked_in == inlay_manager::http::document_text(),
        "openapi.json is not what the code says; make it again: \
         cargo run -p inlay-manager --example openapi > control/manager/openapi.json"
    );
    let checked_in: serde_json::Value = serde_json::from_str(&checked_in).unwrap();
    assert_eq!(served, checked_in);
    assert_eq!(served["openapi"], "3.1.0");
}
