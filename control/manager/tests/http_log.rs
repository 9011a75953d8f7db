//! What the log has of a request: one event, with what it was about and who asked, and no secret.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "http_support/fake.rs"]
mod fake;
mod http_support;

use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex},
};

use fake::{Fake, FakeHosts};
use http_support::Server;
use inlay_manager::http::{ConnectionLimits, RequestLimits};
use serde_json::json;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Keeps every event of this crate as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("inlay")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(event.metadata().level().to_string());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

#[test]
fn a_request_is_told_once_and_without_secrets() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let server = Server::start(
        Arc::new(Fake::default()),
        Arc::new(FakeHosts::default()),
        RequestLimits::default(),
        ConnectionLimits::default(),
    );
    let path = "/v1/projects/acme/networks/main/nodes";
    let body = json!({"spec": {"description": "in the body"}});
    server.client("editor").post(path, &body).expect(201);
    server.client("s3cret").post(path, &body).expect(401);
    let all = log.0.lock().unwrap().clone();
    let is_request = |line: &&String| line.contains("message=request");
    let requests: Vec<_> = all.iter().filter(is_request).collect();
    assert_eq!(requests.len(), 2, "{all:#?}");
    for part in [
        Level::INFO.as_str(),
        "method=\"POST\"",
        "route=\"/v1/projects/{project}/networks/{network}/nodes\"",
        "status=201",
        "duration_ms=",
        "token=\"token-of-editor\"",
    ] {
        assert!(requests[0].contains(part), "{part}: {}", requests[0]);
    }
    assert!(requests[1].contains("status=401 "), "{}", requests[1]);
    for secret in ["s3cret", "Bearer", "in the body"] {
        assert!(!all.concat().contains(secret), "{secret}: {all:#?}");
    }
}
