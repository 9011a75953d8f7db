//! What a session has yet to send.

use std::collections::VecDeque;

use bytes::Bytes;
use inlay_api::wire::agent::{
    FromManager, Heard, Question, Update, from_manager::Message, question,
};

use crate::world::{Plan, split_chunk};

/// Bytes of changes in one message; a chunk that is longer goes alone. Each stream keeps a buffer of the longest message
/// that it was sent, for as long as it lives.
const UPDATE_BYTES_MAX: usize = 16 * 1024;

/// The messages of one plan, made when they are sent; questions and that reports are heard, which go before.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    plan: Option<Plan>,
    chunks: VecDeque<Bytes>,
    questions: VecDeque<Question>,
    /// Whether it is to be said that a report was heard.
    is_heard: bool,
}

impl Outgoing {
    /// Takes a plan, once the one before is sent.
    pub(super) fn plan(&mut self, mut plan: Plan) {
        self.chunks = std::mem::take(&mut plan.chunks).into();
        self.plan = Some(plan);
    }

    pub(super) fn ask(&mut self, id: u64, question: question::Question) {
        self.questions.push_back(Question {
            id,
            question: Some(question),
        });
    }

    /// Answers a report, and all that were not answered before.
    pub(super) fn hear(&mut self) {
        self.is_heard = true;
    }

    pub(super) fn has_plan(&self) -> bool {
        self.plan.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.plan.is_none() && self.questions.is_empty() && !self.is_heard
    }

    pub(super) fn next(&mut self) -> Option<FromManager> {
        let message = match self.questions.pop_front() {
            Some(question) => Message::Question(question),
            None if std::mem::take(&mut self.is_heard) => Message::Heard(Heard {}),
            None => Message::Update(self.next_update()?),
        };
        Some(FromManager {
            message: Some(message),
        })
    }

    /// The next part of the plan: what begins anew goes first, what the scopes are in the end goes last.
    fn next_update(&mut self) -> Option<Update> {
        let plan = self.plan.as_mut()?;
        let mut update = Update {
            revision: plan.revision,
            replaced: std::mem::take(&mut plan.replaced),
            dropped: std::mem::take(&mut plan.dropped),
            ..Update::default()
        };
        let mut bytes = 0;
        while let Some(chunk) = self.chunks.front() {
            bytes += chunk.len();
            if bytes > UPDATE_BYTES_MAX && !update.changes.is_empty() {
                break;
            }
            update
                .changes
                .extend(self.chunks.pop_front().map(split_chunk).unwrap_or_default());
        }
        if self.chunks.is_empty() {
            update.complete = true;
            update.scopes = self.plan.take().map(|plan| plan.scopes).unwrap_or_default();
        }
        Some(update)
    }
}

#[cfg(test)]
mod tests {
    use inlay_api::wire::agent::ScopeState;

    use super::*;

    fn updates(plan: Plan) -> Vec<Update> {
        let mut outgoing = Outgoing::default();
        outgoing.plan(plan);
        let update = |message: FromManager| match message.message {
            Some(Message::Update(update)) => update,
            other => panic!("{other:?}"),
        };
        let sent = std::iter::from_fn(|| outgoing.next()).map(update).collect();
        assert!(outgoing.is_empty());
        sent
    }

    #[test]
    fn an_empty_plan_is_one_complete_update() {
        let sent = updates(Plan {
            revision: 5,
            ..Plan::default()
        });
        assert_eq!(
            (sent.len(), sent[0].complete, sent[0].revision),
            (1, true, 5)
        );
    }

    #[test]
    fn reports_are_answered_once_and_before_updates() {
        let mut outgoing = Outgoing::default();
        outgoing.plan(Plan::default());
        outgoing.hear();
        outgoing.hear();
        let mut next = || outgoing.next().and_then(|message| message.message);
        assert!(matches!(next(), Some(Message::Heard(_))));
        assert!(matches!(next(), Some(Message::Update(_))));
        assert!(next().is_none());
        assert!(outgoing.is_empty());
        outgoing.hear();
        assert!(!outgoing.is_empty());
    }

    #[test]
    fn a_large_plan_is_sent_in_parts() {
        let chunk = |len: usize| {
            let mut bytes = Vec::new();
            prost::encoding::encode_varint(len as u64, &mut bytes);
            bytes.resize(bytes.len() + len, 0);
            Bytes::from(bytes)
        };
        let sent = updates(Plan {
            revision: 5,
            replaced: vec![7],
            dropped: vec![8],
            scopes: vec![ScopeState::default()],
            chunks: vec![chunk(200_000), chunk(300_000), chunk(10), chunk(20)],
        });
        let changes: Vec<_> = sent.iter().map(|update| update.changes.len()).collect();
        assert_eq!(changes, [1, 1, 2]);
        let first = (&*sent[0].replaced, &*sent[0].dropped, sent[0].complete);
        assert_eq!(first, (&[7][..], &[8][..], false));
        assert!(sent[2].complete && sent[2].scopes.len() == 1 && sent[1].scopes.is_empty());
    }
}
