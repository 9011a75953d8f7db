//! Contexts, and TLS to the manager that they name.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

mod common;

use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

use common::{FakeManager, Inlay, TOKEN};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            issuer: Issuer::new(parameters, key),
        }
    }

    fn server(&self) -> FakeManager {
        self.server_at("127.0.0.1:0")
    }

    fn server_at(&self, address: &str) -> FakeManager {
        let key = KeyPair::generate().unwrap();
        let parameters =
            CertificateParams::new(vec!["127.0.0.1".to_owned(), "::1".to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        let secret = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], secret)
            .unwrap();
        FakeManager::start_tls(address, Arc::new(config))
    }
}

fn set(inlay: &Inlay, name: &str, server: &str, ca: &str, more: &[&str]) -> common::Ran {
    let ca = inlay.file("ca.pem", ca);
    let mut arguments = vec!["context", "set", name, "--server", server, "--ca", &ca];
    arguments.extend(["--token-file", "-"]);
    arguments.extend(more);
    inlay.run_with(&arguments, &format!("{TOKEN}\n"))
}

#[test]
fn a_manager_of_the_contexts_ca_is_trusted_and_no_other() {
    let (authority, other) = (Authority::new(), Authority::new());
    let manager = authority.server();
    let inlay = Inlay::new();
    set(
        &inlay,
        "lab",
        &manager.server(),
        &authority.pem,
        &["--project", "acme"],
    )
    .expect(0);
    inlay.ok("network create main --cidr 10.0.0.0/16");
    assert!(inlay.ok("network list").out.contains("10.0.0.0/16"));

    manager.take_requests();
    set(
        &inlay,
        "wrong",
        &manager.server(),
        &other.pem,
        &["--project", "acme"],
    )
    .expect(0);
    let ran = inlay.line("--context wrong network list").expect(1);
    assert!(ran.err.contains("not of the context's CA"), "{ran:?}");
    assert_eq!(
        manager.take_requests().len(),
        0,
        "no token is sent to a server that is not trusted"
    );
    inlay.ok("--context lab network list");
    inlay.line("--context nope network list").expect(2);
}

#[test]
fn a_server_may_be_an_ipv6_address() {
    let authority = Authority::new();
    let manager = authority.server_at("[::1]:0");
    let inlay = Inlay::new();
    set(&inlay, "lab", &manager.server(), &authority.pem, &[]).expect(0);
    inlay.ok("project list");
    assert_eq!(inlay.ok("host list -o json").count(), 0);
}

#[test]
fn the_file_is_private_and_no_view_shows_the_token() {
    let authority = Authority::new();
    let inlay = Inlay::new();
    set(
        &inlay,
        "lab",
        "https://manager.example:7443",
        &authority.pem,
        &[],
    )
    .expect(0);
    set(
        &inlay,
        "prod",
        "https://manager.example:7444",
        &authority.pem,
        &[],
    )
    .expect(0);
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(inlay.config()), 0o600);
    for line in [
        "context list",
        "context show",
        "context show prod -o json",
        "context list -o yaml",
    ] {
        let ran = inlay.ok(line);
        assert!(
            !ran.out.contains(TOKEN) && ran.out.contains("manager.example"),
            "{ran:?}"
        );
    }
    assert_eq!(
        inlay.ok("context list -o json").json()[0]["current"],
        true,
        "the first is the current one"
    );
    inlay.ok("context use prod");
    assert_eq!(inlay.ok("context show -o json").json()[0]["name"], "prod");
    inlay.ok("context delete prod");
    inlay.line("context show").expect(2);
    inlay.line("context use prod").expect(2);

    std::fs::set_permissions(inlay.config(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let ran = inlay.line("context list").expect(2);
    assert!(ran.err.contains("chmod 600"), "{ran:?}");
}

#[test]
fn what_cannot_connect_is_not_kept() {
    let authority = Authority::new();
    let inlay = Inlay::new();
    let ca = inlay.file("ca.pem", &authority.pem);
    let token = inlay.file("token", TOKEN);
    let server = "https://manager.example:7443";
    for arguments in [
        &["--server", server, "--token-file", &token][..],
        &["--server", server, "--ca", &ca],
        &["--ca", &ca, "--token-file", &token],
        &[
            "--server",
            "http://manager.example",
            "--ca",
            &ca,
            "--token-file",
            &token,
        ],
        &["--server", server, "--ca", &token, "--token-file", &token],
        &["--token", TOKEN],
    ] {
        let arguments = [&["context", "set", "lab"], arguments].concat();
        inlay.run(&arguments).expect(2);
    }
    assert!(!inlay.config().exists());
}

#[test]
fn a_token_is_not_sent_to_another_server_than_it_was_given_for() {
    let authority = Authority::new();
    let manager = FakeManager::start();
    let inlay = Inlay::new();
    set(
        &inlay,
        "lab",
        "https://manager.example:7443",
        &authority.pem,
        &[],
    )
    .expect(0);
    let ran = inlay
        .run(&["context", "set", "lab", "--server", &manager.server()])
        .expect(2);
    assert!(ran.err.contains("another server's"), "{ran:?}");
    let inlay = inlay.with("INLAY_SERVER", &manager.server());
    let ran = inlay.line("project list").expect(2);
    assert!(ran.err.contains("INLAY_TOKEN"), "{ran:?}");
    assert_eq!(manager.take_requests().len(), 0);
    inlay.with("INLAY_TOKEN", TOKEN).ok("project list");
}

#[test]
fn the_context_says_project_and_network_where_nothing_else_does() {
    let manager = FakeManager::start();
    let inlay = Inlay::new();
    let server = manager.server();
    let arguments = [
        "context",
        "set",
        "lab",
        "--server",
        &server,
        "--token-file",
        "-",
        "--project",
        "acme",
    ];
    inlay.run_with(&arguments, TOKEN).expect(0);
    inlay.line("subnet list").expect(2);
    inlay.ok("network create main --cidr 10.0.0.0/16");
    inlay.ok("context set lab --network main");
    inlay.ok("subnet create front --cidr 10.0.1.0/24");
    assert!(
        manager
            .get("/v1/projects/acme/networks/main/subnets/front")
            .is_some()
    );
    inlay.line("subnet list --network other").expect(4);
    let other = inlay.with("INLAY_PROJECT", "other");
    other.line("subnet list").expect(4);
    other.ok("subnet list --project acme");
}
