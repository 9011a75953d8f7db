//! Trust that is given, and each way in which it is not.

mod handshakes;
mod hosts;
mod joins;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use inlay_api::objects::{Host, HostSpec, Kind, Metadata, ObjectOf};
use rcgen::KeyPair;
use tempfile::TempDir;

use super::{Lifetimes, Trust, system_clock};
use crate::{
    keys,
    store::{Operation, Store, Transaction, sqlite::SqliteStore},
};

/// Trust over a store of its own, at a time that the test moves.
struct Scene {
    trust: Arc<Trust>,
    store: Arc<dyn Store>,
    now_s: Arc<AtomicI64>,
    _directory: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = SqliteStore::create(&directory.path().join("store.db")).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let now_s = Arc::new(AtomicI64::new(system_clock()()));
        let clock = {
            let now_s = Arc::clone(&now_s);
            Arc::new(move || now_s.load(Ordering::Relaxed))
        };
        let trust = Trust::open(Arc::clone(&store), Lifetimes::default(), clock).await;
        Self {
            trust: Arc::new(trust.unwrap()),
            store,
            now_s,
            _directory: directory,
        }
    }

    fn now_s(&self) -> i64 {
        self.now_s.load(Ordering::Relaxed)
    }

    fn pass(&self, seconds: i64) {
        self.now_s.fetch_add(seconds, Ordering::Relaxed);
    }

    async fn add_host(&self, name: &str, uid: &str) {
        let metadata = Metadata {
            name: name.into(),
            uid: uid.into(),
            ..Metadata::default()
        };
        let key = keys::object(Kind::Host, &metadata);
        let host: Host = ObjectOf::<HostSpec> {
            kind: None,
            metadata,
            spec: HostSpec::default(),
            status: <_>::default(),
        };
        let value = serde_json::to_vec(&host).unwrap();
        self.commit(Operation::Put(key, value.into())).await;
    }

    async fn remove_host(&self, name: &str) {
        self.commit(Operation::Delete(format!("objects/host/{name}")))
            .await;
    }

    async fn commit(&self, operation: Operation) {
        let transaction = Transaction {
            conditions: Vec::new(),
            operations: vec![operation],
        };
        self.store.commit(transaction).await.unwrap();
    }

    /// The secret of a token for a host.
    async fn secret(&self, host: &str) -> String {
        let token = self.trust.issue_join_token(host).await.unwrap().token;
        inlay_api::join_token::JoinToken::parse(&token)
            .unwrap()
            .secret
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().unwrap()
}

/// A signing request, in DER, for a key.
fn request(key: &KeyPair) -> Vec<u8> {
    let params = rcgen::CertificateParams::new(["somebody-else".to_owned()]).unwrap();
    params.serialize_request(key).unwrap().der().to_vec()
}
