//! Request headers that mean something: `Authorization`, `If-Match`, `Idempotency-Key`.

use axum::http::{HeaderMap, HeaderName, header};

use super::problems::{Failure, wrong_field};
use crate::store::Revision;

/// Longest bearer token, in bytes.
const TOKEN_BYTES_MAX: usize = 256;
/// Longest idempotency key, in bytes.
pub(crate) const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// Entity tags of one `If-Match`.
const TAGS_MAX: usize = 16;

/// The request header that makes the same request be done once.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The bearer token (RFC 6750); `None` where there is none, or more than one.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (all.next(), all.next()) else {
        return None;
    };
    let (scheme, secret) = only.to_str().ok()?.split_once(' ')?;
    let secret = secret.trim();
    let is_token = scheme.eq_ignore_ascii_case("bearer")
        && (1..=TOKEN_BYTES_MAX).contains(&secret.len())
        && !secret.contains(' ');
    is_token.then_some(secret)
}

/// Under which key the request is done once.
///
/// # Errors
/// A key that is too long or of other characters.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let mut all = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = all.next() else {
        return Ok(None);
    };
    let text = value.to_str().ok().filter(|text| {
        (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
    });
    match (text, all.next()) {
        (Some(text), None) => Ok(Some(text.to_owned())),
        _ => Err(wrong_field(
            "Idempotency-Key",
            "is one key of 1 to 255 visible ASCII characters; a random UUID does",
        )),
    }
}

/// What `If-Match` says (RFC 9110, section 13.1.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Precondition {
    /// Nothing.
    None,
    /// `*`: there must be such an object.
    Exists,
    /// It must be at one of these revisions. Weak tags and tags that are no revision match nothing.
    OneOf(Vec<Revision>),
}

/// Reads `If-Match`.
///
/// # Errors
/// What is neither `*` nor a list of entity tags.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Precondition, Failure> {
    let mut lines = Vec::new();
    for value in headers.get_all(header::IF_MATCH) {
        lines.push(value.to_str().map_err(|_| no_tag())?);
    }
    let text = lines.join(",");
    if lines.is_empty() {
        return Ok(Precondition::None);
    }
    if text.trim() == "*" {
        return Ok(Precondition::Exists);
    }
    let mut tags = Vec::new();
    for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        tags.push(revision(tag)?);
    }
    if tags.is_empty() || tags.len() > TAGS_MAX {
        return Err(no_tag());
    }
    Ok(Precondition::OneOf(tags.into_iter().flatten().collect()))
}

/// The revision of an entity tag; `None` for one that no object ever has.
fn revision(tag: &str) -> Result<Option<Revision>, Failure> {
    let (is_weak, quoted) = match tag.strip_prefix("W/") {
        Some(quoted) => (true, quoted),
        None => (false, tag),
    };
    let opaque = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|opaque| !opaque.contains('"'))
        .ok_or_else(no_tag)?;
    // If-Match compares strongly: a weak tag equals none.
    Ok(opaque.parse().ok().filter(|_| !is_weak))
}

fn no_tag() -> Failure {
    wrong_field(
        "If-Match",
        "is `*`, or the ETag of the object in double quotes; several are joined by commas, at most 16",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &HeaderName, values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_bearer_token_is_taken_out() {
        let read =
            |values: &[&str]| bearer(&with(&header::AUTHORIZATION, values)).map(str::to_owned);
        assert_eq!(read(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(read(&["bearer abc"]).as_deref(), Some("abc"));
        for wrong in ["abc", "Bearer ", "Basic abc", "Bearer a b"] {
            assert_eq!(read(&[wrong]), None, "{wrong}");
        }
        assert_eq!(read(&["Bearer a", "Bearer b"]), None);
        assert_eq!(read(&[&format!("Bearer {}", "x".repeat(257))]), None);
    }

    #[test]
    fn if_match_is_a_star_or_tags() {
        let read = |values: &[&str]| if_match(&with(&header::IF_MATCH, values)).ok();
        assert_eq!(read(&[]), Some(Precondition::None));
        assert_eq!(read(&["*"]), Some(Precondition::Exists));
        assert_eq!(read(&["\"7\""]), Some(Precondition::OneOf(vec![7])));
        let several = Some(Precondition::OneOf(vec![7, 8]));
        assert_eq!(read(&["\"7\", \"8\""]), several);
        assert_eq!(read(&["\"7\"", "\"8\""]), several);
        assert_eq!(read(&["W/\"7\""]), Some(Precondition::OneOf(vec![])));
        assert_eq!(read(&["\"abc\""]), Some(Precondition::OneOf(vec![])));
        for wrong in ["7", "\"7", "", "\"7\"8\"", "*, \"7\""] {
            assert_eq!(read(&[wrong]), None, "{wrong}");
        }
    }

    #[test]
    fn an_idempotency_key_is_short_and_visible() {
        let read = |values: &[&str]| idempotency_key(&with(&IDEMPOTENCY_KEY, values)).ok();
        assert_eq!(read(&[]), Some(None));
        assert_eq!(read(&["a-1"]), Some(Some("a-1".into())));
        for wrong in [&["a b"][..], &[""], &["a", "b"], &[&"x".repeat(256)]] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
