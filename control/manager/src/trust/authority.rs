//! The manager's own CA (RFC 5280): ECDSA with P-256, one level, kept in the store.

use std::{fmt, net::IpAddr};

use inlay_api::join_token;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
    SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};

use super::{
    TrustError,
    peer::uri,
    secrets::{hex, random_hex},
};
use crate::store::{Condition, Operation, Store, StoreError, Transaction};

/// Where it is in the store.
const KEY: &str = "trust/authority";
/// Of the CA itself, in seconds: ten years.
const AUTHORITY_LIFETIME_S: i64 = 3650 * 24 * 60 * 60;
/// Of a server's certificate, in seconds: 30 days.
const SERVER_LIFETIME_S: i64 = 30 * 24 * 60 * 60;
/// Certificates hold from so long before they are made, in seconds, for whoever's clock is behind.
pub(super) const CLOCK_SKEW_S: i64 = 15 * 60;
/// Bytes of a signing request that is looked at; one with our keys has some 300.
const SIGNING_REQUEST_BYTES_MAX: usize = 8 * 1024;

/// The CA. Its key is not shown by `{:?}`.
pub struct Authority {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
    ends_s: i64,
}

/// What is in the store.
#[derive(Serialize, Deserialize)]
struct Stored {
    certificate_pem: String,
    key_pem: String,
    ends_s: i64,
}

/// A host's certificate, as it is made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issued {
    /// X.509, DER.
    pub certificate_der: Vec<u8>,
    /// Its serial number, in hex digits.
    pub serial: String,
    /// When it ends, Unix time in seconds.
    pub ends_s: i64,
}

/// A server's certificate and key.
#[derive(Debug)]
pub struct ServerCertificate {
    /// The server's own, then the CA's: a host that joins knows the CA by its fingerprint alone, and has to be shown it.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key, PKCS #8.
    pub key: PrivateKeyDer<'static>,
    /// When it ends, Unix time in seconds.
    pub ends_s: i64,
    /// When another one is to be made: two thirds of its time.
    pub renew_s: i64,
}

impl Authority {
    /// The CA in the store; where there is none, one that is made and put there.
    pub(super) async fn load_or_create(store: &dyn Store, now_s: i64) -> Result<Self, TrustError> {
        if let Some(found) = Self::load(store).await? {
            return Ok(found);
        }
        let stored = create(now_s).map_err(unusable)?;
        let value = serde_json::to_vec(&stored).map_err(unusable)?;
        let transaction = Transaction {
            conditions: vec![Condition::Absent(KEY.to_owned())],
            operations: vec![Operation::Put(KEY.to_owned(), value.into())],
        };
        match store.commit(transaction).await {
            Ok(_) => Self::from_stored(&stored),
            // Somebody else made one at the same time: theirs counts.
            Err(StoreError::Conflict { .. }) => Self::load(store)
                .await?
                .ok_or_else(|| unusable("it was removed as it was read")),
            Err(error) => Err(error.into()),
        }
    }

    async fn load(store: &dyn Store) -> Result<Option<Self>, TrustError> {
        let Some(entry) = store.get(KEY).await? else {
            return Ok(None);
        };
        let stored: Stored = serde_json::from_slice(&entry.value).map_err(unusable)?;
        Self::from_stored(&stored).map(Some)
    }

    fn from_stored(stored: &Stored) -> Result<Self, TrustError> {
        let pem = stored.certificate_pem.as_bytes();
        let certificate = CertificateDer::from_pem_slice(pem).map_err(unusable)?;
        let key = KeyPair::from_pem(&stored.key_pem).map_err(unusable)?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(unusable)?;
        Ok(Self {
            certificate,
            certificate_pem: stored.certificate_pem.clone(),
            issuer,
            ends_s: stored.ends_s,
        })
    }

    /// Its certificate, X.509 in DER.
    #[must_use]
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Its certificate in PEM (RFC 7468).
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// SHA-256 of its certificate's DER, as hex digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        join_token::fingerprint(&self.certificate)
    }

    /// Makes a key and a certificate for a server that is reached by these names and addresses.
    ///
    /// # Errors
    /// Where a name is neither an address nor one of DNS.
    pub fn issue_server(
        &self,
        names: &[String],
        now_s: i64,
    ) -> Result<ServerCertificate, TrustError> {
        let key = KeyPair::generate().map_err(unusable)?;
        let mut params = self.leaf("Inlay manager", now_s, SERVER_LIFETIME_S);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names = names
            .iter()
            .map(|name| server_name(name))
            .collect::<Result<_, _>>()?;
        let ends_s = self.ends_s.min(now_s + SERVER_LIFETIME_S);
        let certificate = params.signed_by(&key, &self.issuer).map_err(unusable)?;
        Ok(ServerCertificate {
            chain: vec![certificate.der().clone(), self.certificate.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            ends_s,
            renew_s: now_s + (ends_s - now_s) * 2 / 3,
        })
    }

    /// Makes a host's certificate for the key of a signing request (PKCS #10, RFC 2986, in DER). Only the key is taken
    /// from it: what else it asks for is not for a host to decide.
    ///
    /// # Errors
    /// `SigningRequest` where it is none, is not signed by its key, or the key is neither of P-256 nor of Ed25519.
    pub fn sign_host(
        &self,
        signing_request: &[u8],
        host: &str,
        uid: &str,
        now_s: i64,
        lifetime_s: u32,
    ) -> Result<Issued, TrustError> {
        let request = parse_request(signing_request)?;
        let serial = new_serial();
        let mut params = self.leaf(host, now_s, i64::from(lifetime_s));
        params.serial_number = Some(serial.clone());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let name = uri(host, uid).try_into().map_err(unusable)?;
        params.subject_alt_names = vec![SanType::URI(name)];
        let certificate = params.signed_by(&request.public_key, &self.issuer);
        Ok(Issued {
            certificate_der: certificate.map_err(unusable)?.der().to_vec(),
            serial: hex(serial.as_ref()),
            ends_s: self.ends_s.min(now_s + i64::from(lifetime_s)),
        })
    }

    /// What all certificates that it makes have in common. None outlives the CA.
    fn leaf(&self, name: &str, now_s: i64, lifetime_s: i64) -> CertificateParams {
        let mut params = params(name, now_s, self.ends_s.min(now_s + lifetime_s));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Authority")
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

fn create(now_s: i64) -> Result<Stored, rcgen::Error> {
    let key = KeyPair::generate()?;
    let ends_s = now_s + AUTHORITY_LIFETIME_S;
    // Two managers' CAs have two names, so that a client that has both takes the right one.
    let mut params = params(&format!("Inlay CA {}", random_hex::<4>()), now_s, ends_s);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(Stored {
        certificate_pem: params.self_signed(&key)?.pem(),
        key_pem: key.serialize_pem(),
        ends_s,
    })
}

fn params(common_name: &str, now_s: i64, ends_s: i64) -> CertificateParams {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    let epoch = date_time_ymd(1970, 1, 1);
    let at = |seconds: i64| epoch + std::time::Duration::from_secs(seconds.max(0).cast_unsigned());
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.not_before = at(now_s - CLOCK_SKEW_S);
    params.not_after = at(ends_s);
    params
}

fn server_name(name: &str) -> Result<SanType, TrustError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let refused = || TrustError::Authority(format!("{name} is neither a name nor an address"));
    let is_name = rustls::pki_types::DnsName::try_from(name).is_ok();
    let text = name.try_into().ok().filter(|_| is_name);
    text.map(SanType::DnsName).ok_or_else(refused)
}

fn parse_request(der: &[u8]) -> Result<CertificateSigningRequestParams, TrustError> {
    let refused = |reason: &str| TrustError::SigningRequest(reason.to_owned());
    if der.len() > SIGNING_REQUEST_BYTES_MAX {
        return Err(refused("it has more than 8 KiB"));
    }
    let request = CertificateSigningRequestParams::from_der(&der.into())
        .map_err(|error| refused(&error.to_string()))?;
    // The algorithm is the signature's, and says nothing of the curve: the key's own form does.
    let key = request.public_key.der_bytes();
    let algorithm = PublicKeyData::algorithm(&request.public_key);
    let is_p256 = *algorithm == rcgen::PKCS_ECDSA_P256_SHA256 && key.len() == 65 && key[0] == 4;
    let is_ed25519 = *algorithm == rcgen::PKCS_ED25519 && key.len() == 32;
    if !is_p256 && !is_ed25519 {
        return Err(refused("its key is neither of P-256 nor of Ed25519"));
    }
    Ok(request)
}

/// 126 random bits. The first octet is neither zero nor has its highest bit set, so that it is encoded as it is.
fn new_serial() -> SerialNumber {
    let mut octets: [u8; 16] = rand::random();
    octets[0] = octets[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&octets)
}

fn unusable(error: impl fmt::Display) -> TrustError {
    TrustError::Authority(error.to_string())
}
