//! A manager's API with a store of its own: two projects, hosts, and one object of each kind.

#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _, ready};
use inlay_api::objects::{JoinToken, Kind};
use inlay_manager::{
    http::{ConnectionLimits, RequestLimits},
    keys,
    service::{JoinTokens, Service, ServiceSettings, secret_hash},
    store::{Operation, Store, StoreError, Transaction, sqlite::SqliteStore},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    fake::FakeHosts,
    http_support::{Client, Server, runtime},
};

/// Secret of the operator's token.
pub(crate) const ADMIN: &str = "secret-of-the-operator";
/// Secret of a token that has ended.
pub(crate) const EXPIRED: &str = "secret-of-long-ago";
/// The network that the objects are in.
pub(crate) const MAIN: &str = "/v1/projects/acme/networks/main";

/// Join tokens that nobody joins with.
#[derive(Debug)]
struct Issuer;

impl JoinTokens for Issuer {
    fn issue<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<JoinToken, StoreError>> {
        let token = JoinToken {
            token: format!("join-{host}"),
            expires_at: "2126-01-01T00:00:00Z".into(),
        };
        ready(Ok(token)).boxed()
    }
}

/// The manager. Everything is gone when it is dropped.
pub(crate) struct World {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) server: Server,
    pub(crate) admin: Client,
    _directory: TempDir,
}

impl World {
    /// With the operator's token and nothing else.
    pub(crate) fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::create(&directory.path().join("inlay.db")).unwrap();
        let store = Arc::new(store);
        let runtime = runtime();
        let hosts = Arc::new(FakeHosts::default());
        let service = runtime.block_on(async {
            put_token(&*store, "operator", ADMIN, &json!({"role": "admin"})).await;
            let spec = json!({"role": "admin", "expires_at": "2001-01-01T00:00:00Z"});
            put_token(&*store, "expired", EXPIRED, &spec).await;
            let settings = ServiceSettings::new(Arc::new(Issuer));
            let opened = Service::open(store.clone(), hosts.clone(), settings);
            opened.await.unwrap()
        });
        let (requests, connections) = (RequestLimits::default(), ConnectionLimits::default());
        let server = Server::start_on(runtime, service, hosts, requests, connections);
        Self {
            store,
            admin: server.client(ADMIN),
            server,
            _directory: directory,
        }
    }

    /// With two hosts, projects `acme` and `rival`, and of each kind one object in `acme`, that is called `it`.
    pub(crate) fn furnished() -> Self {
        let world = Self::empty();
        for (kind, body) in [
            (
                "projects",
                json!({"metadata": {"name": "acme"}, "spec": {}}),
            ),
            (
                "projects",
                json!({"metadata": {"name": "rival"}, "spec": {}}),
            ),
            ("hosts", host("h1", 1)),
            ("hosts", host("h2", 2)),
        ] {
            world.admin.post(&format!("/v1/{kind}"), &body).expect(201);
        }
        for (collection, body) in [
            (
                "/v1/projects/acme/networks".to_owned(),
                network("main", "10.0.0.0/16"),
            ),
            (
                "/v1/projects/acme/networks".to_owned(),
                network("other", "10.9.0.0/16"),
            ),
            (
                "/v1/projects/rival/networks".to_owned(),
                network("main", "10.1.0.0/16"),
            ),
            (
                format!("{MAIN}/subnets"),
                named("a", &json!({"cidr": "10.0.0.0/20"})),
            ),
        ] {
            world.admin.post(&collection, &body).expect(201);
        }
        for kind in Kind::ALL {
            if let Some((collection, body)) = example(kind, "it") {
                world.admin.post(&collection, &body).expect(201);
            }
        }
        world
    }

    /// Secret of a token of a project.
    pub(crate) fn token(&self, name: &str, role: &str, project: &str) -> String {
        let body = named(name, &json!({"role": role, "project": project}));
        let made = self.admin.post("/v1/tokens", &body).expect(201);
        made.body["secret"].as_str().unwrap().to_owned()
    }

    /// A client with a token of a project.
    pub(crate) fn client(&self, role: &str, project: &str) -> Client {
        let secret = self.token(&format!("{project}-{role}"), role, project);
        self.server.client(&secret)
    }

    /// The revision of the store: it tells whether anything was changed.
    pub(crate) fn revision(&self) -> u64 {
        let revision = self.server.runtime.block_on(self.store.revision());
        revision.unwrap()
    }
}

async fn put_token(store: &dyn Store, name: &str, secret: &str, spec: &Value) {
    let object = json!({"kind": "token", "spec": spec, "status": {"hint": &secret[..4]},
        "metadata": {"name": name, "uid": format!("uid-{name}"),
            "created_at": "2001-01-01T00:00:00Z", "updated_at": "2001-01-01T00:00:00Z"}});
    let operations = vec![
        Operation::Put(
            format!("{}{name}", keys::kind(Kind::Token)),
            Bytes::from(object.to_string()),
        ),
        Operation::Put(
            keys::token(&secret_hash(secret)),
            Bytes::from(name.to_owned()),
        ),
    ];
    let transaction = Transaction {
        conditions: Vec::new(),
        operations,
    };
    store.commit(transaction).await.unwrap();
}

pub(crate) fn named(name: &str, spec: &Value) -> Value {
    json!({"metadata": {"name": name}, "spec": spec})
}

pub(crate) fn network(name: &str, cidr: &str) -> Value {
    named(name, &json!({"cidrs": [cidr]}))
}

/// A host that has room for as many nodes as tests make.
pub(crate) fn host(name: &str, number: u16) -> Value {
    let node_types = json!([{"type": "netns", "capacity": 2000}]);
    let prefix = format!("2001:db8:0:{number:x}::/64");
    named(
        name,
        &json!({"prefix": prefix, "node_types": node_types, "flows_per_port": 64}),
    )
}

/// An object of a kind in the furnished world: where it is made, and its body.
pub(crate) fn example(kind: Kind, name: &str) -> Option<(String, Value)> {
    let in_network = |spec: Value| (format!("{MAIN}/{}", kind.plural()), named(name, &spec));
    Some(match kind {
        Kind::Project => ("/v1/projects".into(), named(name, &json!({}))),
        Kind::Host => {
            // Two of them have two prefixes.
            let number = 100 + u16::from(name.as_bytes()[0]);
            ("/v1/hosts".into(), host(name, number))
        }
        Kind::Token => (
            "/v1/tokens".into(),
            named(name, &json!({"role": "reader", "project": "acme"})),
        ),
        Kind::Network => (
            "/v1/projects/acme/networks".into(),
            network(name, "10.2.0.0/16"),
        ),
        Kind::Peering => {
            // A pair of networks is peered once.
            let own = if name == "it" { "main" } else { "other" };
            (
                "/v1/projects/acme/peerings".into(),
                named(
                    name,
                    &json!({"network": own, "peer_project": "rival", "peer_network": "main"}),
                ),
            )
        }
        Kind::SecurityGroup => in_network(json!({"inbound": [
            {"protocol": "tcp", "ports": "22", "peer": "0.0.0.0/0"}]})),
        Kind::Acl => in_network(json!({"inbound": [
            {"number": 10, "action": "allow", "protocol": "all", "peer": "0.0.0.0/0"}]})),
        Kind::RouteTable => in_network(json!({"routes": [
            {"destination": "192.0.2.0/24", "target": "blackhole"}]})),
        Kind::Subnet => {
            let third = if name == "it" { 16 } else { 32 };
            in_network(json!({"cidr": format!("10.0.{third}.0/24")}))
        }
        Kind::Node => in_network(json!({"subnet": "a"})),
        Kind::Port => return None,
    })
}
