//! Certificates of hosts: who gets one, and until when it counts.

use rcgen::KeyPair;

use super::{Scene, new_key, request};
use crate::{
    store::Operation,
    trust::{
        HostCertificate, Lifetimes, PeerFault, Standing, Trust, TrustError, peer, system_clock,
    },
};

async fn join(scene: &Scene, host: &str) -> HostCertificate {
    let secret = scene.secret(host).await;
    let joined = scene
        .trust
        .join(&secret, &request(&new_key()))
        .await
        .unwrap();
    peer(&joined.issued.certificate_der).unwrap()
}

async fn renew(scene: &Scene, certificate: &HostCertificate) -> HostCertificate {
    let issued = scene
        .trust
        .renew(certificate, &request(&new_key()))
        .await
        .unwrap();
    peer(&issued.certificate_der).unwrap()
}

async fn standing(scene: &Scene, certificate: &HostCertificate) -> Standing {
    scene.trust.standing(certificate).await.unwrap()
}

#[tokio::test]
async fn the_authority_is_made_once() {
    let scene = Scene::new().await;
    let again = Trust::open(scene.store.clone(), Lifetimes::default(), system_clock()).await;
    let again = again.unwrap();
    let (one, other) = (scene.trust.authority(), again.authority());
    assert_eq!(one.certificate_der(), other.certificate_der());
    assert_eq!(one.fingerprint(), other.fingerprint());
    assert!(
        one.certificate_pem()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
    assert!(!format!("{:?}", scene.trust).contains("PRIVATE"));
    assert_ne!(
        one.fingerprint(),
        Scene::new().await.trust.authority().fingerprint()
    );
}

#[tokio::test]
async fn an_authority_that_cannot_be_read_is_not_replaced() {
    let scene = Scene::new().await;
    scene
        .commit(Operation::Put("trust/authority".into(), "{}".into()))
        .await;
    let refused = Trust::open(scene.store.clone(), Lifetimes::default(), system_clock()).await;
    assert!(matches!(refused, Err(TrustError::Authority(_))));
    let entry = scene.store.get("trust/authority").await.unwrap().unwrap();
    assert_eq!(entry.value, "{}");
}

#[tokio::test]
async fn a_removed_host_is_refused_at_once() {
    let scene = Scene::new().await;
    scene.add_host("host1", "uid-1").await;
    scene.add_host("host2", "uid-2").await;
    let (one, two) = (join(&scene, "host1").await, join(&scene, "host2").await);
    scene.remove_host("host1").await;
    assert_eq!(standing(&scene, &one).await, Standing::Removed);
    assert_eq!(standing(&scene, &two).await, Standing::Current);
    let refused = scene.trust.renew(&one, &request(&new_key())).await;
    assert!(matches!(
        refused,
        Err(TrustError::NotCurrent {
            standing: Standing::Removed,
            ..
        })
    ));
}

#[tokio::test]
async fn a_host_that_is_made_again_has_to_join_again() {
    let scene = Scene::new().await;
    scene.add_host("host1", "uid-1").await;
    let before = join(&scene, "host1").await;
    scene.add_host("host1", "uid-2").await;
    assert_eq!(standing(&scene, &before).await, Standing::MadeAgain);
    let after = join(&scene, "host1").await;
    assert_eq!(standing(&scene, &after).await, Standing::Current);
    assert_eq!(standing(&scene, &before).await, Standing::MadeAgain);
}

#[tokio::test]
async fn another_change_of_a_host_takes_nothing_from_it() {
    let scene = Scene::new().await;
    scene.add_host("host1", "uid-1").await;
    let certificate = join(&scene, "host1").await;
    scene.add_host("host1", "uid-1").await;
    assert_eq!(standing(&scene, &certificate).await, Standing::Current);
    renew(&scene, &certificate).await;
}

#[tokio::test]
async fn who_joins_again_puts_an_end_to_what_was_before() {
    let scene = Scene::new().await;
    scene.add_host("host1", "uid-1").await;
    let first = join(&scene, "host1").await;
    let renewed = renew(&scene, &first).await;
    let second = join(&scene, "host1").await;
    assert_eq!(standing(&scene, &first).await, Standing::Superseded);
    assert_eq!(standing(&scene, &renewed).await, Standing::Superseded);
    assert_eq!(standing(&scene, &second).await, Standing::Current);
    let refused = scene.trust.renew(&first, &request(&new_key())).await;
    assert!(matches!(refused, Err(TrustError::NotCurrent { .. })));
}

/// The answer to a renewal may be lost: the certificate that it was asked with has to count on.
#[tokio::test]
async fn a_renewal_leaves_the_one_that_it_was_asked_with() {
    let scene = Scene::new().await;
    scene.add_host("host1", "uid-1").await;
    let first = join(&scene, "host1").await;
    let lost = renew(&scene, &first).await;
    let second = renew(&scene, &first).await;
    assert_eq!(standing(&scene, &first).await, Standing::Current);
    assert_eq!(standing(&scene, &lost).await, Standing::Superseded);
    assert_eq!(standing(&scene, &second).await, Standing::Current);
    let third = renew(&scene, &second).await;
    assert_eq!(standing(&scene, &first).await, Standing::Superseded);
    assert_eq!(standing(&scene, &second).await, Standing::Current);
    assert_eq!(standing(&scene, &third).await, Standing::Current);
}

#[tokio::test]
async fn a_certificate_ends() {
    let scene = Scene::new().await;
    scene.add_host("host1", "uid-1").await;
    let certificate = join(&scene, "host1").await;
    scene.pass(7 * 24 * 3600 - 1);
    assert_eq!(standing(&scene, &certificate).await, Standing::Current);
    scene.pass(1);
    assert_eq!(standing(&scene, &certificate).await, Standing::Expired);
    let refused = scene.trust.renew(&certificate, &request(&new_key())).await;
    assert!(matches!(
        refused,
        Err(TrustError::NotCurrent {
            standing: Standing::Expired,
            ..
        })
    ));
}

/// A serial number that our CA has given to another host, or to nobody.
#[tokio::test]
async fn a_serial_number_counts_for_its_host_alone() {
    let scene = Scene::new().await;
    scene.add_host("host1", "uid-1").await;
    scene.add_host("host2", "uid-2").await;
    let (one, two) = (join(&scene, "host1").await, join(&scene, "host2").await);
    let mixed = HostCertificate {
        serial: two.serial,
        ..one.clone()
    };
    assert_eq!(standing(&scene, &mixed).await, Standing::Superseded);
    scene.add_host("host3", "uid-3").await;
    let never_joined = HostCertificate {
        host: "host3".into(),
        uid: "uid-3".into(),
        ..one
    };
    assert_eq!(standing(&scene, &never_joined).await, Standing::Superseded);
}

#[tokio::test]
async fn only_signed_requests_for_keys_that_are_taken_are_signed() {
    let scene = Scene::new().await;
    let authority = scene.trust.authority();
    let sign = |request: &[u8]| authority.sign_host(request, "host1", "uid-1", scene.now_s(), 60);
    sign(&request(&new_key())).unwrap();
    sign(&request(
        &KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(),
    ))
    .unwrap();

    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let mut forged = request(&new_key());
    *forged.last_mut().unwrap() ^= 1;
    // Somebody else's key, in a request that is signed with another one.
    let mut swapped = request(&new_key());
    let (old, new) = (public_point(&swapped), public_point(&request(&new_key())));
    let place = swapped
        .windows(65)
        .position(|window| window == old)
        .unwrap();
    swapped[place..place + 65].copy_from_slice(&new);
    for (what, request) in [
        ("nothing", Vec::new()),
        ("P-384", request(&p384)),
        ("a signature of nothing", forged),
        ("another's key", swapped),
        ("too long", vec![0x30; 9000]),
    ] {
        let refused = sign(&request);
        assert!(
            matches!(refused, Err(TrustError::SigningRequest(_))),
            "{what}: {refused:?}"
        );
    }
}

/// The uncompressed point of P-256 in a signing request.
fn public_point(request: &[u8]) -> Vec<u8> {
    // BIT STRING of 66 octets, none of whose bits are unused.
    let start = request
        .windows(4)
        .position(|window| window == [0x03, 0x42, 0x00, 0x04])
        .unwrap();
    request[start + 3..start + 68].to_vec()
}

#[tokio::test]
async fn other_certificates_name_no_host() {
    let scene = Scene::new().await;
    let authority = scene.trust.authority();
    assert_eq!(peer(b"nothing"), Err(PeerFault::Malformed));
    assert_eq!(
        peer(authority.certificate_der()),
        Err(PeerFault::NotForClients)
    );
    let server = authority
        .issue_server(&["localhost".into()], scene.now_s())
        .unwrap();
    assert_eq!(peer(&server.chain[0]), Err(PeerFault::NotForClients));

    let named = |names: &[&str]| {
        let mut params = rcgen::CertificateParams::default();
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let uri = |name: &&str| rcgen::SanType::URI((*name).try_into().unwrap());
        params.subject_alt_names = names.iter().map(uri).collect();
        peer(params.self_signed(&new_key()).unwrap().der())
    };
    assert_eq!(named(&["inlay:host:a:b"]).unwrap().host, "a");
    for names in [
        &[][..],
        &["inlay:host:a"],
        &["inlay:host::b"],
        &["inlay:host:a:"],
        &["inlay:edge:a:b"],
        &["inlay:host:a:b", "inlay:host:c:d"],
    ] {
        assert_eq!(named(names), Err(PeerFault::NotAHost), "{names:?}");
    }
}
