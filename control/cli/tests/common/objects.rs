//! Objects in memory, with what the API says of references, pages, revisions and idempotency.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::connection::{Reply, Request};

/// What is there.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    pub(crate) by_path: BTreeMap<String, Value>,
    /// Answers to what is no object.
    pub(crate) canned: BTreeMap<String, Reply>,
    /// Answers to the next requests, instead of those they would get.
    pub(crate) next: VecDeque<Reply>,
    /// Hosts that never apply anything.
    pub(crate) behind: Vec<String>,
    /// The most objects of a page.
    pub(crate) page: Option<usize>,
    revision: u64,
    done: BTreeMap<String, Reply>,
}

pub(crate) fn reply(status: u16, body: Value) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body,
    }
}

pub(crate) fn problem(status: u16, title: &str, detail: &str) -> Reply {
    let body = json!({"type": "urn:inlay:problem:test", "title": title, "status": status, "detail": detail});
    reply(status, body)
}

impl Objects {
    pub(crate) fn answer(&mut self, request: &Request) -> Reply {
        if let Some(reply) = self.next.pop_front() {
            return reply;
        }
        if let Some(reply) = self.canned.get(&request.path) {
            return reply.clone();
        }
        if request.method == "GET" {
            return self.read(request);
        }
        let key = request.header("idempotency-key").to_owned();
        assert!(!key.is_empty(), "a mutation without a key: {request:?}");
        if let Some(reply) = self.done.get(&key) {
            return reply.clone();
        }
        if request.parameter("dry_run") == Some("true") {
            return plan(request);
        }
        let mut reply = self.change(request);
        if reply.status < 300 && request.parameter("wait") == Some("applied") {
            self.wait(&mut reply);
        }
        self.done.insert(key, reply.clone());
        reply
    }

    fn wait(&self, reply: &mut Reply) {
        let is_complete = self.behind.is_empty();
        let text = if is_complete {
            "complete"
        } else {
            "incomplete"
        };
        reply.headers.push(("inlay-applied", text.to_owned()));
        if is_complete {
            return;
        }
        let pending: Vec<Value> = self
            .behind
            .iter()
            .map(|host| json!({"host": host, "applied_revision": 1, "reason": "it is not connected"}))
            .collect();
        if !reply.body.is_object() {
            reply.body = json!({});
        }
        reply.status = 202;
        reply.body["applied"] =
            json!({"revision": self.revision, "complete": false, "pending": pending});
    }

    fn read(&self, request: &Request) -> Reply {
        let path = &request.path;
        if segments(path).len().is_multiple_of(2) {
            return match self.by_path.get(path) {
                Some(object) => reply(200, object.clone()),
                None => problem(404, "Not found", &format!("there is no {path}")),
            };
        }
        let is_missing = segments(path).len() > 1 && !self.by_path.contains_key(parent(path));
        if is_missing {
            return problem(404, "Not found", &format!("there is no {}", parent(path)));
        }
        self.list(request)
    }

    fn list(&self, request: &Request) -> Reply {
        let asked: usize = request.parameter("limit").unwrap().parse().unwrap();
        let limit = asked.min(self.page.unwrap_or(usize::MAX));
        let after = request.parameter("page_token").unwrap_or("");
        let labels: Vec<(&str, &str)> = request
            .query
            .iter()
            .filter(|(name, _)| name == "label")
            .map(|(_, label)| label.split_once('=').unwrap())
            .collect();
        let mut found: Vec<&Value> = self
            .by_path
            .iter()
            .filter(|(path, _)| parent(path) == request.path && name(path) > after)
            .map(|(_, object)| object)
            .filter(|object| {
                let has = |(key, value): &(&str, &str)| object["metadata"]["labels"][key] == *value;
                labels.iter().all(has)
            })
            .collect();
        let is_more = found.len() > limit;
        found.truncate(limit);
        let mut list = json!({"items": found});
        if is_more {
            list["next_page_token"] = found[limit - 1]["metadata"]["name"].clone();
        }
        reply(200, list)
    }

    fn change(&mut self, request: &Request) -> Reply {
        let path = request.path.clone();
        match (request.method.as_str(), name(&path)) {
            ("POST", "join-token") => reply(
                200,
                json!({"token": "one-time", "expires_at": "2027-01-01T00:00:00Z"}),
            ),
            ("POST", "move") => {
                let host = request.body["host"].clone();
                self.touch(parent(&path), |node| node["status"]["host"] = host)
            }
            ("POST", "accept") => self.touch(parent(&path), |peering| {
                peering["status"]["state"] = json!("accepted");
            }),
            ("POST", "reject") => self.touch(parent(&path), |peering| {
                peering["status"]["state"] = json!("rejected");
            }),
            ("POST", _) => self.create(&path, request),
            ("PUT", _) => self.replace(&path, request),
            ("DELETE", _) => self.delete(&path),
            _ => problem(405, "Not allowed", ""),
        }
    }

    fn create(&mut self, collection: &str, request: &Request) -> Reply {
        if let Some(count) = request.parameter("count") {
            let count: u32 = count.parse().unwrap();
            let items: Vec<Value> = (1..=count)
                .map(|index| {
                    let mut body = request.body.clone();
                    let name = body["metadata"]["name"].as_str().unwrap();
                    body["metadata"]["name"] = json!(format!("{name}-{index}"));
                    self.make(collection, &body).body
                })
                .collect();
            return reply(201, json!({"items": items}));
        }
        self.make(collection, &request.body)
    }

    fn make(&mut self, collection: &str, body: &Value) -> Reply {
        let path = format!(
            "{collection}/{}",
            body["metadata"]["name"].as_str().unwrap()
        );
        if segments(collection).len() > 1 && !self.by_path.contains_key(parent(collection)) {
            return problem(
                404,
                "Not found",
                &format!("there is no {}", parent(collection)),
            );
        }
        if self.by_path.contains_key(&path) {
            return problem(409, "Conflict", &format!("{path} is there already"));
        }
        if let Some(missing) = self.missing(&path, body) {
            return missing;
        }
        self.store(&path, body);
        // As the manager does: with a network come a group and a list.
        if name(collection) == "networks" {
            let open = json!([{"protocol": "all", "peer": "0.0.0.0/0"}]);
            for (plural, kind) in [("security-groups", "security-group"), ("acls", "acl")] {
                let spec = if kind == "acl" {
                    json!({"inbound": [], "outbound": []})
                } else {
                    json!({"inbound": [], "outbound": open})
                };
                let place = json!({"project": body["metadata"]["project"], "network": body["metadata"]["name"], "name": "default"});
                self.store(
                    &format!("{path}/{plural}/default"),
                    &json!({"kind": kind, "metadata": place, "spec": spec}),
                );
            }
        }
        let mut made = self.by_path[&path].clone();
        if name(collection) == "tokens" {
            made["secret"] = json!("inlay-secret");
        }
        reply(201, made)
    }

    fn store(&mut self, path: &str, body: &Value) {
        self.revision += 1;
        let mut object = body.clone();
        object["metadata"]["revision"] = json!(self.revision);
        object["metadata"]["uid"] = json!("01934b5e-0000-7000-8000-000000000000");
        self.by_path.insert(path.to_owned(), object);
    }

    fn replace(&mut self, path: &str, request: &Request) -> Reply {
        let Some(there) = self.by_path.get(path) else {
            return problem(404, "Not found", &format!("there is no {path}"));
        };
        let revision = format!("\"{}\"", there["metadata"]["revision"]);
        if request.header("if-match") != revision {
            return problem(
                412,
                "Precondition failed",
                &format!("{path} is at {revision}"),
            );
        }
        if let Some(missing) = self.missing(path, &request.body) {
            return missing;
        }
        self.store(path, &request.body);
        reply(200, self.by_path[path].clone())
    }

    fn touch(&mut self, path: &str, change: impl FnOnce(&mut Value)) -> Reply {
        let Some(mut object) = self.by_path.get(path).cloned() else {
            return problem(404, "Not found", &format!("there is no {path}"));
        };
        change(&mut object);
        self.store(path, &object);
        reply(200, self.by_path[path].clone())
    }

    fn delete(&mut self, path: &str) -> Reply {
        if !self.by_path.contains_key(path) {
            return problem(404, "Not found", &format!("there is no {path}"));
        }
        let network = parent(parent(path));
        let used = self.by_path.iter().any(|(other, object)| {
            let is_below = other.starts_with(&format!("{path}/")) && name(other) != "default";
            let refers = parent(parent(other)) == network
                && refers(other, object).contains(&path.to_owned());
            other != path && (is_below || refers)
        });
        if used {
            return problem(409, "Conflict", &format!("{path} is used"));
        }
        self.by_path
            .retain(|other, _| other != path && !other.starts_with(&format!("{path}/")));
        reply(204, Value::Null)
    }

    fn missing(&self, path: &str, body: &Value) -> Option<Reply> {
        let missing = refers(path, body)
            .into_iter()
            .find(|other| other != path && !self.by_path.contains_key(other))?;
        let mut reply = problem(422, "Not valid", "1 field is wrong");
        reply.body["errors"] =
            json!([{"field": "spec", "message": format!("there is no {missing}")}]);
        Some(reply)
    }
}

/// Paths of the objects of its network that it refers to.
fn refers(path: &str, body: &Value) -> Vec<String> {
    let (network, spec) = (parent(parent(path)), &body["spec"]);
    let mut found = Vec::new();
    let mut refer = |plural: &str, name: &Value| {
        if let Some(name) = name.as_str() {
            found.push(format!("{network}/{plural}/{name}"));
        }
    };
    match name(parent(path)) {
        "nodes" => refer("subnets", &spec["subnet"]),
        "subnets" => {
            refer("route-tables", &spec["route_table"]);
            refer("acls", &spec["acl"]);
        }
        "route-tables" => {
            for route in spec["routes"].as_array().into_iter().flatten() {
                let node = route["target"].as_str().unwrap().strip_prefix("node:");
                refer("nodes", &json!(node));
            }
        }
        "security-groups" => {
            for direction in ["inbound", "outbound"] {
                for rule in spec[direction].as_array().into_iter().flatten() {
                    let group = rule["peer"].as_str().unwrap().strip_prefix("group:");
                    refer("security-groups", &json!(group));
                }
            }
        }
        _ => {}
    }
    found
}

fn plan(request: &Request) -> Reply {
    let action = match request.method.as_str() {
        "POST" => "create",
        "PUT" => "update",
        _ => "delete",
    };
    let step = json!({"action": action, "kind": "node", "name": "web", "detail": "on host1"});
    reply(200, json!({"steps": [step], "hosts": ["host1", "host2"]}))
}

fn segments(path: &str) -> Vec<&str> {
    path.trim_start_matches("/v1/").split('/').collect()
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
