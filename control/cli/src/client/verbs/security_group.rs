//! `inlay security-group`: the rules of ports.

use clap::{Args, Subcommand};
use inlay_api::{
    objects::{Kind, SecurityGroupSpec},
    raw::RawRule,
};

use super::{
    Session,
    object::{self, edit, report},
};
use crate::client::{
    failure::Failure,
    flags::security_group::{Rules, SecurityGroupFlags},
    mutation::MutationFlags,
    rule_text::rule_text,
    scope::{NetworkScope, ScopeFlags as _},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    Object(object::Verb<SecurityGroupFlags>),
    /// Single rules of a group
    #[command(subcommand)]
    Rule(RuleVerb),
}

#[derive(Debug, Subcommand)]
pub(crate) enum RuleVerb {
    /// Adds rules to those that are there
    Add(RuleChange),
    /// Removes rules, written as they were added; the description may differ
    Remove(RuleChange),
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("rules").args(["inbound", "outbound"]).required(true).multiple(true))]
pub(crate) struct RuleChange {
    /// The group
    name: String,
    #[command(flatten)]
    scope: NetworkScope,
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    mutation: MutationFlags,
}

impl Verb {
    pub(crate) fn run(&self, session: &Session) -> anyhow::Result<()> {
        match self {
            Self::Object(verb) => verb.run(session),
            Self::Rule(RuleVerb::Add(change)) => change.run(session, add),
            Self::Rule(RuleVerb::Remove(change)) => change.run(session, remove),
        }
    }
}

type Step = fn(&mut Vec<RawRule>, &RawRule) -> Result<(), Failure>;

impl RuleChange {
    fn run(&self, session: &Session, step: Step) -> anyhow::Result<()> {
        let place = self.scope.place(&session.api.connection)?;
        let how = self.mutation.how();
        let answer = edit::<SecurityGroupSpec>(session, &place, &self.name, how, |group| {
            for rule in self.rules.inbound.iter().flatten() {
                step(&mut group.spec.inbound, rule)?;
            }
            for rule in self.rules.outbound.iter().flatten() {
                step(&mut group.spec.outbound, rule)?;
            }
            Ok(())
        })?;
        report(session, Kind::SecurityGroup, &answer, how)
    }
}

/// A rule that is there already is not there twice.
#[allow(clippy::unnecessary_wraps, reason = "as `remove`, which may fail")]
fn add(rules: &mut Vec<RawRule>, rule: &RawRule) -> Result<(), Failure> {
    if !rules.iter().any(|there| is_same(there, rule)) {
        rules.push(rule.clone());
    }
    Ok(())
}

fn remove(rules: &mut Vec<RawRule>, rule: &RawRule) -> Result<(), Failure> {
    let there = rules.iter().position(|there| is_same(there, rule));
    let there = there.ok_or_else(|| {
        let text = rule_text(rule);
        Failure::NotFound(format!(
            "the group has no rule \"{text}\" in this direction; `inlay security-group show` lists them"
        ))
    })?;
    rules.remove(there);
    Ok(())
}

/// The same traffic and the same other end.
fn is_same(one: &RawRule, other: &RawRule) -> bool {
    let without_description = |rule: &RawRule| RawRule {
        description: None,
        ..rule.clone()
    };
    without_description(one) == without_description(other)
}
