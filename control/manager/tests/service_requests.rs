//! Who may ask, how often, on what condition; lists, plans, the audit log, tokens.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod service_support;

use std::sync::Arc;

use inlay_api::objects::{Kind, Labels, Role, Scope};
use inlay_manager::service::{
    Action, Actor, Listing, Mutation, Outcome, Service, ServiceSettings, secret_hash,
};
use inlay_manager::store::Revision;
use serde_json::{Value, json};
use service_support::*;

/// A world with one object of each kind in project `acme`.
async fn full() -> World {
    let world = World::furnished().await;
    world.made(Kind::Project, "other", &json!({})).await;
    let empty = json!({"inbound": [], "outbound": []});
    world.made(Kind::SecurityGroup, "acme/main/x", &empty).await;
    world.made(Kind::Acl, "acme/main/x", &empty).await;
    world
        .made(Kind::RouteTable, "acme/main/x", &json!({"routes": []}))
        .await;
    world
        .made(Kind::Subnet, "acme/main/x", &json!({"cidr": "10.0.9.0/24"}))
        .await;
    world
        .made(Kind::Network, "acme/x", &json!({"cidrs": ["10.2.0.0/16"]}))
        .await;
    world
        .made(Kind::Node, "acme/main/x", &json!({"subnet": "front"}))
        .await;
    let peering = json!({"network": "main", "peer_network": "x"});
    world.made(Kind::Peering, "acme/x", &peering).await;
    let token = json!({"role": "reader", "project": "acme"});
    world.made(Kind::Token, "x", &token).await;
    world
}

fn path(kind: Kind) -> &'static str {
    match kind.scope() {
        Scope::System => match kind {
            Kind::Project => "acme",
            Kind::Host => "a",
            _ => "x",
        },
        Scope::Project => "acme/x",
        Scope::Network => "acme/main/x",
    }
}

async fn status(world: &World, actor: &Actor, kind: Kind, action: Action) -> Option<u16> {
    let mut asked = mutation(kind, path(kind), action);
    asked.actor = actor.clone();
    let result = world.service.mutate(asked).await;
    result.err().map(|problem| problem.status)
}

#[tokio::test]
async fn another_projects_token_finds_nothing_and_changes_nothing() {
    let world = full().await;
    let before = world.store.revision().await.unwrap();
    for actor in [editor("other"), reader("other")] {
        for kind in Kind::ALL {
            let expected = if kind == Kind::Host { 403 } else { 404 };
            let read = world.service.read(&actor, &target(kind, path(kind))).await;
            assert_eq!(read.unwrap_err().status, expected, "read {kind:?}");
            let body = world.read(kind, path(kind)).await;
            let found = status(&world, &actor, kind, Action::Replace { body }).await;
            let expected_write = match (kind, actor.role) {
                (Kind::Token, Role::Reader) => 403,
                _ => expected,
            };
            assert_eq!(found, Some(expected_write), "replace {kind:?}");
            let found = status(&world, &actor, kind, Action::Delete).await;
            let expected = match kind {
                Kind::Project => 403,
                _ if actor.role == Role::Reader && matches!(kind, Kind::Token | Kind::Peering) => {
                    403
                }
                _ => expected,
            };
            assert_eq!(found, Some(expected), "delete {kind:?}");
            if kind.scope() == Scope::System {
                continue;
            }
            let mut list = listing(kind, "acme/main");
            list.target.name.clear();
            list.actor = actor.clone();
            let found = world.service.list(list).await;
            assert_eq!(found.unwrap_err().status, 404, "list {kind:?}");
        }
        let found = world.service.audit(&actor, Some("acme"), None, 10).await;
        assert_eq!(found.unwrap_err().status, 404);
        assert_eq!(
            world
                .service
                .audit(&actor, None, None, 10)
                .await
                .unwrap_err()
                .status,
            403
        );
    }
    assert_eq!(world.store.revision().await.unwrap(), before);
}

/// What is not there is answered in the same words as what is another's.
#[tokio::test]
async fn nobody_learns_what_another_project_has() {
    let world = full().await;
    let actor = editor("other");
    for kind in Kind::ALL {
        if kind.scope() == Scope::System {
            continue;
        }
        let there = world.service.read(&actor, &target(kind, path(kind))).await;
        let absent = path(kind).replace("acme", "nobody");
        let absent = world.service.read(&actor, &target(kind, &absent)).await;
        assert_eq!(there.unwrap_err(), absent.unwrap_err(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_reader_reads_and_an_editor_edits() {
    let world = full().await;
    for kind in Kind::ALL {
        if matches!(kind, Kind::Host) {
            continue;
        }
        for actor in [editor("acme"), reader("acme")] {
            let read = world.service.read(&actor, &target(kind, path(kind))).await;
            assert!(read.is_ok(), "{kind:?}: {read:?}");
        }
        let body = world.read(kind, path(kind)).await;
        let found = status(
            &world,
            &reader("acme"),
            kind,
            Action::Replace { body: body.clone() },
        )
        .await;
        assert_eq!(found, Some(403), "{kind:?}");
        let found = status(&world, &editor("acme"), kind, Action::Replace { body }).await;
        let expected = (kind == Kind::Port).then_some(409);
        assert_eq!(found, expected, "{kind:?}");
    }
    for (kind, expected) in [
        (Kind::Peering, None),
        (Kind::Token, None),
        (Kind::Project, Some(403)),
    ] {
        assert_eq!(
            status(&world, &editor("acme"), kind, Action::Delete).await,
            expected,
            "{kind:?}"
        );
    }
    let quota = replace(&json!({"quota": {"networks": 9}}));
    assert_eq!(
        status(&world, &editor("acme"), Kind::Project, quota).await,
        Some(403)
    );
    let described = replace(&json!({"description": "ours"}));
    assert_eq!(
        status(&world, &editor("acme"), Kind::Project, described).await,
        None
    );
}

#[tokio::test]
async fn lists_of_the_system_show_ones_own() {
    let world = full().await;
    let seen = async |actor: Actor, kind| {
        let mut listing = listing(kind, "");
        listing.actor = actor;
        let list = world.service.list(listing).await;
        list.map(|list| names(&list.items).join(" "))
    };
    assert_eq!(seen(admin(), Kind::Project).await.unwrap(), "acme other");
    assert_eq!(seen(editor("acme"), Kind::Project).await.unwrap(), "acme");
    assert_eq!(seen(reader("acme"), Kind::Token).await.unwrap(), "x");
    assert_eq!(seen(reader("other"), Kind::Token).await.unwrap(), "");
    assert_eq!(
        seen(reader("other"), Kind::Host).await.unwrap_err().status,
        403
    );
    assert_eq!(
        seen(reader("other"), Kind::Node).await.unwrap_err().status,
        403
    );
    assert_eq!(seen(admin(), Kind::Node).await.unwrap(), "x");
}

/// Not even that there is something behind the page, which would tell what names others have.
#[tokio::test]
async fn a_page_of_ones_own_tells_nothing_of_others() {
    let world = full().await;
    let spec = json!({"role": "reader", "project": "other"});
    for name in ["w", "y"] {
        world.made(Kind::Token, name, &spec).await;
    }
    let page = async |actor: Actor, kind, page_token: Option<&str>| {
        let listing = Listing {
            actor,
            limit: 1,
            page_token: page_token.map(str::to_owned),
            ..listing(kind, "")
        };
        let page = world.service.list(listing).await.unwrap();
        (names(&page.items).join(" "), page.next_page_token)
    };
    let own = |name: &str| (name.to_owned(), None);
    for (kind, name) in [(Kind::Project, "acme"), (Kind::Token, "x")] {
        assert_eq!(page(editor("acme"), kind, None).await, own(name));
        assert_eq!(page(editor("acme"), kind, Some(name)).await, own(""));
    }
    let (first, next) = page(reader("other"), Kind::Token, None).await;
    assert_eq!((&*first, next.as_deref()), ("w", Some("w")));
    let second = page(reader("other"), Kind::Token, next.as_deref()).await;
    assert_eq!(second, own("y"));
}

fn token(name: &str, actor: Actor, spec: &Value) -> Mutation {
    let mut asked = mutation(Kind::Token, name, create(spec));
    asked.actor = actor;
    asked
}

#[tokio::test]
async fn a_token_lets_in_until_it_ends_or_goes() {
    let world = full().await;
    let spec = json!({"role": "editor", "project": "acme", "expires_at": "2030-01-01T01:00:00Z"});
    let made = world.mutate(token("ci", admin(), &spec)).await.unwrap();
    let secret = made["secret"].as_str().unwrap().to_owned();
    let actor = world.service.authenticate(&secret).await.unwrap();
    assert_eq!(
        (actor.token.as_str(), actor.role, actor.project.as_deref()),
        ("ci", Role::Editor, Some("acme"))
    );
    assert!(world.service.authenticate("inlay_guess").await.is_none());
    assert!(
        world
            .service
            .authenticate(&"x".repeat(10_000))
            .await
            .is_none()
    );
    let shown = world.read(Kind::Token, "ci").await;
    assert!(!shown.to_string().contains(&secret));
    let stored = world.store.range("", "", 100_000).await.unwrap();
    let clear = stored.entries.iter().any(|entry| {
        entry.key.contains(&secret) || String::from_utf8_lossy(&entry.value).contains(&secret)
    });
    assert!(!clear, "the store has the secret");
    world.pass_s(3_600);
    assert!(world.service.authenticate(&secret).await.is_none());
    let made = world
        .mutate(token(
            "cd",
            admin(),
            &json!({"role": "reader", "project": "acme"}),
        ))
        .await;
    let secret = made.unwrap()["secret"].as_str().unwrap().to_owned();
    assert!(world.service.authenticate(&secret).await.is_some());
    world.deleted(Kind::Token, "cd").await;
    assert!(world.service.authenticate(&secret).await.is_none());
    let key = inlay_manager::keys::token(&secret_hash(&secret));
    assert_eq!(world.store.get(&key).await.unwrap(), None);
    // One of the same name does not let the old secret in.
    world
        .made(
            Kind::Token,
            "cd",
            &json!({"role": "reader", "project": "acme"}),
        )
        .await;
    assert!(world.service.authenticate(&secret).await.is_none());
}

#[tokio::test]
async fn an_editor_makes_tokens_for_its_project_only() {
    let world = full().await;
    for (name, spec, expected) in [
        ("t1", json!({"role": "reader", "project": "acme"}), None),
        ("t2", json!({"role": "editor"}), None),
        (
            "t3",
            json!({"role": "reader", "project": "other"}),
            Some("forbidden"),
        ),
        ("t4", json!({"role": "admin"}), Some("forbidden")),
    ] {
        let made = world.mutate(token(name, editor("acme"), &spec)).await;
        assert_eq!(made.as_ref().err().map(word).as_deref(), expected, "{spec}");
        if let Ok(made) = made {
            assert_eq!(made["spec"]["project"], "acme");
        }
    }
    for (spec, expected) in [
        (json!({"role": "reader"}), "spec.project"),
        (json!({"role": "reader", "project": "none"}), "spec.project"),
        (json!({"role": "admin", "project": "acme"}), "spec.project"),
        (
            json!({"role": "admin", "expires_at": "soon"}),
            "spec.expires_at",
        ),
        (
            json!({"role": "admin", "expires_at": "2029-01-01T00:00:00Z"}),
            "spec.expires_at",
        ),
        (json!({"role": "root"}), "spec.role"),
    ] {
        let refused = world.refused(Kind::Token, "t5", create(&spec)).await;
        assert_eq!(refused, ("invalid".to_owned(), expected.to_owned()));
    }
    world
        .made(Kind::Token, "root", &json!({"role": "admin"}))
        .await;
    assert_eq!(
        world.refused(Kind::Token, "root", Action::Delete).await.0,
        "conflict"
    );
    world
        .made(Kind::Token, "root2", &json!({"role": "admin"}))
        .await;
    world.deleted(Kind::Token, "root").await;
}

/// A token that ends would else last for ever by those that were made with it.
#[tokio::test]
async fn an_editors_tokens_do_not_outlive_it() {
    let world = full().await;
    let until = |day: u32| {
        let at = format!("2030-02-{day:02}T00:00:00Z");
        json!({"role": "editor", "project": "acme", "expires_at": at})
    };
    world.made(Kind::Token, "acme-editor", &until(2)).await;
    let unending = json!({"role": "reader"});
    for spec in [&unending, &until(3)] {
        let made = world.mutate(token("longer", editor("acme"), spec)).await;
        let problem = made.unwrap_err();
        assert_eq!(
            (word(&problem).as_str(), problem.status),
            ("forbidden", 403)
        );
    }
    for (name, spec) in [("shorter", until(1)), ("equal", until(2))] {
        world
            .mutate(token(name, editor("acme"), &spec))
            .await
            .unwrap();
    }
    world.made(Kind::Token, "operators", &until(3)).await;
}

#[tokio::test]
async fn a_change_on_a_condition() {
    let world = full().await;
    let revision = world.read(Kind::Subnet, "acme/main/x").await["metadata"]["revision"]
        .as_u64()
        .unwrap();
    let spec = json!({"cidr": "10.0.9.0/24", "description": "new"});
    for action in [replace(&spec), Action::Delete] {
        let mut asked = mutation(Kind::Subnet, "acme/main/x", action);
        asked.if_match = Some(revision - 1);
        let problem = world.mutate(asked).await.unwrap_err();
        assert_eq!(
            (word(&problem).as_str(), problem.status),
            ("precondition-failed", 412)
        );
    }
    let mut asked = mutation(Kind::Subnet, "acme/main/x", replace(&spec));
    asked.if_match = Some(revision);
    let changed = world.mutate(asked).await.unwrap();
    assert!(changed["metadata"]["revision"].as_u64().unwrap() > revision);
    assert_eq!(
        changed["metadata"]["uid"],
        world.read(Kind::Subnet, "acme/main/x").await["metadata"]["uid"]
    );
}

#[tokio::test]
async fn a_change_to_the_same_changes_nothing() {
    let world = full().await;
    let before = world.store.revision().await.unwrap();
    for kind in Kind::ALL {
        if kind == Kind::Port {
            continue;
        }
        let body = world.read(kind, path(kind)).await;
        let same = world
            .act(kind, path(kind), Action::Replace { body: body.clone() })
            .await;
        assert_eq!(same.unwrap(), body, "{kind:?}");
    }
    assert_eq!(world.store.revision().await.unwrap(), before);
}

#[tokio::test]
async fn the_same_request_is_done_once() {
    let world = full().await;
    let keyed = |spec: &Value| {
        let mut asked = mutation(Kind::Subnet, "acme/main/new", create(spec));
        asked.idempotency_key = Some("key 1".into());
        asked
    };
    let spec = json!({"cidr": "10.0.10.0/24"});
    let first = world.service.mutate(keyed(&spec)).await.unwrap();
    let at = world.store.revision().await.unwrap();
    assert_eq!(world.service.mutate(keyed(&spec)).await.unwrap(), first);
    assert!(matches!(&first, Outcome::Done { status: 201, .. }));
    let other = world
        .mutate(keyed(&json!({"cidr": "10.0.11.0/24"})))
        .await
        .unwrap_err();
    assert_eq!(
        (word(&other).as_str(), other.status),
        ("idempotency-mismatch", 422)
    );
    assert_eq!(world.store.revision().await.unwrap(), at);
    // The keys of each token are its own.
    let mut anothers = keyed(&spec);
    anothers.actor = editor("acme");
    assert_eq!(word(&world.mutate(anothers).await.unwrap_err()), "exists");
    // What was answered stays, though the object went.
    world.deleted(Kind::Subnet, "acme/main/new").await;
    assert_eq!(world.service.mutate(keyed(&spec)).await.unwrap(), first);
    world.pass_s(24 * 3_600 + 1);
    assert!(world.service.janitor().await.unwrap().answers > 0);
    assert_ne!(world.service.mutate(keyed(&spec)).await.unwrap(), first);
    for key in [String::new(), "x".repeat(256), "tab\t".into()] {
        let mut asked = keyed(&spec);
        asked.idempotency_key = Some(key);
        assert_eq!(
            field(&world.mutate(asked).await.unwrap_err()),
            "Idempotency-Key"
        );
    }
}

/// A repeated request that found nothing to do does not undo what somebody else has done since.
#[tokio::test]
async fn what_changed_nothing_changes_nothing_later() {
    let world = full().await;
    let put = |description: &str, key: Option<&str>| {
        let action = replace(&json!({"description": description}));
        let mut asked = mutation(Kind::Project, "acme", action);
        asked.idempotency_key = key.map(str::to_owned);
        asked
    };
    world.mutate(put("mine", None)).await.unwrap();
    let asked = put("mine", Some("lost"));
    let first = world.service.mutate(asked.clone()).await.unwrap();
    let theirs = world.mutate(put("theirs", None)).await.unwrap();
    assert_eq!(world.service.mutate(asked).await.unwrap(), first);
    assert_eq!(world.read(Kind::Project, "acme").await, theirs);
    let other = world.mutate(put("other", Some("lost"))).await.unwrap_err();
    assert_eq!(word(&other), "idempotency-mismatch");
}

#[tokio::test]
async fn many_nodes_are_made_once_under_a_key() {
    let world = full().await;
    let asked = || {
        let action = create_many(&json!({"subnet": "x"}), 150);
        let mut asked = mutation(Kind::Node, "acme/main/many", action);
        asked.idempotency_key = Some("many".into());
        asked
    };
    let first = world.mutate(asked()).await.unwrap();
    let again = world.mutate(asked()).await.unwrap();
    assert_eq!(first["items"].as_array().unwrap().len(), 150);
    assert_eq!(first, again);
}

/// A project of the same name may be somebody else's, and its tokens may have the same names.
#[tokio::test]
async fn a_project_that_is_made_again_knows_nothing_of_its_predecessor() {
    let world = World::new().await;
    let begin = async || {
        world.made(Kind::Project, "acme", &json!({})).await;
        let spec = json!({"role": "editor", "project": "acme"});
        world.made(Kind::Token, "acme-editor", &spec).await;
        let spec = json!({"cidrs": ["10.0.0.0/16"]});
        let mut asked = mutation(Kind::Network, "acme/secret", create(&spec));
        asked.actor = editor("acme");
        asked.idempotency_key = Some("1".into());
        world.mutate(asked).await.unwrap()
    };
    let log = async |actor| {
        let log = world.service.audit(&actor, Some("acme"), None, 1_000);
        log.await.unwrap().items
    };
    let first = begin().await;
    world.deleted(Kind::Network, "acme/secret").await;
    world.deleted(Kind::Token, "acme-editor").await;
    world.deleted(Kind::Project, "acme").await;
    let second = begin().await;
    assert_ne!(first["metadata"]["uid"], second["metadata"]["uid"]);
    assert_eq!(world.read(Kind::Network, "acme/secret").await, second);
    for actor in [reader("acme"), admin()] {
        let names: Vec<String> = log(actor).await.into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["acme", "acme-editor", "secret"]);
    }
    let all = world.service.audit(&admin(), None, None, 1_000).await;
    assert_eq!(all.unwrap().items.len(), 9, "the operator sees it all");
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let world = full().await;
    for (kind, path, action) in [
        (
            Kind::Token,
            "once",
            create(&json!({"role": "reader", "project": "acme"})),
        ),
        (Kind::Host, "a", Action::IssueJoinToken),
    ] {
        let mut asked = mutation(kind, path, action);
        asked.idempotency_key = Some(format!("once {path}"));
        let first = world.mutate(asked.clone()).await.unwrap();
        assert!(first["secret"].is_string() || first["token"].is_string());
        let again = world.mutate(asked).await.unwrap_err();
        assert_eq!((word(&again).as_str(), again.status), ("conflict", 409));
    }
    assert_eq!(
        world
            .refused(Kind::Host, "none", Action::IssueJoinToken)
            .await
            .0,
        "not-found"
    );
    let found = status(&world, &editor("acme"), Kind::Host, Action::IssueJoinToken).await;
    assert_eq!(found, Some(403));
}

#[tokio::test]
async fn a_plan_says_what_would_be_and_does_nothing() {
    let world = full().await;
    world
        .hosts
        .subscribers
        .lock()
        .unwrap()
        .entry(1)
        .or_default()
        .insert("c".into());
    let before = world.store.revision().await.unwrap();
    let node = mutation(
        Kind::Node,
        "acme/main/new",
        create(&json!({"subnet": "front"})),
    );
    let plan = world.plan(node.clone()).await.unwrap();
    assert_eq!(plan.steps.len(), 1);
    let detail = &plan.steps[0].detail;
    assert!(
        detail.contains("host b") && detail.contains("10.0.1.3"),
        "{detail}"
    );
    assert_eq!(plan.hosts, ["b", "c"]);
    let network = mutation(
        Kind::Network,
        "acme/new",
        create(&json!({"cidrs": ["10.0.0.0/8"]})),
    );
    let plan = world.plan(network).await.unwrap();
    let kinds: Vec<_> = plan.steps.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(kinds, ["network", "security-group", "acl"]);
    let wrong = mutation(Kind::Network, "acme/new", create(&json!({"cidrs": []})));
    assert_eq!(word(&world.plan(wrong).await.unwrap_err()), "invalid");
    let mut keyed = node.clone();
    keyed.idempotency_key = Some("plan".into());
    world.plan(keyed).await.unwrap();
    world
        .plan(mutation(Kind::Host, "a", Action::IssueJoinToken))
        .await
        .unwrap();
    assert_eq!(world.store.revision().await.unwrap(), before);
    let made = world.mutate(node).await.unwrap();
    assert_eq!(made["status"]["addresses"], json!(["10.0.1.3"]));
}

#[tokio::test]
async fn every_change_is_in_the_log_of_its_project() {
    let world = full().await;
    world.deleted(Kind::Peering, "acme/x").await;
    let mut asked = mutation(Kind::Project, "acme", replace(&json!({"description": "x"})));
    asked.actor = editor("acme");
    world.mutate(asked).await.unwrap();
    let log = world
        .service
        .audit(&reader("acme"), Some("acme"), None, 1_000)
        .await
        .unwrap();
    let lines: Vec<String> = log
        .items
        .iter()
        .map(|it| format!("{} {:?} {} {}", it.actor, it.action, it.kind, it.name))
        .collect();
    assert_eq!(lines[0], "root Created project acme");
    assert!(
        lines.contains(&"root Created token x".to_owned()),
        "{lines:?}"
    );
    assert_eq!(lines[lines.len() - 2], "root Deleted peering x");
    assert_eq!(lines[lines.len() - 1], "acme-editor Updated project acme");
    assert!(lines.iter().all(|line| !line.contains("other")));
    assert!(
        log.items
            .windows(2)
            .all(|pair| pair[0].revision < pair[1].revision)
    );
    assert!(
        log.items
            .iter()
            .all(|entry| entry.at.starts_with("2030-01-01T00:00:00"))
    );
    // Page by page it is the same.
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = world
            .service
            .audit(&admin(), Some("acme"), after.as_deref(), 3)
            .await
            .unwrap();
        paged.extend(page.items);
        after = page.next_page_token;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, log.items);
    let all = world
        .service
        .audit(&admin(), None, None, 1_000)
        .await
        .unwrap();
    assert!(all.items.len() > paged.len());
    let problem = world
        .service
        .audit(&admin(), None, Some("x"), 10)
        .await
        .unwrap_err();
    assert_eq!(field(&problem), "page_token");
}

#[tokio::test]
async fn lists_have_pages_and_filters() {
    let world = full().await;
    for nth in 0..25 {
        let tier = if nth % 5 == 0 { "web" } else { "db" };
        let body = json!({"metadata": {"labels": {"tier": tier}}, "spec": {"subnet": "front"}});
        let action = Action::Create { body, count: None };
        world
            .act(Kind::Node, &format!("acme/main/n{nth:02}"), action)
            .await
            .unwrap();
    }
    let pages = async |labels: Labels, limit| {
        let (mut found, mut page_token) = (Vec::new(), None);
        loop {
            let listing = Listing {
                labels: labels.clone(),
                limit,
                page_token: page_token.take(),
                ..listing(Kind::Node, "acme/main")
            };
            let page = world.service.list(listing).await.unwrap();
            assert!(page.items.len() <= limit);
            found.extend(page.items);
            page_token = page.next_page_token;
            if page_token.is_none() {
                return found;
            }
        }
    };
    let web = Labels::from([("tier".to_owned(), "web".to_owned())]);
    for limit in [1, 2, 5, 7, 1_000] {
        assert_eq!(pages(Labels::new(), limit).await.len(), 26, "{limit}");
        let found = pages(web.clone(), limit).await;
        assert_eq!(
            names(&found),
            ["n00", "n05", "n10", "n15", "n20"],
            "{limit}"
        );
    }
    for (limit, page_token) in [(0, None), (1_001, None), (10, Some("other/x/y"))] {
        let listing = Listing {
            limit,
            page_token: page_token.map(str::to_owned),
            ..listing(Kind::Node, "acme/main")
        };
        assert_eq!(
            word(&world.service.list(listing).await.unwrap_err()),
            "invalid"
        );
    }
    let none = world.service.list(listing(Kind::Node, "acme/none")).await;
    assert_eq!(word(&none.unwrap_err()), "not-found");
}

#[tokio::test]
async fn names_that_are_none_lead_nowhere() {
    let world = full().await;
    for path in [
        "acme/main/a%2Fb",
        "acme/main/..",
        "acme//x",
        "../main/x",
        "acme/main/A",
        "acme/main/",
    ] {
        let read = world
            .service
            .read(&admin(), &target(Kind::Node, path))
            .await;
        assert_eq!(word(&read.unwrap_err()), "not-found", "{path}");
        let refused = world.refused(Kind::Node, path, Action::Delete).await;
        assert_eq!(refused.0, "not-found", "{path}");
    }
    let body = json!({"metadata": {"name": "a/b"}, "spec": {"subnet": "front"}});
    let action = Action::Create { body, count: None };
    let refused = world.refused(Kind::Node, "acme/main", action).await;
    assert_eq!(refused, ("invalid".to_owned(), "metadata.name".to_owned()));
}

/// Who changes much does not push what others did out of the log.
#[tokio::test]
async fn a_full_log_loses_what_its_largest_project_did_first() {
    const KEPT: u64 = 40;
    let world = World::furnished().await;
    world.made(Kind::Project, "busy", &json!({})).await;
    let settings = ServiceSettings {
        audit_entries_max: KEPT,
        audit_s: u32::MAX,
        ..ServiceSettings::new(Arc::new(FakeJoinTokens::default()))
    };
    let service = Service::open(world.store.clone(), world.hosts.clone(), settings);
    let service = service.await.unwrap();
    let before = audited(&world, "acme").await;
    for nth in 0..KEPT {
        let spec = json!({"description": nth.to_string()});
        world
            .act(Kind::Project, "busy", replace(&spec))
            .await
            .unwrap();
    }
    let all = audited(&world, "busy").await;
    let swept = service.janitor().await.unwrap().audit_entries;
    assert!(swept > 0);
    assert_eq!(audited(&world, "acme").await, before);
    let left = audited(&world, "busy").await;
    assert_eq!(left, all[swept..], "the oldest went");
    assert_eq!(service.janitor().await.unwrap().audit_entries, 0);
}

/// The revisions that the log of a project tells of, the oldest first.
async fn audited(world: &World, project: &str) -> Vec<Revision> {
    let actor = admin();
    let log = world.service.audit(&actor, Some(project), None, 1_000);
    log.await
        .unwrap()
        .items
        .iter()
        .map(|entry| entry.revision)
        .collect()
}

/// One project's answers have a limit, whichever of its tokens asks, and take nobody else's room.
#[tokio::test]
async fn a_project_has_so_much_room_for_answers() {
    for (answers_max, answers_bytes_max) in [(2, u64::MAX), (u64::MAX, 1_000)] {
        let world = World::furnished().await;
        world.made(Kind::Project, "other", &json!({})).await;
        let settings = ServiceSettings {
            answers_max,
            answers_bytes_max,
            clock: Arc::new(|| "2030-01-03T00:00:00Z".parse().unwrap()),
            ..ServiceSettings::new(Arc::new(FakeJoinTokens::default()))
        };
        let service = Service::open(world.store.clone(), world.hosts.clone(), settings);
        let service = service.await.unwrap();
        let asked = |actor: Actor, project: &str, nth: usize| {
            let spec = json!({"description": format!("{nth}")});
            let mut asked = mutation(Kind::Project, project, replace(&spec));
            asked.idempotency_key = Some(format!("{project} {nth}"));
            Mutation { actor, ..asked }
        };
        for nth in 0..2 {
            let asked = asked(editor("acme"), "acme", nth);
            service.mutate(asked).await.unwrap();
        }
        let another = Actor {
            token: "acme-another".into(),
            ..editor("acme")
        };
        let refused = asked(another, "acme", 2);
        let problem = service.mutate(refused.clone()).await.unwrap_err();
        assert_eq!((word(&problem).as_str(), problem.status), ("quota", 403));
        assert!(problem.detail.contains("without an Idempotency-Key"));
        let keyless = Mutation {
            idempotency_key: None,
            ..refused.clone()
        };
        service.mutate(keyless).await.unwrap();
        // What is remembered is answered still; others have room of their own.
        let known = asked(editor("acme"), "acme", 1);
        service.mutate(known).await.unwrap();
        let others = asked(editor("other"), "other", 0);
        service.mutate(others).await.unwrap();
        service.mutate(asked(admin(), "acme", 3)).await.unwrap();
        world.pass_s(4 * 24 * 3_600);
        assert!(world.service.janitor().await.unwrap().answers >= 4);
        // Its own sweep has it see what the other one took away.
        service.janitor().await.unwrap();
        service.mutate(refused).await.unwrap();
    }
}
