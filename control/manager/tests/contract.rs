//! The API's contract over HTTP and TLS, with the service and a store beneath it: what every kind does, what happens
//! once, what changes nothing.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

mod contract_support;
#[path = "http_support/fake.rs"]
mod fake;
mod http_support;

use std::{collections::BTreeSet, thread};

use contract_support::{MAIN, World, example, named};
use http_support::Answer;
use inlay_api::objects::Kind;
use serde_json::{Value, json};

fn names(answer: &Answer) -> Vec<String> {
    let items = answer.body["items"].as_array().unwrap();
    let name = |item: &Value| item["metadata"]["name"].as_str().unwrap().to_owned();
    items.iter().map(name).collect()
}

#[test]
fn every_kind_is_made_read_changed_and_deleted() {
    let world = World::furnished();
    for kind in Kind::ALL {
        let Some((collection, body)) = example(kind, "new") else {
            continue;
        };
        let path = format!("{collection}/new");
        world.admin.get(&path).expect_problem(404);
        let made = world.admin.post(&collection, &body).expect(201);
        assert_eq!(made.header("location"), path);
        assert_eq!(made.body["kind"], kind.name());
        let revision = &made.body["metadata"]["revision"];
        assert_eq!(made.header("etag"), format!("\"{revision}\""));
        world.admin.post(&collection, &body).expect_problem(409);

        let read = world.admin.get(&path).expect(200);
        assert_eq!(read.header("etag"), made.header("etag"), "{kind:?}");
        assert_eq!(read.body["metadata"], made.body["metadata"]);
        assert!(read.body.get("secret").is_none());
        assert!(names(&world.admin.get(&collection).expect(200)).contains(&"new".to_owned()));

        let mut changed = read.body.clone();
        changed["metadata"]["labels"] = json!({"tier": "web"});
        let if_match = |tag| [("If-Match", tag)];
        let stale = world
            .admin
            .call("PUT", &path, &if_match("\"1\""), Some(&changed));
        stale.expect_problem(412);
        let tag = read.header("etag").to_owned();
        let put = world
            .admin
            .call("PUT", &path, &if_match(&tag), Some(&changed));
        let put = put.expect(200);
        assert_eq!(put.body["metadata"]["labels"]["tier"], "web");
        assert_ne!(put.header("etag"), tag);
        let listed = world.admin.get(&format!("{collection}?label=tier%3Dweb"));
        assert_eq!(names(&listed.expect(200)), ["new"]);

        let stale = world.admin.call("DELETE", &path, &if_match(&tag), None);
        stale.expect_problem(412);
        world.admin.delete(&path).expect(200);
        world.admin.get(&path).expect_problem(404);
        world.admin.delete(&path).expect_problem(404);
        world.admin.put(&path, &changed).expect_problem(404);
    }
}

#[test]
fn a_port_is_its_nodes() {
    let world = World::furnished();
    let port = world
        .admin
        .get(&format!("{MAIN}/ports/it"))
        .expect(200)
        .body;
    let node = world
        .admin
        .get(&format!("{MAIN}/nodes/it"))
        .expect(200)
        .body;
    assert_eq!(port["spec"]["node"], "it");
    assert_eq!(port["status"]["addresses"], node["status"]["addresses"]);
    assert_eq!(names(&world.admin.get(&format!("{MAIN}/ports"))), ["it"]);
    world
        .admin
        .delete(&format!("{MAIN}/ports/it"))
        .expect_problem(405);
}

#[test]
fn the_operator_lists_over_all_projects() {
    let world = World::furnished();
    let all = world.admin.get("/v1/networks").expect(200);
    assert_eq!(names(&all), ["it", "main", "other", "main"]);
    assert_eq!(names(&world.admin.get("/v1/nodes").expect(200)), ["it"]);
    let editor = world.client("editor", "acme");
    editor.get("/v1/networks").expect_problem(403);
}

#[test]
fn a_node_moves_and_a_host_gets_a_join_token() {
    let world = World::furnished();
    let path = format!("{MAIN}/nodes/it");
    let from = world.admin.get(&path).expect(200).body["status"]["host"].clone();
    let to = if from == "h1" { "h2" } else { "h1" };
    let moved = world
        .admin
        .post(&format!("{path}/move"), &json!({"host": to}));
    assert_eq!(moved.expect(200).body["status"]["next_host"], to);
    let wrong = world
        .admin
        .post(&format!("{path}/move"), &json!({"hots": to}));
    wrong.expect_problem(422);
    let token = world
        .admin
        .call("POST", "/v1/hosts/h1/join-token", &[], None);
    assert_eq!(token.expect(201).body["token"], "join-h1");
    let nowhere = world
        .admin
        .call("POST", "/v1/hosts/h9/join-token", &[], None);
    nowhere.expect_problem(404);
}

#[test]
fn the_project_that_is_asked_answers_a_peering() {
    let world = World::furnished();
    let (asking, asked) = (
        world.client("editor", "acme"),
        world.client("editor", "rival"),
    );
    let path = "/v1/projects/acme/peerings/it";
    let answer = |client: &http_support::Client, word: &str| {
        client.call("POST", &format!("{path}/{word}"), &[], None)
    };
    answer(&asking, "accept").expect_problem(403);
    assert_eq!(
        answer(&asked, "accept").expect(200).body["status"]["state"],
        "accepted"
    );
    assert_eq!(
        answer(&asked, "reject").expect(200).body["status"]["state"],
        "rejected"
    );
}

#[test]
fn the_same_request_is_done_once() {
    let world = World::furnished();
    let nodes = format!("{MAIN}/nodes");
    let key = [("Idempotency-Key", "4f0c")];
    let body = named("web", &json!({"subnet": "a"}));
    let make = |body: &Value| world.admin.call("POST", &nodes, &key, Some(body));
    let first = make(&body).expect(201);
    let revision = world.revision();
    let again = make(&body).expect(201);
    assert_eq!(again.body["metadata"], first.body["metadata"]);
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(world.revision(), revision);
    make(&named("web-2", &json!({"subnet": "a"}))).expect_problem(422);
    // Another token's key is another key.
    let editor = world.client("editor", "acme");
    editor
        .call("POST", &nodes, &key, Some(&body))
        .expect_problem(409);
    // Without the key it is another request.
    world.admin.post(&nodes, &body).expect_problem(409);
}

#[test]
fn what_failed_may_be_done_with_the_same_key() {
    let world = World::furnished();
    let key = [("Idempotency-Key", "k")];
    let nodes = format!("{MAIN}/nodes");
    let body = named("web", &json!({"subnet": "later"}));
    let make = || world.admin.call("POST", &nodes, &key, Some(&body));
    assert!(make().status >= 400);
    let subnet = named("later", &json!({"cidr": "10.0.64.0/24"}));
    world
        .admin
        .post(&format!("{MAIN}/subnets"), &subnet)
        .expect(201);
    make().expect(201);
}

#[test]
fn the_same_request_at_the_same_time_is_done_once() {
    let world = World::furnished();
    let body = named("web", &json!({"subnet": "a"}));
    let threads: Vec<_> = (0..12)
        .map(|_| {
            let (client, body) = (world.admin.clone(), body.clone());
            let key = [("Idempotency-Key", "at-once")];
            thread::spawn(move || {
                let path = format!("{MAIN}/nodes?count=5");
                client
                    .call("POST", &path, &key, Some(&body))
                    .expect(201)
                    .body
            })
        })
        .collect();
    let answers: Vec<_> = threads.into_iter().map(|it| it.join().unwrap()).collect();
    let uids = |answer: &Value| -> Vec<Value> {
        let items = answer["items"].as_array().unwrap();
        items
            .iter()
            .map(|it| it["metadata"]["uid"].clone())
            .collect()
    };
    assert_eq!(uids(&answers[0]).len(), 5);
    for answer in &answers {
        assert_eq!(uids(answer), uids(&answers[0]));
    }
    assert_eq!(names(&world.admin.get(&format!("{MAIN}/nodes"))).len(), 6);
}

#[test]
fn a_secret_is_shown_once() {
    let world = World::furnished();
    let key = [("Idempotency-Key", "t")];
    let body = named("mine", &json!({"role": "reader", "project": "acme"}));
    let make = || world.admin.call("POST", "/v1/tokens", &key, Some(&body));
    let secret = make().expect(201).body["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    make().expect_problem(409);
    let read = world.admin.get("/v1/tokens/mine").expect(200);
    assert!(!read.body.to_string().contains(&secret));
    world.server.client(&secret).get(MAIN).expect(200);
    world.admin.delete("/v1/tokens/mine").expect(200);
    world.server.client(&secret).get(MAIN).expect_problem(401);
}

#[test]
fn a_dry_run_changes_nothing_and_tells_what_would_be() {
    let world = World::furnished();
    let before = world.revision();
    for kind in Kind::ALL {
        let Some((collection, body)) = example(kind, "new") else {
            continue;
        };
        let plan = world
            .admin
            .post(&format!("{collection}?dry_run=true"), &body);
        let plan = plan.expect(200).body;
        assert_eq!(plan["steps"][0]["action"], "create", "{kind:?}: {plan}");
        assert_eq!(plan["steps"][0]["name"], "new");
        assert!(plan["hosts"].is_array());
        let (_, again) = example(kind, "it").unwrap();
        world
            .admin
            .post(&format!("{collection}?dry_run=true"), &again)
            .expect_problem(409);
        let there = format!("{collection}/it?dry_run=true");
        let mut changed = again;
        changed["metadata"]["labels"] = json!({"a": "b"});
        let plan = world.admin.put(&there, &changed).expect(200).body;
        assert_eq!(plan["steps"][0]["action"], "update", "{kind:?}: {plan}");
    }
    for (path, body) in [
        (
            format!("{MAIN}/nodes/it/move?dry_run=true"),
            Some(json!({})),
        ),
        (
            "/v1/projects/acme/peerings/it/accept?dry_run=true".into(),
            None,
        ),
        ("/v1/hosts/h1/join-token?dry_run=true".into(), None),
    ] {
        world
            .admin
            .call("POST", &path, &[], body.as_ref())
            .expect(200);
    }
    for path in [
        format!("{MAIN}/nodes/it"),
        "/v1/projects/acme/peerings/it".into(),
    ] {
        let plan = world
            .admin
            .delete(&format!("{path}?dry_run=true"))
            .expect(200)
            .body;
        assert_eq!(plan["steps"][0]["action"], "delete", "{plan}");
    }
    assert_eq!(world.revision(), before);
}

#[test]
fn a_list_is_read_in_pages_each_object_once() {
    let world = World::furnished();
    let nodes = format!("{MAIN}/nodes");
    let body = |name| named(name, &json!({"subnet": "a"}));
    world
        .admin
        .post(&format!("{nodes}?count=1000"), &body("many"))
        .expect(201);
    world
        .admin
        .post(&format!("{nodes}?count=100"), &body("more"))
        .expect(201);
    for limit in [1000, 300] {
        let (mut all, mut pages, mut query) = (Vec::new(), 0, format!("?limit={limit}"));
        loop {
            let page = world.admin.get(&format!("{nodes}{query}")).expect(200);
            pages += 1;
            all.extend(names(&page));
            let Some(token) = page.body["next_page_token"].as_str() else {
                break;
            };
            query = format!("?limit={limit}&page_token={token}");
        }
        assert_eq!(pages, 1101_usize.div_ceil(limit));
        assert_eq!(all.len(), 1101);
        assert!(all.is_sorted());
        assert_eq!(BTreeSet::from_iter(&all).len(), 1101);
    }
    assert_eq!(names(&world.admin.get(&nodes)).len(), 100);
    let wrong = world.admin.get(&format!("{nodes}?page_token=nonsense"));
    assert!([400, 422].contains(&wrong.status), "{wrong:?}");
    world
        .admin
        .get(&format!("{nodes}?limit=0"))
        .expect_problem(400);
}

#[test]
fn a_list_is_filtered_by_all_of_its_labels() {
    let world = World::furnished();
    let nodes = format!("{MAIN}/nodes");
    for (name, labels) in [
        ("one", json!({"tier": "web", "zone": "a"})),
        ("two", json!({"tier": "web", "zone": "b"})),
        ("three", json!({"tier": "db", "zone": "a"})),
    ] {
        let body = json!({"metadata": {"name": name, "labels": labels}, "spec": {"subnet": "a"}});
        world.admin.post(&nodes, &body).expect(201);
    }
    for (query, expected) in [
        ("?label=tier=web", &["one", "two"][..]),
        ("?label=tier=web&label=zone=a", &["one"]),
        ("?label=tier=cache", &[]),
        ("?label=zone=", &[]),
    ] {
        let listed = world.admin.get(&format!("{nodes}{query}")).expect(200);
        assert_eq!(names(&listed), expected, "{query}");
    }
}

#[test]
fn who_changed_what_is_told() {
    let world = World::furnished();
    let editor = world.client("editor", "acme");
    editor.delete(&format!("{MAIN}/nodes/it")).expect(200);
    let events = editor
        .get("/v1/projects/acme/events?limit=1000")
        .expect(200);
    let items = events.body["items"].as_array().unwrap();
    let deleted = items.iter().find(|it| it["action"] == "deleted").unwrap();
    assert_eq!(
        (&deleted["actor"], &deleted["kind"]),
        (&json!("acme-editor"), &json!("node"))
    );
    assert!(items.iter().all(|it| it["project"] == "acme"), "{events:?}");
    let all = world.admin.get("/v1/events?limit=1000").expect(200);
    assert!(all.body["items"].as_array().unwrap().len() > items.len());
    let first = world.admin.get("/v1/events?limit=1").expect(200);
    assert!(first.body["next_page_token"].is_string());
}
