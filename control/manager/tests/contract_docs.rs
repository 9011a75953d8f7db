//! The lines that docs/api.md tells clients to type, typed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

mod contract_support;
#[path = "http_support/fake.rs"]
mod fake;
mod http_support;

use std::process::Command;

use contract_support::{ADMIN, World, host, named};
use serde_json::{Value, json};

/// The shell lines of a page, those of all blocks after each other.
fn shell_lines(page: &str) -> String {
    let blocks = page.split("```sh\n").skip(1);
    let lines = blocks.map(|rest| rest.split("```").next().unwrap());
    lines.collect()
}

#[test]
fn the_lines_of_the_page_do_what_they_say() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: lines of docs/api.md: curl is not installed");
        return;
    }
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md");
    let lines = shell_lines(&std::fs::read_to_string(page).unwrap());
    assert_eq!(lines.matches("$MANAGER").count(), 8, "{lines}");
    let world = World::empty();
    world
        .admin
        .post("/v1/projects", &named("acme", &json!({})))
        .expect(201);
    world.admin.post("/v1/hosts", &host("h1", 1)).expect(201);
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ca.pem"), &world.server.root_pem).unwrap();
    // A line that is refused fails, and with it the script.
    let script = lines.replace("curl --silent", "curl --fail-with-body --silent");
    let output = Command::new("sh")
        .args(["-eu", "-c", &script])
        .current_dir(directory.path())
        .env("MANAGER", format!("https://{}", world.server.address))
        .env("TOKEN", ADMIN)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let answers = serde_json::Deserializer::from_str(&said).into_iter::<Value>();
    let answers: Vec<Value> = answers.map(Result::unwrap).collect();
    assert_eq!(answers.len(), 8, "{said}");
    assert_eq!(answers[3]["metadata"]["name"], "web");
    let steps = answers[5]["steps"].as_array().unwrap();
    assert_eq!(steps[2]["name"], "db-3", "{steps:?}");
    assert_eq!(answers[6]["spec"]["forwarding"], true);
}
