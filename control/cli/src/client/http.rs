//! HTTP to the manager: one request, repeated where the connection breaks. Every mutation has an `Idempotency-Key`,
//! the same at each attempt, so that it is done once however often it is sent.

use std::{io, thread, time::Duration};

use inlay_api::objects::Problem;
use serde_json::Value;
use ureq::{
    Agent,
    http::{self, HeaderMap, Method, Uri, header},
};

use super::{connection::Connection, failure::Failure, tls};

/// A request is sent at most so often.
const ATTEMPTS_MAX: u32 = 4;
/// The longest that is waited before the second attempt; twice as long before each one after it.
const BACKOFF_BASE: Duration = Duration::from_millis(200);
/// The longest that is waited before an attempt, also where the manager asks for more.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Until the answer is there, besides what the request itself waits for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer that is read.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// What is done.
    pub(crate) method: Method,
    /// From `/v1` on, encoded.
    pub(crate) path: String,
    /// Parameters, not encoded.
    pub(crate) query: Vec<(String, String)>,
    /// Sent as JSON.
    pub(crate) body: Option<Value>,
    /// Only if the object is at this revision.
    pub(crate) if_match: Option<u64>,
    /// How long the manager may wait before it answers.
    pub(crate) patience: Duration,
}

impl Request {
    /// Reads a path.
    pub(crate) fn get(path: String) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn new(method: Method, path: String) -> Self {
        Self {
            method,
            path,
            query: Vec::new(),
            body: None,
            if_match: None,
            patience: Duration::ZERO,
        }
    }
}

/// What is answered.
#[derive(Debug)]
pub(crate) struct Response {
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// `null` where there is none.
    pub(crate) body: Value,
}

/// An answer as it came, whole.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// A client of one manager.
#[derive(Debug)]
pub(crate) struct Http {
    agent: Agent,
    server: String,
    /// Secret: it is in no message.
    authorization: http::HeaderValue,
}

impl Http {
    pub(crate) fn new(connection: &Connection) -> Result<Self, Failure> {
        let server = connection.server.trim_end_matches('/').to_owned();
        let is_plain = is_plain_loopback(&server)?;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("inlay/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .https_only(!is_plain);
        if !is_plain {
            let Some(ca) = &connection.ca else {
                let what = "no CA is known for the server; give it with `inlay context set … --ca FILE` or INLAY_CA";
                return Err(Failure::Usage(what.to_owned()));
            };
            config = config.tls_config(tls::trusting(ca)?);
        }
        let mut authorization =
            http::HeaderValue::try_from(format!("Bearer {}", connection.token.trim()))
                .map_err(|_| Failure::Usage("the token is not one line of ASCII".to_owned()))?;
        authorization.set_sensitive(true);
        Ok(Self {
            agent: Agent::new_with_config(config.build()),
            server,
            authorization,
        })
    }

    /// Asks until there is an answer, but not for ever.
    pub(crate) fn send(&self, request: &Request) -> Result<Response, Failure> {
        let key = uuid::Uuid::now_v7().to_string();
        let mut attempt = 1;
        loop {
            let (failure, delay) = match self.attempt(request, &key) {
                Ok(answer) if !is_temporary(answer.status) => return read(answer),
                Ok(answer) => {
                    let delay = retry_after(&answer.headers);
                    (problem(answer.status, &answer.body), delay)
                }
                Err(error) if is_broken(&error) => (self.no_answer(&error), None),
                Err(error) => return Err(self.no_answer(&error)),
            };
            if attempt == ATTEMPTS_MAX {
                return Err(failure);
            }
            thread::sleep(delay.unwrap_or_else(|| jittered(attempt)));
            attempt += 1;
        }
    }

    fn attempt(&self, request: &Request, key: &str) -> Result<Answer, ureq::Error> {
        let timeout = ANSWER_TIMEOUT + request.patience;
        let is_read = request.method == Method::GET;
        let mut builder = http::Request::builder()
            .method(request.method.clone())
            .uri(self.uri(request))
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header(header::ACCEPT, "application/json");
        if !is_read {
            builder = builder.header("Idempotency-Key", key);
        }
        if let Some(revision) = request.if_match {
            builder = builder.header(header::IF_MATCH, format!("\"{revision}\""));
        }
        let takes_body = request.method == Method::POST || request.method == Method::PUT;
        if !takes_body {
            return self.run(builder.body(())?, timeout);
        }
        let body = match &request.body {
            Some(body) => {
                builder = builder.header(header::CONTENT_TYPE, "application/json");
                body.to_string()
            }
            None => String::new(),
        };
        self.run(builder.body(body)?, timeout)
    }

    fn run<B: ureq::AsSendBody>(
        &self,
        request: http::Request<B>,
        timeout: Duration,
    ) -> Result<Answer, ureq::Error> {
        let request = self
            .agent
            .configure_request(request)
            .timeout_global(Some(timeout))
            .build();
        let mut answer = self.agent.run(request)?;
        let body = answer.body_mut().with_config().limit(BODY_BYTES_MAX);
        Ok(Answer {
            body: body.read_to_vec()?,
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
        })
    }

    fn uri(&self, request: &Request) -> String {
        let mut uri = format!("{}{}", self.server, request.path);
        for (index, (name, value)) in request.query.iter().enumerate() {
            uri.push(if index == 0 { '?' } else { '&' });
            uri.push_str(&super::address::encode(name));
            uri.push('=');
            uri.push_str(&super::address::encode(value));
        }
        uri
    }

    fn no_answer(&self, error: &ureq::Error) -> Failure {
        let server = &self.server;
        let what = match error {
            ureq::Error::Timeout(_) => "it may have been done nevertheless; look before you repeat",
            _ if is_distrust(error) => "its certificate is not of the context's CA",
            _ => "is the manager running, and is the context right? `inlay context show` tells",
        };
        Failure::NoAnswer(format!("no answer from {server}: {error}; {what}"))
    }
}

/// Whether a server without TLS is meant, which only this machine may be: the token would be read on the way.
fn is_plain_loopback(server: &str) -> Result<bool, Failure> {
    let invalid = || Failure::Usage(format!("{server} is no server; write https://MANAGER:PORT"));
    let uri: Uri = server.parse().map_err(|_| invalid())?;
    let host = uri.host().ok_or_else(invalid)?;
    let is_loopback = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
    match uri.scheme_str() {
        Some("https") => Ok(false),
        Some("http") if is_loopback => Ok(true),
        Some("http") => Err(Failure::Usage(format!(
            "{server} is without TLS, and the token would be read on the way; write https://"
        ))),
        _ => Err(invalid()),
    }
}

/// The manager is there, and cannot do it at this moment.
fn is_temporary(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

/// The connection did not come about or broke: the same request may be sent again.
fn is_broken(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => error.kind() != io::ErrorKind::InvalidData,
        ureq::Error::Timeout(timeout) => matches!(timeout, ureq::Timeout::Connect),
        ureq::Error::ConnectionFailed => true,
        _ => false,
    }
}

fn is_distrust(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => true,
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::InvalidData,
        _ => false,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(seconds.parse().ok()?).min(BACKOFF_MAX))
}

/// Full jitter: many clients that lost one manager do not come back together.
fn jittered(attempt: u32) -> Duration {
    let most = (BACKOFF_BASE * 2_u32.pow(attempt - 1)).min(BACKOFF_MAX);
    most.mul_f64(rand::random())
}

/// What the manager answers, or the problem that it answers with.
fn read(answer: Answer) -> Result<Response, Failure> {
    let Answer {
        status,
        headers,
        body,
    } = answer;
    if !(200..300).contains(&status) {
        return Err(problem(status, &body));
    }
    let body = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&body).map_err(|error| {
            let what = "is the server an Inlay manager?";
            Failure::NoAnswer(format!("the answer is no JSON: {error}; {what}"))
        })?
    };
    Ok(Response { headers, body })
}

/// What others than a manager answer has no problem in it, but a status.
fn problem(status: u16, body: &[u8]) -> Failure {
    let mut problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    problem.status = status;
    Failure::Refused(Box::new(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_others_over_tls_only() {
        for (server, expected) in [
            ("https://manager.example:7443", Some(false)),
            ("http://127.0.0.1:80", Some(true)),
            ("http://[::1]:80", Some(true)),
            ("http://manager.example", None),
            ("http://127.0.0.1.example", None),
            ("ftp://127.0.0.1", None),
            ("manager", None),
        ] {
            assert_eq!(is_plain_loopback(server).ok(), expected, "{server}");
        }
    }

    #[test]
    fn delays_are_bounded() {
        for attempt in 1..=ATTEMPTS_MAX {
            assert!(jittered(attempt) <= BACKOFF_MAX);
        }
    }
}
