//! TLS to the manager: its own CA is trusted, and no other.

use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use super::failure::Failure;

/// Trusts the certificates of `pem` alone.
pub(crate) fn trusting(pem: &str) -> Result<TlsConfig, Failure> {
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::new_with_certs(&certificates(pem)?))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

/// The certificates of a CA file.
pub(crate) fn certificates(pem: &str) -> Result<Vec<Certificate<'static>>, Failure> {
    let mut found = Vec::new();
    for item in parse_pem(pem.as_bytes()) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(Failure::Usage(format!("the CA is not PEM: {error}"))),
        }
    }
    if found.is_empty() {
        let what = "the CA holds no certificate; give the file that `inlay manager init` wrote";
        return Err(Failure::Usage(what.to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_certificate_is_refused() {
        for pem in ["", "no PEM", "-----BEGIN CERTIFICATE-----\n!\n"] {
            let error = certificates(pem).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{error}");
        }
    }
}
