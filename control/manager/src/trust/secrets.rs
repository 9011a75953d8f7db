//! Bearer tokens: made here, and known by their hash alone from then on.

use std::fmt::Write as _;

use inlay_api::join_token::fingerprint;

/// How a bearer token begins, so that it is recognised where it must not be: in logs and repositories.
pub const SECRET_PREFIX: &str = "inlay_";

/// A bearer token: the prefix, and 256 random bits as 64 hex digits.
#[must_use]
pub fn new_secret() -> String {
    format!("{SECRET_PREFIX}{}", random_hex::<32>())
}

/// What is stored of a secret: its SHA-256, as 64 hex digits. The secrets are random, so that no salt and no slow
/// hash is needed: nobody can try 2^128 of them.
#[must_use]
pub fn hash(secret: &str) -> String {
    fingerprint(secret.as_bytes())
}

/// The first characters of a token, to tell it by: too few to guess the rest from.
#[must_use]
pub fn hint(secret: &str) -> String {
    secret.chars().take(SECRET_PREFIX.len() + 6).collect()
}

/// `BYTES` random octets as hex digits, from the generator of `rand` that is fit for cryptography.
pub(super) fn random_hex<const BYTES: usize>() -> String {
    let octets: [u8; BYTES] = std::array::from_fn(|_| rand::random());
    hex(&octets)
}

pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_recognised_and_never_the_same() {
        let (one, other) = (new_secret(), new_secret());
        assert!(one.starts_with("inlay_"));
        assert_eq!(one.len(), "inlay_".len() + 64);
        assert_ne!(one, other);
        assert_eq!(hint(&one), one[..12]);
        assert_eq!(hash(&one), hash(&one));
        assert_ne!(hash(&one), hash(&other));
    }

    #[test]
    fn a_hash_is_sha_256() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash("abc"), expected);
    }
}
