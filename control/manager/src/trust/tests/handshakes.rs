//! What TLS lets through: the manager's listener, and those who connect to it.

use std::sync::Arc;

use rcgen::KeyPair;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::net::TcpListener;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_stream::StreamExt as _;

use super::{Scene, new_key, request};
use crate::trust::{Authority, ServerCertificate, agents_server_config, incoming, peer};

/// A chain and the key of its first.
type Shown = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}

/// A host's certificate by `authority`, made at `now_s`.
fn host(authority: &Authority, now_s: i64) -> Shown {
    let key = new_key();
    let issued = authority.sign_host(&request(&key), "host1", "uid-1", now_s, 3600);
    (vec![issued.unwrap().certificate_der.into()], private(&key))
}

fn server(authority: &Authority, now_s: i64) -> Shown {
    let names = [
        "manager.example".to_owned(),
        "192.0.2.1".to_owned(),
        "2001:db8::1".to_owned(),
    ];
    let ServerCertificate { chain, key, .. } = authority.issue_server(&names, now_s).unwrap();
    (chain, key)
}

fn server_config(authority: &Authority, (chain, key): Shown) -> Arc<rustls::ServerConfig> {
    let key = CertifiedKey::from_der(chain, key, &ring::default_provider()).unwrap();
    let resolver = Arc::new(SingleCertAndKey::from(key));
    Arc::new(agents_server_config(authority.certificate_der(), resolver).unwrap())
}

fn connector(trusted: &Authority, shown: Option<Shown>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.certificate_der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match shown {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// Whether the server took the client, and the certificate that it saw.
async fn server_sees(
    authority: &Authority,
    now_s: i64,
    shown: Option<Shown>,
) -> Result<Option<Vec<u8>>, String> {
    let acceptor = TlsAcceptor::from(server_config(authority, server(authority, now_s)));
    let (near, far) = tokio::io::duplex(1 << 16);
    let name = ServerName::try_from("manager.example").unwrap();
    let connector = connector(authority, shown);
    let (accepted, _connected) = tokio::join!(acceptor.accept(near), connector.connect(name, far));
    let accepted = accepted.map_err(|error| error.to_string())?;
    let certificates = accepted.get_ref().1.peer_certificates();
    Ok(certificates.map(|chain| chain[0].to_vec()))
}

/// Whether a client that trusts `trusted` takes a server.
async fn client_takes(
    trusted: &Authority,
    authority: &Authority,
    shown: Shown,
    name: &'static str,
) -> Result<(), String> {
    let acceptor = TlsAcceptor::from(server_config(authority, shown));
    let (near, far) = tokio::io::duplex(1 << 16);
    let name = ServerName::try_from(name).unwrap();
    let connector = connector(trusted, None);
    let (_accepted, connected) = tokio::join!(acceptor.accept(near), connector.connect(name, far));
    connected.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_manager_takes_its_hosts_and_those_that_join() {
    let scene = Scene::new().await;
    let (authority, now_s) = (scene.trust.authority(), scene.now_s());
    assert_eq!(server_sees(authority, now_s, None).await, Ok(None));
    let shown = host(authority, now_s);
    let expected = shown.0[0].to_vec();
    assert_eq!(
        server_sees(authority, now_s, Some(shown)).await,
        Ok(Some(expected))
    );
}

#[tokio::test]
async fn the_manager_takes_nobody_elses_certificates() {
    let scene = Scene::new().await;
    let other = Scene::new().await;
    let (authority, now_s) = (scene.trust.authority(), scene.now_s());
    for (what, shown, reason) in [
        (
            "another CA's",
            host(other.trust.authority(), now_s),
            "UnknownIssuer",
        ),
        (
            "one that has ended",
            host(authority, now_s - 3601),
            "expired",
        ),
        ("a server's", server(authority, now_s), "extended key usage"),
    ] {
        let refused = server_sees(authority, now_s, Some(shown))
            .await
            .unwrap_err();
        assert!(refused.contains(reason), "{what}: {refused}");
    }
}

/// Certificates hold from 15 minutes before they were made.
#[tokio::test]
async fn clocks_may_differ_by_a_quarter_of_an_hour() {
    let scene = Scene::new().await;
    let (authority, now_s) = (scene.trust.authority(), scene.now_s());
    let ahead = async |seconds: i64| {
        let by_host = server_sees(authority, now_s, Some(host(authority, now_s + seconds))).await;
        let by_server = server(authority, now_s + seconds);
        let by_server = client_takes(authority, authority, by_server, "manager.example").await;
        (by_host.is_ok(), by_server.is_ok())
    };
    assert_eq!(ahead(14 * 60).await, (true, true));
    assert_eq!(ahead(16 * 60).await, (false, false));
}

#[tokio::test]
async fn clients_take_the_manager_by_its_names_alone() {
    let scene = Scene::new().await;
    let other = Scene::new().await;
    let (authority, now_s) = (scene.trust.authority(), scene.now_s());
    let shown = || server(authority, now_s);
    for name in ["manager.example", "192.0.2.1", "2001:db8::1"] {
        client_takes(authority, authority, shown(), name)
            .await
            .unwrap();
    }
    for name in ["other.example", "192.0.2.2"] {
        client_takes(authority, authority, shown(), name)
            .await
            .unwrap_err();
    }
    let trusted = other.trust.authority();
    client_takes(trusted, authority, shown(), "manager.example")
        .await
        .unwrap_err();
    // A host cannot pass for the manager.
    let refused = client_takes(
        authority,
        authority,
        host(authority, now_s),
        "manager.example",
    )
    .await;
    refused.unwrap_err();
}

#[tokio::test]
async fn servers_are_named_by_what_can_be_a_name() {
    let scene = Scene::new().await;
    for name in ["", "two words", "-", "a..b", "ümlaut"] {
        let refused = scene
            .trust
            .authority()
            .issue_server(&[name.to_owned()], scene.now_s());
        assert!(refused.is_err(), "{name}");
    }
    let made = scene
        .trust
        .authority()
        .issue_server(&["localhost".into()], scene.now_s())
        .unwrap();
    assert_eq!(made.chain[1], *scene.trust.authority().certificate_der());
    assert_eq!(made.ends_s, scene.now_s() + 30 * 24 * 3600);
    assert_eq!(made.renew_s, scene.now_s() + 20 * 24 * 3600);
}

/// One that says nothing holds nobody up.
#[tokio::test]
async fn the_listener_gives_connections_whose_handshake_is_done() {
    let scene = Scene::new().await;
    let (authority, now_s) = (scene.trust.authority(), scene.now_s());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut connections = incoming(listener, server_config(authority, server(authority, now_s)));
    let _silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let connect = async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("manager.example").unwrap();
        connector(authority, Some(host(authority, now_s)))
            .connect(name, stream)
            .await
            .unwrap()
    };
    let (connection, _client) = tokio::join!(connections.next(), connect);
    let connection = connection.unwrap().unwrap();
    let shown = connection.get_ref().1.peer_certificates().unwrap();
    assert_eq!(peer(&shown[0]).unwrap().host, "host1");
    drop(connections);
    // The port is free once the listener has noticed.
    let freed = async {
        while TcpListener::bind(address).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), freed)
        .await
        .unwrap();
}
