//! Every operation of the OpenAPI document, tried by everybody who may not do it: without a token, with a wrong one,
//! with one that has ended, with another project's, with a reader's. What is not in the document is not in the router
//! either, so that no operation is forgotten.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

mod contract_support;
#[path = "http_support/fake.rs"]
mod fake;
mod http_support;

use contract_support::{EXPIRED, World, example};
use http_support::{Answer, Client};
use inlay_api::objects::Kind;
use serde_json::{Value, json};

/// An operation of the document, on objects of the project `acme`.
struct Operation {
    id: String,
    method: String,
    path: String,
    body: Option<Value>,
}

impl Operation {
    fn call(&self, client: &Client) -> Answer {
        client.call(&self.method, &self.path, &[], self.body.as_ref())
    }

    fn reads(&self) -> bool {
        self.method == "GET"
    }

    /// What only the operator may do, whatever the project.
    fn is_the_operators(&self) -> bool {
        let about_hosts = self.path.starts_with("/v1/hosts");
        let over_all = ["/v1/status", "/v1/events"].contains(&self.path.as_str());
        let of_projects = ["createProject", "deleteProject"].contains(&self.id.as_str());
        about_hosts || over_all || of_projects || self.id.starts_with("listAll")
    }
}

/// All that need a token.
fn operations(world: &World) -> Vec<Operation> {
    let document = world
        .server
        .client("")
        .get("/v1/openapi.json")
        .expect(200)
        .body;
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            if operation.get("security").is_none() {
                assert!(
                    ["readDocument", "readAlive", "readReady"].contains(&&*id),
                    "{id}"
                );
                continue;
            }
            operations.push(Operation {
                body: body(&id, operation),
                method: method.to_uppercase(),
                path: filled(path),
                id,
            });
        }
    }
    assert!(operations.len() > 60, "{}", operations.len());
    operations
}

fn filled(path: &str) -> String {
    let network = if path.ends_with("/networks/{network}") {
        "it"
    } else {
        "main"
    };
    let path = path.replace("{project}", "acme");
    let path = path.replace("{network}", network).replace("{name}", "it");
    if path.ends_with("/trace") {
        return format!("{path}?from=it&to=10.0.0.9");
    }
    path
}

/// A body that is right, so that nothing but the token is wrong.
fn body(id: &str, operation: &Value) -> Option<Value> {
    operation.get("requestBody")?;
    if id == "moveNode" {
        return Some(json!({}));
    }
    let (name, schema) = match id.strip_prefix("create") {
        Some(schema) => ("new", schema),
        None => ("it", id.strip_prefix("replace").unwrap()),
    };
    let of_schema = |kind: &Kind| kind.name().replace('-', "") == schema.to_lowercase();
    let kind = Kind::ALL.into_iter().find(of_schema).unwrap();
    let (_, mut body) = example(kind, name).unwrap();
    body["metadata"]["labels"] = json!({"written-by": "a test"});
    Some(body)
}

#[test]
fn without_a_valid_token_nothing_is_done() {
    let world = World::furnished();
    let revoked = world.token("revoked", "editor", "acme");
    world.admin.delete("/v1/tokens/revoked").expect(200);
    let before = world.revision();
    for operation in operations(&world) {
        for token in ["", "wrong", EXPIRED, &revoked] {
            let answer = operation.call(&world.server.client(token));
            let answer = answer.expect_problem(401);
            assert!(
                answer.header("www-authenticate").starts_with("Bearer"),
                "{}",
                operation.id
            );
        }
    }
    assert_eq!(world.revision(), before);
}

#[test]
fn another_projects_token_does_nothing_and_sees_nothing() {
    let world = World::furnished();
    let rivals = [
        world.client("editor", "rival"),
        world.client("reader", "rival"),
    ];
    let before = world.revision();
    for operation in operations(&world) {
        // The project that is asked sees a peering too, and may end it: a third one tries these below.
        if operation.path.contains("/peerings/") {
            continue;
        }
        for rival in &rivals {
            let answer = operation.call(rival);
            // Everybody may list these, and sees of them his own.
            if ["listProjects", "listTokens"].contains(&&*operation.id) {
                let answer = answer.expect(200);
                assert!(
                    answer.body["items"]
                        .as_array()
                        .is_some_and(|it| !it.is_empty())
                );
                assert!(!answer.body.to_string().contains("acme"), "{answer:?}");
                continue;
            }
            let status = if answer.status == 403 { 403 } else { 404 };
            answer.expect_problem(status);
        }
    }
    let answer = rivals[1].call("POST", "/v1/projects/acme/peerings/it/accept", &[], None);
    answer.expect_problem(403);
    assert_eq!(world.revision(), before);
}

#[test]
fn a_third_project_does_not_know_of_a_peering() {
    let world = World::furnished();
    let third = json!({"metadata": {"name": "third"}, "spec": {}});
    world.admin.post("/v1/projects", &third).expect(201);
    let third = world.client("editor", "third");
    let before = world.revision();
    let of_peerings = |operation: &Operation| operation.path.contains("/peerings/");
    let operations: Vec<_> = operations(&world).into_iter().filter(of_peerings).collect();
    assert_eq!(operations.len(), 5);
    for operation in operations {
        operation.call(&third).expect_problem(404);
    }
    assert_eq!(world.revision(), before);
}

#[test]
fn a_readers_token_reads_and_changes_nothing() {
    let world = World::furnished();
    let reader = world.client("reader", "acme");
    let before = world.revision();
    for operation in operations(&world) {
        let answer = operation.call(&reader);
        if operation.is_the_operators() || !operation.reads() {
            answer.expect_problem(403);
        } else {
            answer.expect(200);
        }
    }
    assert_eq!(world.revision(), before);
}

#[test]
fn an_editors_token_does_what_is_its_projects_and_not_the_operators() {
    let world = World::furnished();
    let editor = world.client("editor", "acme");
    for operation in operations(&world) {
        let answer = operation.call(&editor);
        if operation.is_the_operators() {
            answer.expect_problem(403);
        } else if operation.reads() {
            // The objects are there unless an operation before has deleted them.
            assert!(
                [200, 404].contains(&answer.status),
                "{}: {answer:#?}",
                operation.id
            );
        } else {
            assert_ne!(answer.status, 401, "{}", operation.id);
        }
    }
    // Its own project's quota is the operator's to change.
    let body = json!({"metadata": {"name": "acme"}, "spec": {"quota": {"networks": 1000}}});
    let answer = editor.put("/v1/projects/acme", &body);
    assert!([403, 422].contains(&answer.status), "{answer:#?}");
    let body = json!({"metadata": {"name": "more"}, "spec": {"role": "admin"}});
    editor.post("/v1/tokens", &body).expect_problem(403);
    let body =
        json!({"metadata": {"name": "more"}, "spec": {"role": "reader", "project": "rival"}});
    editor.post("/v1/tokens", &body).expect_problem(403);
}
