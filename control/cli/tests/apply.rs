//! `inlay apply` and `inlay export`, against a server on a real socket.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

mod common;

use common::{FakeManager, Inlay, Ran};
use serde_json::json;

const NETWORK: &str = "
kind: network
metadata: {name: main}
spec: {cidrs: [10.0.0.0/16]}
---
kind: subnet
metadata: {name: front, labels: {tier: front}}
spec: {cidr: 10.0.1.0/24, route_table: out}
---
kind: node
metadata: {name: web}
spec: {subnet: front, security_groups: [web]}
count: 2
---
kind: security-group
metadata: {name: web}
spec:
  inbound:
  - {protocol: tcp, ports: '80', peer: 0.0.0.0/0}
  - {protocol: all, peer: 'group:admin'}
---
kind: security-group
metadata: {name: admin}
spec:
  inbound:
  - {protocol: all, peer: 'group:web'}
---
kind: node
metadata: {name: fw}
spec: {subnet: front, forwarding: true}
---
kind: route-table
metadata: {name: out}
spec:
  routes:
  - {destination: 0.0.0.0/0, target: 'node:fw'}
";

fn apply(inlay: &Inlay, text: &str, more: &[&str]) -> Ran {
    let file = inlay.file("network.yaml", text);
    let mut arguments = vec!["apply", "-f", &file];
    arguments.extend(more);
    inlay.run(&arguments)
}

#[test]
fn everything_is_made_in_order_also_what_refers_to_itself_in_a_circle() {
    let manager = FakeManager::start();
    let inlay = Inlay::of(&manager);
    let ran = apply(&inlay, NETWORK, &[]).expect(0);
    assert!(ran.out.contains("+ network acme/main"), "{ran:?}");
    assert!(
        ran.out.contains("8 to create, 0 to change, 0 to delete"),
        "{ran:?}"
    );
    let main = "/v1/projects/acme/networks/main";
    for path in ["subnets/front", "nodes/web-1", "nodes/web-2", "nodes/fw"] {
        assert!(manager.get(&format!("{main}/{path}")).is_some(), "{path}");
    }
    let table = manager.get(&format!("{main}/route-tables/out")).unwrap();
    assert_eq!(table["spec"]["routes"][0]["target"], "node:fw");
    let group = manager.get(&format!("{main}/security-groups/web")).unwrap();
    assert_eq!(group["spec"]["inbound"].as_array().unwrap().len(), 2);

    manager.take_requests();
    let again = apply(&inlay, NETWORK, &[]).expect(0);
    assert_eq!(again.out, "everything is as the files say\n");
    assert_eq!(manager.take_changes(), Vec::<String>::new());
}

#[test]
fn what_is_exported_is_what_is_applied() {
    let manager = FakeManager::start();
    let inlay = Inlay::of(&manager);
    apply(&inlay, NETWORK, &["--set", "lab"]).expect(0);
    let exported = inlay.ok("export").out;
    for format in [
        &["export"][..],
        &["export", "-o", "json"],
        &["export", "--network", "main"],
    ] {
        let exported = inlay.run(format).expect(0).out;
        manager.take_requests();
        let ran = inlay.run_with(&["apply", "-f", "-"], &exported).expect(0);
        assert_eq!(ran.out, "everything is as the files say\n", "{format:?}");
        assert_eq!(manager.take_changes(), Vec::<String>::new());
    }
    // Also where nothing is there yet: the default group and list come with the network, and are no surprise.
    let other = FakeManager::start();
    let elsewhere = Inlay::of(&other);
    elsewhere
        .run_with(&["apply", "-f", "-"], &exported)
        .expect(0);
    assert_eq!(elsewhere.ok("export").out, exported);
    assert_eq!(other.paths(), manager.paths());
}

#[test]
fn only_what_differs_is_shown_and_changed() {
    let manager = FakeManager::start();
    let inlay = Inlay::of(&manager);
    apply(&inlay, NETWORK, &[]).expect(0);
    manager.take_requests();
    let changed = NETWORK.replace("ports: '80'", "ports: '443'");
    let planned = apply(&inlay, &changed, &["--dry-run"]).expect(0);
    assert_eq!(manager.take_changes(), Vec::<String>::new());
    for line in [
        "~ security-group acme/main/web",
        "-     ports: '80'",
        "+     ports: '443'",
    ] {
        assert!(planned.out.contains(line), "{line}: {planned:#?}");
    }
    assert!(
        !planned.out.contains('\u{1b}'),
        "no colours where there is no terminal"
    );
    let steps = apply(&inlay, &changed, &["--dry-run", "-o", "json"])
        .expect(0)
        .json();
    assert_eq!(steps[0]["action"], "update");
    assert_eq!(steps[0]["current"]["inbound"][0]["ports"], "80");
    assert_eq!(steps.as_array().unwrap().len(), 1);
    apply(&inlay, &changed, &[]).expect(0);
    assert_eq!(
        manager.take_changes(),
        ["PUT /v1/projects/acme/networks/main/security-groups/web"]
    );
}

#[test]
fn only_what_is_of_the_set_is_pruned() {
    let manager = FakeManager::start();
    let inlay = Inlay::of(&manager);
    apply(&inlay, NETWORK, &["--set", "lab"]).expect(0);
    inlay.ok("node create mine --subnet front");
    let less = NETWORK.replace("count: 2", "count: 1");

    let kept = apply(&inlay, &less, &["--set", "lab"]).expect(0);
    assert_eq!(kept.out, "everything is as the files say\n");
    apply(&inlay, &less, &["--prune"]).expect(2);
    let refused = apply(&inlay, &less, &["--set", "lab", "--prune"]).expect(2);
    assert!(refused.err.contains("--yes"), "{refused:?}");
    let other = apply(&inlay, &less, &["--set", "other", "--prune", "--dry-run"]).expect(0);
    assert!(!other.out.contains("- node"), "{other:?}");

    manager.take_requests();
    let pruned = apply(&inlay, &less, &["--set", "lab", "--prune", "--yes"]).expect(0);
    assert!(pruned.out.contains("- node acme/main/web-2"), "{pruned:?}");
    assert_eq!(
        manager.take_changes(),
        ["DELETE /v1/projects/acme/networks/main/nodes/web-2"]
    );

    // All of it, also what refers to each other in a circle.
    inlay.ok("node delete mine");
    apply(&inlay, "", &["--set", "lab", "--prune", "--yes"]).expect(0);
    assert_eq!(manager.paths(), ["/v1/projects/acme"]);
}

#[test]
fn hosts_that_are_behind_are_waited_for_once_and_named() {
    let manager = FakeManager::start();
    let inlay = Inlay::of(&manager);
    manager.leave_behind("host2");
    let ran = apply(&inlay, NETWORK, &[]).expect(6);
    assert!(ran.err.contains("host2: it is not connected"), "{ran:?}");
    let requests = manager.take_requests();
    let waits = requests
        .iter()
        .filter(|request| request.parameter("wait").is_some());
    assert_eq!(waits.count(), 1);
    apply(&inlay, NETWORK, &[]).expect(0);
}

#[test]
fn what_was_done_before_a_failure_is_told() {
    let manager = FakeManager::start();
    let inlay = Inlay::of(&manager);
    let bad =
        format!("{NETWORK}---\nkind: node\nmetadata: {{name: lost}}\nspec: {{subnet: nope}}\n");
    let ran = apply(&inlay, &bad, &[]).expect(1);
    assert!(ran.err.contains("node acme/main/lost"), "{ran:?}");
    assert!(ran.err.contains("changes are done, and stay"), "{ran:?}");
    apply(&inlay, NETWORK, &[]).expect(0);
    assert_eq!(
        apply(&inlay, NETWORK, &[]).expect(0).out,
        "everything is as the files say\n"
    );
}

#[test]
fn a_directory_is_read_as_a_whole() {
    let manager = FakeManager::start();
    let inlay = Inlay::of(&manager);
    inlay.file(
        "all/1.yaml",
        "kind: subnet\nmetadata: {name: front}\nspec: {cidr: 10.0.1.0/24}\n",
    );
    inlay.file(
        "all/2.yml",
        "kind: network\nmetadata: {name: main}\nspec: {cidrs: [10.0.0.0/16]}\n",
    );
    inlay.file(
        "all/3.json",
        &json!({"kind": "acl", "metadata": {"name": "strict"}, "spec": {}}).to_string(),
    );
    inlay.file("all/readme.txt", "no document");
    let directory = inlay.home().join("all");
    let directory = directory.to_str().unwrap();
    let ran = inlay.run(&["apply", "-f", directory]).expect(0);
    assert!(ran.out.contains("3 to create"), "{ran:?}");
    let empty = tempfile::tempdir().unwrap();
    inlay
        .run(&["apply", "-f", empty.path().to_str().unwrap()])
        .expect(2);
    inlay.line("apply -f /nowhere.yaml").expect(1);
    let ran = apply(&inlay, "kind: nope\nmetadata: {name: a}\n", &[]).expect(2);
    assert!(
        ran.err
            .contains("network.yaml, document 1: nope is no kind"),
        "{ran:?}"
    );
}
