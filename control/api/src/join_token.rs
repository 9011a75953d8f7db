//! The text of a join token, as it is printed for the operator and given to the agent.
//!
//! ```text
//! SECRET.FINGERPRINT
//! SECRET       32 hex digits: 128 random bits, good for one host, once, for an hour
//! FINGERPRINT  64 hex digits: SHA-256 of the DER of the certificate of the manager's CA
//! ```
//!
//! The agent compares the CA that the manager presents with the fingerprint, and only then says the secret: whoever
//! answers in the manager's place learns nothing.

use std::fmt::{self, Write as _};

use sha2::{Digest as _, Sha256};

/// Hex digits of the secret.
pub const SECRET_DIGITS: usize = 32;
/// Hex digits of the fingerprint.
pub const FINGERPRINT_DIGITS: usize = 64;

/// A join token, taken apart. It is not shown by `{:?}`, which would end in a log.
#[derive(Clone, Eq, PartialEq)]
pub struct JoinToken {
    /// What the agent says to the manager.
    pub secret: String,
    /// Whom it may say it to.
    pub fingerprint: String,
}

/// It is no join token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "it is not a join token: {SECRET_DIGITS} hex digits, a point, {FINGERPRINT_DIGITS} hex digits; `inlay host token` prints one"
)]
pub struct NoJoinToken;

impl JoinToken {
    /// Takes a token apart.
    ///
    /// # Errors
    /// Where the text has another form.
    pub fn parse(text: &str) -> Result<Self, NoJoinToken> {
        let (secret, fingerprint) = text.trim().split_once('.').ok_or(NoJoinToken)?;
        if !is_hex(secret, SECRET_DIGITS) || !is_hex(fingerprint, FINGERPRINT_DIGITS) {
            return Err(NoJoinToken);
        }
        Ok(Self {
            secret: secret.to_owned(),
            fingerprint: fingerprint.to_owned(),
        })
    }

    /// Whether a certificate, in DER, is the one of the CA that the token was made by.
    #[must_use]
    pub fn names_authority(&self, certificate: &[u8]) -> bool {
        fingerprint(certificate) == self.fingerprint
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.secret, self.fingerprint)
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("JoinToken")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// SHA-256 of a certificate's DER, as hex digits in small letters.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> String {
    let digest = Sha256::digest(certificate);
    digest.iter().fold(String::new(), |mut text, octet| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn is_hex(text: &str, digits: usize) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == digits && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_apart_and_put_together() {
        let text = format!("{}.{}", "0a".repeat(16), fingerprint(b"a certificate"));
        let token = JoinToken::parse(&format!(" {text}\n")).unwrap();
        assert_eq!(token.to_string(), text);
        assert_eq!(token.secret, "0a".repeat(16));
        assert!(token.names_authority(b"a certificate"));
        assert!(!token.names_authority(b"another one"));
        assert!(!format!("{token:?}").contains("0a0a"));
    }

    #[test]
    fn other_text_is_no_token() {
        let (secret, print) = ("0a".repeat(16), "0b".repeat(32));
        for text in [
            String::new(),
            ".".into(),
            secret.clone(),
            format!("{secret}{print}"),
            format!("{secret}.{print}.{print}"),
            format!("{secret}.{print}0"),
            format!("{}.{print}", &secret[1..]),
            format!("{}.{print}", secret.to_uppercase()),
            format!("g{}.{print}", &secret[1..]),
            format!("{print}.{secret}"),
        ] {
            assert_eq!(JoinToken::parse(&text), Err(NoJoinToken), "{text}");
        }
    }
}
