//! The daemon as a whole: started, asked over TLS, stopped.

#![allow(clippy::unwrap_used)]

use std::{fs, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use inlay_api::{
    join_token::JoinToken,
    wire::agent::{JoinRequest, enrollment_client::EnrollmentClient},
};
use inlay_manager::{
    config::ManagerConfig,
    init::{Initialised, init},
    run::{Listening, run},
    store::sqlite::{Existing, backup, restore},
    trust::peer,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};
use tonic::transport::{Certificate as Root, Channel, ClientTlsConfig};
use ureq::{
    Agent,
    http::StatusCode,
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

/// For whatever must come; reached only where a test fails.
const DEADLINE: Duration = Duration::from_secs(30);

/// A manager that is initialised, in a directory that goes with it.
struct Scene {
    config: ManagerConfig,
    made: Initialised,
    _directory: TempDir,
}

/// One that runs.
struct Running {
    listening: Listening,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

fn config(directory: &TempDir) -> ManagerConfig {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    ManagerConfig {
        data_dir: directory.path().join("manager"),
        api_listen: any,
        agents_listen: any,
        metrics_listen: any,
        ..ManagerConfig::default()
    }
}

impl Scene {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let config = config(&directory);
        let made = init(&config).await.unwrap();
        Self {
            config,
            made,
            _directory: directory,
        }
    }

    async fn start(&self) -> Running {
        let (stop, stopped) = oneshot::channel::<()>();
        let config = self.config.clone();
        let task = tokio::spawn(async move { run(&config, async { drop(stopped.await) }).await });
        let file = self.config.listening();
        let listening = until(|| serde_json::from_slice(&fs::read(&file).ok()?).ok()).await;
        Running {
            listening,
            stop,
            task,
        }
    }

    /// Asks the API, as the operator.
    async fn ask(
        &self,
        running: &Running,
        method: &str,
        path: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let token = self.made.admin_token.clone();
        ask(
            &self.made.ca_pem,
            running.listening.api,
            &token,
            method,
            path,
            body,
        )
        .await
    }
}

impl Running {
    async fn stop(self) -> anyhow::Result<()> {
        self.stop.send(()).unwrap();
        timeout(DEADLINE, self.task).await.unwrap().unwrap()
    }
}

/// Tries until there is something.
async fn until<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let search = async {
        loop {
            match found() {
                Some(found) => return found,
                None => tokio::task::yield_now().await,
            }
        }
    };
    timeout(DEADLINE, search).await.unwrap()
}

fn ask(
    ca_pem: &str,
    api: SocketAddr,
    token: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> impl Future<Output = (StatusCode, Value)> + use<> {
    let roots = parse_pem(ca_pem.as_bytes()).filter_map(|item| match item.unwrap() {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let roots: Vec<Certificate<'static>> = roots.collect();
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(&roots))
        .build();
    let agent = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .timeout_global(Some(DEADLINE))
        .build()
        .new_agent();
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("https://localhost:{}{path}", api.port()))
        .header("Authorization", format!("Bearer {token}"))
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", uuid::Uuid::now_v7().to_string())
        .body(body.to_string())
        .unwrap();
    async move {
        let asked = move || {
            let mut answer = agent.run(request).unwrap();
            let body = answer.body_mut().read_to_string().unwrap();
            (
                answer.status(),
                serde_json::from_str(&body).unwrap_or(Value::Null),
            )
        };
        tokio::task::spawn_blocking(asked).await.unwrap()
    }
}

fn host(name: &str, prefix: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"prefix": prefix}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_made_and_joins() {
    let scene = Scene::new().await;
    let running = scene.start().await;
    let (status, made) = scene
        .ask(
            &running,
            "POST",
            "/v1/hosts",
            &host("host1", "2001:db8:0:1::/64"),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (status, token) = scene
        .ask(&running, "POST", "/v1/hosts/host1/join-token", &json!({}))
        .await;
    assert!(status.is_success(), "{status} {token}");
    let token = JoinToken::parse(token["token"].as_str().unwrap()).unwrap();

    let tls = ClientTlsConfig::new()
        .ca_certificate(Root::from_pem(&scene.made.ca_pem))
        .domain_name("localhost");
    let channel = Channel::from_shared(format!("https://{}", running.listening.agents))
        .unwrap()
        .tls_config(tls)
        .unwrap()
        .connect()
        .await
        .unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    let request = JoinRequest {
        secret: token.secret.clone(),
        signing_request: request.der().to_vec(),
    };
    let mut client = EnrollmentClient::new(channel);
    let joined = client.join(request.clone()).await.unwrap().into_inner();
    assert_eq!(joined.host, "host1");
    assert!(token.names_authority(&joined.authority));
    assert_eq!(peer(&joined.certificate).unwrap().host, "host1");
    client.join(request).await.unwrap_err();
    drop(client);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_is_there_after_a_restart() {
    let scene = Scene::new().await;
    let running = scene.start().await;
    let (status, _) = scene
        .ask(
            &running,
            "POST",
            "/v1/hosts",
            &host("host1", "2001:db8:0:1::/64"),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED);
    running.stop().await.unwrap();
    assert!(!scene.config.listening().exists());

    // What a killed one left is not believed.
    fs::write(scene.config.listening(), "{}").unwrap();
    fs::remove_file(scene.config.authority()).unwrap();
    let running = scene.start().await;
    assert_eq!(
        fs::read_to_string(scene.config.authority()).unwrap(),
        scene.made.ca_pem
    );
    let (status, found) = scene
        .ask(&running, "GET", "/v1/hosts/host1", &Value::Null)
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(found["spec"]["prefix"], "2001:db8:0:1::/64");
    let (ca, api) = (&scene.made.ca_pem, running.listening.api);
    let (status, _) = ask(ca, api, "inlay_0", "GET", "/v1/hosts/host1", &Value::Null).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_served() {
    let scene = Scene::new().await;
    let running = scene.start().await;
    scene.ask(&running, "GET", "/v1/hosts", &Value::Null).await;
    let url = format!("http://{}/metrics", running.listening.metrics);
    let page = move || {
        ureq::get(url)
            .call()
            .unwrap()
            .body_mut()
            .read_to_string()
            .unwrap()
    };
    let page = tokio::task::spawn_blocking(page).await.unwrap();
    for name in [
        "inlay_manager_server_certificate_ends_seconds 1",
        r#"inlay_manager_http_requests_total{route="/v1/hosts",method="GET",status="200"} 1"#,
        "inlay_manager_agents_sessions 0",
    ] {
        assert!(page.contains(name), "{name}: {page}");
    }
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_says_what_to_do() {
    let directory = TempDir::new().unwrap();
    let refused = async |config: &ManagerConfig| {
        let error = run(config, std::future::pending()).await.unwrap_err();
        format!("{error:#}")
    };
    assert!(
        refused(&config(&directory))
            .await
            .contains("inlay manager init")
    );

    let scene = Scene::new().await;
    let running = scene.start().await;
    assert!(refused(&scene.config).await.contains("another manager has"));
    // The one that was refused has taken nothing from the one that runs.
    assert!(scene.config.listening().exists());

    let other = Scene::new().await;
    let taken = ManagerConfig {
        api_listen: running.listening.api,
        ..other.config.clone()
    };
    assert!(refused(&taken).await.contains("change api_listen"));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_manager_is_restored() {
    let scene = Scene::new().await;
    let running = scene.start().await;
    scene
        .ask(
            &running,
            "POST",
            "/v1/hosts",
            &host("host1", "2001:db8:0:1::/64"),
        )
        .await;
    let copy = scene.config.data_dir.join("copy");
    backup(
        &scene.config.database(),
        &copy,
        Existing::Refuse,
        &mut |_, _| {},
    )
    .unwrap();
    let (status, _) = scene
        .ask(&running, "DELETE", "/v1/hosts/host1", &Value::Null)
        .await;
    assert!(status.is_success());
    let restored = |existing| restore(&copy, &scene.config.database(), existing, &mut |_, _| {});
    restored(Existing::Replace).unwrap_err();
    running.stop().await.unwrap();
    restored(Existing::Refuse).unwrap_err();
    restored(Existing::Replace).unwrap();
    let running = scene.start().await;
    let (status, _) = scene
        .ask(&running, "GET", "/v1/hosts/host1", &Value::Null)
        .await;
    assert_eq!(status, StatusCode::OK);
    running.stop().await.unwrap();
}
