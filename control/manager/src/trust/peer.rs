//! What a host's certificate says. That it was signed by our CA, is for clients, and has not ended is for TLS to check
//! before this is asked.

use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::secrets::hex;

/// What a host's name in its certificate begins with: `inlay:host:NAME:UID`.
const SCHEME: &str = "inlay:host:";

/// Which host a certificate was made for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostCertificate {
    /// Name of the host.
    pub host: String,
    /// `uid` of the object of the host, as it was then.
    pub uid: String,
    /// The certificate's serial number, in hex digits.
    pub serial: String,
    /// When it ends, Unix time in seconds.
    pub ends_s: i64,
}

/// It is not a host's certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PeerFault {
    /// It is no certificate of X.509.
    #[error("it is not a certificate")]
    Malformed,
    /// It may not be used by a client, or by others too.
    #[error("it is not a certificate for clients")]
    NotForClients,
    /// It names no host, or several.
    #[error("it does not name one host")]
    NotAHost,
}

/// Reads the certificate (DER) that a peer has shown, and TLS has verified.
///
/// # Errors
/// Where it is not one that `Authority::sign_host` makes.
pub fn peer(certificate_der: &[u8]) -> Result<HostCertificate, PeerFault> {
    let (rest, certificate) =
        X509Certificate::from_der(certificate_der).map_err(|_| PeerFault::Malformed)?;
    if !rest.is_empty() {
        return Err(PeerFault::Malformed);
    }
    let usage = certificate
        .extended_key_usage()
        .map_err(|_| PeerFault::Malformed)?;
    let usage = usage.ok_or(PeerFault::NotForClients)?.value;
    if !usage.client_auth || usage.server_auth || usage.any {
        return Err(PeerFault::NotForClients);
    }
    let (host, uid) = host_name(&certificate)?;
    Ok(HostCertificate {
        host,
        uid,
        serial: hex(certificate.raw_serial()),
        ends_s: certificate.validity().not_after.timestamp(),
    })
}

/// Name and `uid` of the only host that it names.
fn host_name(certificate: &X509Certificate<'_>) -> Result<(String, String), PeerFault> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| PeerFault::Malformed)?;
    let names = names.ok_or(PeerFault::NotAHost)?.value;
    let [GeneralName::URI(text)] = names.general_names[..] else {
        return Err(PeerFault::NotAHost);
    };
    let name = text
        .strip_prefix(SCHEME)
        .and_then(|name| name.split_once(':'));
    let (host, uid) = name.ok_or(PeerFault::NotAHost)?;
    if host.is_empty() || uid.is_empty() {
        return Err(PeerFault::NotAHost);
    }
    Ok((host.to_owned(), uid.to_owned()))
}

/// How a host is named in its certificate.
pub(super) fn uri(host: &str, uid: &str) -> String {
    format!("{SCHEME}{host}:{uid}")
}
