//! HTTP/1.1 requests of one connection, as far as a test needs them.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
};

use serde_json::Value;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.query.iter().filter(|(other, _)| other == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

/// An answer to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

/// The next request; `None` where the client is gone.
pub(crate) fn receive(stream: &mut BufReader<impl Read>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    Some(Request {
        method,
        path: decoded(path),
        query: pairs
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect(),
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    })
}

pub(crate) fn send(stream: &mut impl Write, reply: &Reply) -> std::io::Result<()> {
    stream.write_all(text(reply).as_bytes())?;
    stream.flush()
}

/// All but the last byte.
pub(crate) fn send_part(stream: &mut impl Write, reply: &Reply) -> std::io::Result<()> {
    let text = text(reply);
    stream.write_all(&text.as_bytes()[..text.len() - 1])?;
    stream.flush()
}

fn text(reply: &Reply) -> String {
    let body = match &reply.body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let headers: String = reply
        .headers
        .iter()
        .map(|(name, value)| [name, ": ", value, "\r\n"].concat())
        .collect();
    let (status, length) = (reply.status, body.len());
    format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

/// Without percent-encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let hex: String = rest.by_ref().take(2).map(char::from).collect();
            bytes.push(u8::from_str_radix(&hex, 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}
