//! A change while it is decided: the transaction, and what is told of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use inlay_api::objects::{
    AuditAction, JoinToken, Kind, Labels, Metadata, Object, ObjectKind, ObjectOf, Plan, PlanAction,
    PlanStep, Problem,
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::keys::{self, Claim};
use crate::store::{Condition, Entry, Operation, Revision, Transaction};

use super::problems;
use super::request::Target;

/// An object as it is stored.
#[derive(Clone)]
pub(super) struct Stored<S: ObjectKind> {
    pub(super) entry: Entry,
    pub(super) object: ObjectOf<S>,
}

/// A transaction, and its steps.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) transaction: Transaction,
    steps: Vec<PlanStep>,
    /// Hosts whose maps would change.
    pub(super) hosts: BTreeSet<Arc<str>>,
}

/// What a mutation comes to.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) draft: Draft,
    pub(super) answer: Answer,
    pub(super) audit: AuditAction,
    /// What the audit log says of it besides.
    pub(super) detail: String,
    /// Name of the object.
    pub(super) name: String,
    /// The project that finds it in its audit log.
    pub(super) project: String,
}

/// What a client is answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// An object: its key and value.
    Object(String, Bytes),
    /// Several of them.
    Objects(Vec<(String, Bytes)>),
    /// A token, whose secret is shown this once.
    Token(String, Bytes, String),
    /// A join token for a host: it is made once the rest is done.
    JoinToken(JoinToken),
    /// It is as it was asked for already.
    Unchanged(Entry),
}

impl Decision {
    /// Of one object, which the answer shows.
    pub(super) fn of(
        target: &Target,
        draft: Draft,
        audit: AuditAction,
        object: (String, Bytes),
    ) -> Self {
        Self {
            draft,
            answer: Answer::Object(object.0, object.1),
            audit,
            detail: String::new(),
            name: target.name.clone(),
            project: match target.kind {
                Kind::Project => target.name.clone(),
                _ => target.project.clone(),
            },
        }
    }

    /// Nothing is to be done.
    pub(super) fn unchanged(target: &Target, entry: Entry) -> Self {
        let object = (String::new(), Bytes::new());
        Self {
            answer: Answer::Unchanged(entry),
            ..Self::of(target, Draft::default(), AuditAction::Updated, object)
        }
    }
}

impl Draft {
    /// A new object. Its key and value are returned.
    pub(super) fn create<S: ObjectKind>(
        &mut self,
        metadata: Metadata,
        spec: S,
        status: S::Status,
        detail: String,
    ) -> Result<(String, Bytes), Problem> {
        let key = keys::object(S::KIND, &metadata);
        self.conditions(Condition::Absent(key.clone()));
        self.step(PlanAction::Create, S::KIND, &metadata.name, detail);
        let object = Object {
            kind: Some(S::KIND.name().to_owned()),
            metadata,
            spec,
            status,
        };
        self.put(key, &object)
    }

    /// An object as it shall be. Its key and value are returned.
    pub(super) fn update<S: ObjectKind>(
        &mut self,
        before: &Stored<S>,
        object: &ObjectOf<S>,
        detail: String,
    ) -> Result<(String, Bytes), Problem> {
        let key = before.entry.key.to_string();
        self.conditions(Condition::Unchanged(key.clone(), before.entry.modified));
        self.step(PlanAction::Update, S::KIND, &object.metadata.name, detail);
        self.put(key, object)
    }

    /// An object goes. Its key and last value are returned.
    pub(super) fn delete<S: ObjectKind>(&mut self, stored: &Stored<S>) -> (String, Bytes) {
        let key = stored.entry.key.to_string();
        let modified = stored.entry.modified;
        self.conditions(Condition::Unchanged(key.clone(), modified));
        let name = &stored.object.metadata.name;
        self.step(PlanAction::Delete, S::KIND, name, String::new());
        self.operate(Operation::Delete(key.clone()));
        (key, stored.entry.value.clone())
    }

    /// A claim on what nobody has, or whose quarantine is over: `before` is the claim that is there.
    pub(super) fn claim(
        &mut self,
        key: String,
        claim: &Claim,
        before: Option<&Entry>,
    ) -> Result<(), Problem> {
        self.conditions(match before {
            None => Condition::Absent(key.clone()),
            Some(entry) => Condition::Unchanged(key.clone(), entry.modified),
        });
        self.put(key, claim).map(drop)
    }

    /// What was claimed is given up, and nobody gets it for the time of the quarantine.
    pub(super) fn release(
        &mut self,
        key: String,
        owner: &str,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let claim = Claim {
            owner: owner.to_owned(),
            node: String::new(),
            released_s: Some(now.as_second()),
        };
        self.put(key, &claim).map(drop)
    }

    /// Something that is no object.
    pub(super) fn put<T: Serialize>(
        &mut self,
        key: String,
        value: &T,
    ) -> Result<(String, Bytes), Problem> {
        let value = serde_json::to_vec(value).map_err(|error| {
            problems::unavailable(format!("an object cannot be written: {error}"))
        })?;
        let value = Bytes::from(value);
        self.operate(Operation::Put(key.clone(), value.clone()));
        Ok((key, value))
    }

    pub(super) fn operate(&mut self, operation: Operation) {
        self.transaction.operations.push(operation);
    }

    pub(super) fn conditions(&mut self, condition: Condition) {
        self.transaction.conditions.push(condition);
    }

    fn step(&mut self, action: PlanAction, kind: Kind, name: &str, detail: String) {
        self.steps.push(PlanStep {
            action,
            kind: kind.name().to_owned(),
            name: name.to_owned(),
            detail,
        });
    }

    pub(super) fn into_plan(self) -> Plan {
        Plan {
            steps: self.steps,
            hosts: self.hosts.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The identity of a new object.
pub(super) fn identity(target: &Target, name: &str, labels: Labels, now: Timestamp) -> Metadata {
    Metadata {
        project: target.project.clone(),
        network: target.network.clone(),
        name: name.to_owned(),
        labels,
        uid: Uuid::now_v7().to_string(),
        revision: 0,
        created_at: rfc3339(now),
        updated_at: rfc3339(now),
    }
}

/// A time as text, to the millisecond.
pub(super) fn rfc3339(at: Timestamp) -> String {
    let rounded = at.round(jiff::Unit::Millisecond).unwrap_or(at);
    rounded.to_string()
}

/// Refuses to go on where the object is at another revision than the client expects.
pub(super) fn if_match(wanted: Option<Revision>, present: Revision) -> Result<(), Problem> {
    match wanted {
        Some(wanted) if wanted != present => Err(problems::precondition_failed(present)),
        _ => Ok(()),
    }
}
