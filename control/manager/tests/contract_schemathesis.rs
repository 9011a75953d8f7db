//! Whatever schemathesis thinks of, from the OpenAPI document: no answer that is not in the document, no body of
//! another shape, nothing accepted that the document forbids, no server error.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

mod contract_support;
#[path = "http_support/fake.rs"]
mod fake;
mod http_support;

use std::{collections::BTreeMap, env, path::PathBuf, process::Command};

use prometheus_client::encoding::text::encode;

use contract_support::{ADMIN, World};

/// Requests of each operation and phase, at most.
const EXAMPLES_MAX: &str = "15";
/// Checks that are not made: a document cannot say that CIDRs must not overlap, so that what it allows may be wrong
/// (`positive_data_acceptance`).
const EXCLUDED: &str = "positive_data_acceptance";
/// Names that are there: most made up ones lead to 404 and no further. And that a wrong body is refused also where
/// its precondition (412) or its size (413) is.
const SETTINGS: &str = r#"
[parameters]
"path.project" = "acme"
"path.network" = "main"
"path.name" = "it"
"query.from" = "it"

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422]
"#;
/// An operation that is not tried: it finds the token that it itself uses, and everything is answered 401 from there on.
const SAWS_OFF: &str = "deleteToken";

/// The program: named by `INLAY_SCHEMATHESIS`, of the search path, or where `cargo xtask setup` puts it.
fn program() -> Option<PathBuf> {
    if let Some(named) = env::var_os("INLAY_SCHEMATHESIS") {
        return Some(named.into());
    }
    let directories = env::var_os("PATH").unwrap_or_default();
    let venv = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/venv/bin");
    env::split_paths(&directories)
        .chain([PathBuf::from(venv)])
        .map(|directory| directory.join("schemathesis"))
        .find(|program| program.is_file())
}

#[test]
fn whatever_is_asked_is_answered_as_the_document_says() {
    let Some(program) = program() else {
        println!("skipped: schemathesis: not installed; cargo xtask setup installs it");
        return;
    };
    let world = World::furnished();
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root.pem");
    std::fs::write(&root, &world.server.root_pem).unwrap();
    let base = format!("https://{}", world.server.address);
    // Read where the program runs.
    std::fs::write(directory.path().join("schemathesis.toml"), SETTINGS).unwrap();
    let output = Command::new(program)
        .current_dir(directory.path())
        .args(["run", &format!("{base}/v1/openapi.json"), "--url", &base])
        .args(["--header", &format!("Authorization: Bearer {ADMIN}")])
        .arg("--tls-verify")
        .arg(&root)
        .args(["--phases", "coverage,fuzzing"])
        .args(["--exclude-checks", EXCLUDED])
        .args(["--exclude-operation-id", SAWS_OFF])
        .args(["--max-examples", EXAMPLES_MAX])
        .args(["--seed", "1", "--generation-deterministic"])
        .args(["--no-color", "--warnings", "off"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    println!("{said}\n{errors}");
    assert!(
        output.status.success(),
        "schemathesis has found something, see above"
    );
    print_statuses(&world);
    world.server.client("").get("/healthz").expect(200);
    world.admin.get("/v1/projects").expect(200);
}

/// How many requests were answered with what: that most of them were not refused for one reason.
fn print_statuses(world: &World) {
    let mut text = String::new();
    encode(&mut text, &world.server.registry).unwrap();
    let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| line.contains("http_requests_total{"))
    {
        let (labels, count) = line.rsplit_once(' ').unwrap();
        let status = labels.split("status=\"").nth(1).unwrap();
        let status: u16 = status[..3].parse().unwrap();
        *counts.entry(status).or_default() += count.parse::<u64>().unwrap();
    }
    println!("answers by status: {counts:?}");
}
