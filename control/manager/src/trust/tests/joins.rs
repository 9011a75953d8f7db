//! Join tokens: good for one host, once, for a while.

use std::sync::Arc;

use inlay_api::join_token::JoinToken;

use super::{Scene, new_key, request};
use crate::trust::{Standing, TokenFault, TrustError, hash, peer};

fn fault<T>(result: Result<T, TrustError>) -> TokenFault {
    match result {
        Err(TrustError::JoinToken(fault)) => fault,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was taken"),
    }
}

#[tokio::test]
async fn a_host_joins_with_its_token() {
    let scene = Scene::new().await;
    scene.add_host("host1", "uid-1").await;
    let issued = scene.trust.issue_join_token("host1").await.unwrap();
    let token = JoinToken::parse(&issued.token).unwrap();
    assert!(token.names_authority(scene.trust.authority().certificate_der()));
    let expires_at: jiff::Timestamp = issued.expires_at.parse().unwrap();
    assert_eq!(expires_at.as_second(), scene.now_s() + 3600);

    let joined = scene
        .trust
        .join(&token.secret, &request(&new_key()))
        .await
        .unwrap();
    assert_eq!(joined.host, "host1");
    assert_eq!(
        joined.authority_der,
        scene.trust.authority().certificate_der().to_vec()
    );
    let certificate = peer(&joined.issued.certificate_der).unwrap();
    assert_eq!((&*certificate.host, &*certificate.uid), ("host1", "uid-1"));
    assert_eq!(certificate.serial, joined.issued.serial);
    assert_eq!(certificate.ends_s, joined.issued.ends_s);
    assert_eq!(certificate.ends_s, scene.now_s() + 7 * 24 * 3600);
    assert_eq!(
        scene.trust.standing(&certificate).await.unwrap(),
        Standing::Current
    );
}

#[tokio::test]
async fn the_store_has_no_secret() {
    let scene = Scene::new().await;
    scene.add_host("host1", "uid-1").await;
    let secret = scene.secret("host1").await;
    let page = scene.store.range("joins/", "", 9).await.unwrap();
    assert_eq!(&*page.entries[0].key, format!("joins/{}", hash(&secret)));
    let value = String::from_utf8(page.entries[0].value.to_vec()).unwrap();
    assert!(!value.contains(&secret));
}

#[tokio::test]
async fn a_token_is_for_a_host_that_is_there() {
    let scene = Scene::new().await;
    let refused = scene.trust.issue_join_token("host1").await;
    assert!(matches!(refused, Err(TrustError::NoHost(host)) if host == "host1"));
}

/// What is told outside is the same for all of them.
#[tokio::test]
async fn tokens_are_refused_and_it_is_not_said_why() {
    let scene = Scene::new().await;
    scene.add_host("host1", "uid-1").await;
    let asked = request(&new_key());
    let mut texts = Vec::new();
    let mut refused = async |secret: &str| {
        let error = scene.trust.join(secret, &asked).await.unwrap_err();
        texts.push(error.to_string());
        fault::<()>(Err(error))
    };
    assert_eq!(refused("").await, TokenFault::Unknown);
    assert_eq!(refused(&"0".repeat(32)).await, TokenFault::Unknown);

    let secret = scene.secret("host1").await;
    scene.trust.join(&secret, &asked).await.unwrap();
    assert_eq!(refused(&secret).await, TokenFault::Replayed);

    let secret = scene.secret("host1").await;
    scene.pass(3599);
    let other = scene.secret("host1").await;
    scene.trust.join(&other, &asked).await.unwrap();
    scene.pass(1);
    assert_eq!(refused(&secret).await, TokenFault::Expired);

    let secret = scene.secret("host1").await;
    scene.add_host("host1", "uid-2").await;
    assert_eq!(refused(&secret).await, TokenFault::HostGone);
    let secret = scene.secret("host1").await;
    scene.remove_host("host1").await;
    assert_eq!(refused(&secret).await, TokenFault::HostGone);

    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test]
async fn a_request_that_is_refused_costs_no_token() {
    let scene = Scene::new().await;
    scene.add_host("host1", "uid-1").await;
    let secret = scene.secret("host1").await;
    let refused = scene.trust.join(&secret, b"no request").await;
    assert!(
        matches!(refused, Err(TrustError::SigningRequest(_))),
        "{refused:?}"
    );
    scene
        .trust
        .join(&secret, &request(&new_key()))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_gets_in_with_a_token() {
    let scene = Scene::new().await;
    scene.add_host("host1", "uid-1").await;
    for _ in 0..5 {
        let secret: Arc<str> = scene.secret("host1").await.into();
        let tries: Vec<_> = (0..16)
            .map(|_| {
                let (trust, secret) = (Arc::clone(&scene.trust), Arc::clone(&secret));
                tokio::spawn(async move { trust.join(&secret, &request(&new_key())).await })
            })
            .collect();
        let mut joined = Vec::new();
        for done in tries {
            match done.await.unwrap() {
                Ok(won) => joined.push(won),
                Err(error) => assert_eq!(fault::<()>(Err(error)), TokenFault::Replayed),
            }
        }
        assert_eq!(joined.len(), 1);
        let certificate = peer(&joined[0].issued.certificate_der).unwrap();
        assert_eq!(
            scene.trust.standing(&certificate).await.unwrap(),
            Standing::Current
        );
    }
}

#[tokio::test]
async fn tokens_that_have_expired_are_swept() {
    let scene = Scene::new().await;
    scene.add_host("host1", "uid-1").await;
    let used = scene.secret("host1").await;
    scene.trust.join(&used, &request(&new_key())).await.unwrap();
    scene.secret("host1").await;
    scene.pass(3000);
    let good = scene.secret("host1").await;
    scene.trust.sweep_join_tokens().await.unwrap();
    assert_eq!(
        scene
            .store
            .range("joins/", "", 9)
            .await
            .unwrap()
            .entries
            .len(),
        3
    );
    scene.pass(600);
    scene.trust.sweep_join_tokens().await.unwrap();
    let page = scene.store.range("joins/", "", 9).await.unwrap();
    assert_eq!(page.entries.len(), 1);
    assert_eq!(
        fault(scene.trust.join(&used, &request(&new_key())).await),
        TokenFault::Unknown
    );
    scene.trust.join(&good, &request(&new_key())).await.unwrap();
}
