//! The same request is done once: what was answered is stored with what was done, under the client's key.
//!
//! Secrets are not stored: a repeated request for a token is told that its secret was shown.

use std::sync::Arc;

use bytes::Bytes;
use inlay_api::objects::{Problem, TokenSpec};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::keys;
use crate::store::{Entry, Operation, Revision};

use super::draft::Answer;
use super::request::{Action, Actor, Mutation, Outcome};
use super::{Service, load, problems, secret_hash};

/// Longest key of a client, in bytes.
const KEY_BYTES_MAX: usize = 255;
/// Bytes of objects that are stored with an answer. Of a larger one their keys are, and a repeated request is told
/// what there is of them by then.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A request that was answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Remembered {
    /// SHA-256 of the request, as hex digits.
    request: String,
    /// The project whose token asked; empty for the operator.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    project: String,
    /// When it was done, Unix time in seconds.
    pub(super) at_s: i64,
    status: u16,
    /// Where nothing was to be done: the revision that the object was at. Else it is that of the entry itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unchanged: Option<Revision>,
    /// Whether the answer is a list.
    list: bool,
    /// Whether it held a secret.
    secret: bool,
    /// Keys of the objects of the answer, with their values.
    objects: Vec<(String, Option<String>)>,
}

/// The key of what is remembered of a mutation; `None` for one without an idempotency key.
///
/// # Errors
/// `invalid` for a key that is empty, too long or not visible ASCII.
pub(super) fn key(mutation: &Mutation) -> Result<Option<String>, Problem> {
    let Some(key) = &mutation.idempotency_key else {
        return Ok(None);
    };
    let length_ok = (1..=KEY_BYTES_MAX).contains(&key.len());
    if !length_ok || !key.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        let message = format!("write 1 to {KEY_BYTES_MAX} visible ASCII characters");
        return Err(problems::invalid_field("Idempotency-Key", message));
    }
    let key = keys::idempotency(&mutation.actor.token, &secret_hash(key));
    Ok(Some(key))
}

/// SHA-256 of what a mutation asks for.
fn digest(mutation: &Mutation) -> String {
    let target = &mutation.target;
    let (action, body) = match &mutation.action {
        Action::Create { body, count } => (format!("create {count:?}"), body),
        Action::Replace { body } => ("replace".to_owned(), body),
        Action::Delete => ("delete".to_owned(), &Value::Null),
        Action::Move { body } => ("move".to_owned(), body),
        Action::Accept => ("accept".to_owned(), &Value::Null),
        Action::Reject => ("reject".to_owned(), &Value::Null),
        Action::IssueJoinToken => ("join-token".to_owned(), &Value::Null),
    };
    let request = json!([
        target.kind.name(),
        target.project,
        target.network,
        target.name,
        action,
        mutation.if_match,
        body
    ]);
    secret_hash(&request.to_string())
}

/// Stores an answer.
pub(super) fn remember(
    key: &str,
    mutation: &Mutation,
    answer: &Answer,
    status: u16,
    now: Timestamp,
) -> Result<Operation, Problem> {
    let objects: Vec<(&str, &Bytes)> = match answer {
        Answer::Object(key, value) => vec![(key, value)],
        Answer::Unchanged(entry) => vec![(&*entry.key, &entry.value)],
        Answer::Objects(objects) => objects.iter().map(|(key, value)| (&**key, value)).collect(),
        Answer::Token(..) | Answer::JoinToken(_) => Vec::new(),
    };
    let len_bytes: usize = objects.iter().map(|(_, value)| value.len()).sum();
    let raw = |value: &Bytes| str::from_utf8(value).map(str::to_owned).ok();
    let object = |(key, value): (&str, &Bytes)| {
        let value = (len_bytes <= ANSWER_BYTES_MAX).then(|| raw(value));
        (key.to_owned(), value.flatten())
    };
    let remembered = Remembered {
        request: digest(mutation),
        project: mutation.actor.project.clone().unwrap_or_default(),
        at_s: now.as_second(),
        status,
        unchanged: match answer {
            Answer::Unchanged(entry) => Some(entry.modified),
            _ => None,
        },
        list: matches!(answer, Answer::Objects(_)),
        secret: matches!(answer, Answer::Token(..) | Answer::JoinToken(_)),
        objects: objects.into_iter().map(object).collect(),
    };
    let value = serde_json::to_vec(&remembered)
        .map_err(|error| problems::unavailable(format!("an answer cannot be written: {error}")))?;
    Ok(Operation::Put(key.to_owned(), value.into()))
}

impl Service {
    /// A project has so much room for answers, whichever of its tokens asks; what the operator asks is not counted.
    pub(super) fn refuse_many_answers(&self, actor: &Actor) -> Result<(), Problem> {
        let Some(project) = &actor.project else {
            return Ok(());
        };
        let present = self.index.read().answers.of(project);
        let (answers_max, bytes_max) = (self.settings.answers_max, self.settings.answers_bytes_max);
        if present.answers < answers_max && present.len_bytes < bytes_max {
            return Ok(());
        }
        let detail = format!(
            "{} answers of {} bytes are remembered for the project, of {answers_max} and {bytes_max} at most; \
             ask without an Idempotency-Key, or later: each is kept for {} s",
            present.answers, present.len_bytes, self.settings.idempotency_s
        );
        Err(problems::quota(detail))
    }

    /// The answer to a request that was done before, if it was, and not too long ago.
    pub(super) async fn recall(
        &self,
        key: &str,
        mutation: &Mutation,
    ) -> Result<Option<Outcome>, Problem> {
        let entry = self.store.get(key).await.map_err(problems::of_store)?;
        let Some(entry) = entry else {
            return Ok(None);
        };
        let Ok(remembered) = serde_json::from_slice::<Remembered>(&entry.value) else {
            tracing::error!(key, "what was answered cannot be read");
            return Ok(None);
        };
        if remembered.at_s + i64::from(self.settings.idempotency_s) < self.now().as_second()
            || self.is_predecessors(&mutation.actor, &entry).await?
        {
            return Ok(None);
        }
        if remembered.request != digest(mutation) {
            return Err(problems::idempotency_mismatch());
        }
        if remembered.secret {
            let detail = "this was done already, and its secret was shown then and is not kept; \
                          delete what was made, and ask again with another Idempotency-Key";
            return Err(problems::conflict(detail));
        }
        let status = remembered.status;
        let list = remembered.list;
        let revision = remembered.unchanged.unwrap_or(entry.modified);
        let entries = self.recalled(remembered.objects, revision).await?;
        let body = self.bodies(&entries, list)?;
        Ok(Some(Outcome::Done {
            revision,
            status,
            body,
        }))
    }

    /// Whether it was not this token that was answered, but one that had its name before it.
    async fn is_predecessors(&self, actor: &Actor, answer: &Entry) -> Result<bool, Problem> {
        let store = self.store.as_ref();
        let token = load::find::<TokenSpec>(store, "", "", &actor.token).await?;
        Ok(token.is_some_and(|token| answer.modified < token.entry.created))
    }

    /// The objects of an answer as they were, or as they are where only their keys are known.
    async fn recalled(
        &self,
        objects: Vec<(String, Option<String>)>,
        revision: Revision,
    ) -> Result<Vec<Entry>, Problem> {
        let mut entries = Vec::with_capacity(objects.len());
        for (key, value) in objects {
            match value {
                Some(value) => entries.push(Entry {
                    key: Arc::from(key),
                    value: Bytes::from(value),
                    created: revision,
                    modified: revision,
                }),
                None => entries.extend(self.store.get(&key).await.map_err(problems::of_store)?),
            }
        }
        Ok(entries)
    }
}
