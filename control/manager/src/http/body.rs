//! Bodies of requests: how large, how slow and of what type they may be.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::{
    json,
    problems::{Failure, failure, malformed},
};

/// Bytes of the largest body (1 MiB): a security group of 1,000 rules takes about 120 KiB.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Reads a whole body; what is larger or slower is refused, and not read to its end.
///
/// # Errors
/// 413, 408 or 400.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    time: Duration,
) -> Result<Bytes, Failure> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let deadline = Instant::now() + time;
    let mut whole = BytesMut::new();
    let mut parts = body.into_data_stream();
    while let Some(part) = timeout_at(deadline, parts.next())
        .await
        .map_err(|_| too_slow(time))?
    {
        let part = part.map_err(|_| malformed("the body ended before its end").closing())?;
        if whole.len() + part.len() > BODY_BYTES_MAX {
            return Err(too_large());
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.freeze())
}

/// The JSON of a body.
///
/// # Errors
/// 415 where it is of another type, 400 where it is no JSON.
pub(crate) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Value, Failure> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(unsupported(
            "is not decoded: send it without Content-Encoding",
        ));
    }
    if !is_json(headers) {
        return Err(unsupported(
            "has to be application/json, and its Content-Type to say so",
        ));
    }
    json::parse(body).map_err(|error| malformed(format!("the body is no JSON: {error}")))
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else {
        return false;
    };
    let media_type = only.to_str().unwrap_or_default().split(';').next();
    media_type.is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json"))
}

fn unsupported(what: &str) -> Failure {
    failure(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "The body is of another type",
        format!("the body {what}"),
    )
}

fn too_large() -> Failure {
    failure(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        "The body is too large",
        format!("the body has more than {BODY_BYTES_MAX} bytes, the most that is taken"),
    )
    .closing()
}

fn too_slow(time: Duration) -> Failure {
    failure(
        StatusCode::REQUEST_TIMEOUT,
        "timeout",
        "The body is too slow",
        format!("the body was not there within {time:?}; send the request again"),
    )
    .closing()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_type(media_type: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, media_type.parse().unwrap())])
    }

    #[test]
    fn json_says_that_it_is_json() {
        assert!(parse(&of_type("application/json"), b"{}").is_ok());
        assert!(parse(&of_type("Application/JSON; charset=utf-8"), b"{}").is_ok());
        for headers in [HeaderMap::new(), of_type("text/plain"), of_type("")] {
            let error = format!("{:?}", parse(&headers, b"{}").unwrap_err());
            assert!(error.contains("415"), "{error}");
        }
        let error = format!(
            "{:?}",
            parse(&of_type("application/json"), b"{").unwrap_err()
        );
        assert!(error.contains("line 1"), "{error}");
    }

    #[tokio::test]
    async fn the_largest_body_is_read_and_a_larger_one_is_not() {
        let time = Duration::from_secs(10);
        let of = |size: usize| Body::from(vec![b' '; size]);
        let none = HeaderMap::new();
        let read_whole = read(&none, of(BODY_BYTES_MAX), time).await.unwrap();
        assert_eq!(read_whole.len(), BODY_BYTES_MAX);
        assert!(read(&none, of(BODY_BYTES_MAX + 1), time).await.is_err());
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_given_up() {
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let headers = HeaderMap::new();
        let read = read(
            &headers,
            Body::from_stream(never),
            Duration::from_millis(10),
        );
        let error = format!("{:?}", read.await.unwrap_err());
        assert!(error.contains("408"), "{error}");
    }
}
