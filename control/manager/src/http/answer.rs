//! Objects as HTTP answers: bodies, `ETag`, `Location`.

use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;

/// JSON of a value. The API's types have text keys only, so that it cannot fail.
pub(crate) fn encode<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).map_or_else(|_| Bytes::new(), Bytes::from)
}

/// A JSON answer.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    let kind = (header::CONTENT_TYPE, "application/json");
    // Whoever stores answers on the way may not keep what only one token may see.
    let cache = (header::CACHE_CONTROL, "no-store");
    (status, [kind, cache], encode(value)).into_response()
}

/// A JSON answer of one object, with its `ETag`.
pub(crate) fn object(status: StatusCode, value: &Value) -> Response {
    let mut response = json(status, value);
    if let Some(tag) = etag(value) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The revision of an object in quotes. Of what is no object: nothing.
fn etag(value: &Value) -> Option<HeaderValue> {
    let revision = value.get("metadata")?.get("revision")?.as_u64()?;
    HeaderValue::from_str(&format!("\"{revision}\"")).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_has_its_revision_as_tag_and_a_list_has_none() {
        let tag = etag(&json!({"metadata": {"name": "a", "revision": 7}}));
        assert_eq!(tag.unwrap(), "\"7\"");
        assert_eq!(etag(&json!({"items": []})), None);
    }
}
