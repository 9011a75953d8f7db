//! What may be said of a security group.

use clap::Args;
use inlay_api::{objects::SecurityGroupSpec, raw::RawRule};

use super::{Flags, Write, set};
use crate::client::{failure::Failure, rule_text, scope::NetworkScope};

/// Security groups.
#[derive(Debug)]
pub(crate) struct SecurityGroupFlags;

impl Flags for SecurityGroupFlags {
    type Spec = SecurityGroupSpec;
    type Scope = NetworkScope;
    type Create = Create;
    type Update = Change;
    const CONCERNS_HOSTS: bool = true;
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Create {
    /// Its nodes may open no flows; without this and --outbound they may open all
    #[arg(long, conflicts_with = "outbound")]
    no_outbound: bool,
    #[command(flatten)]
    change: Change,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Change {
    /// A line for people
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    rules: Rules,
}

/// Rules of both directions.
#[derive(Args, Clone, Debug)]
pub(crate) struct Rules {
    /// Who may open flows to its nodes, like "tcp 80 0.0.0.0/0" or "all group:web"; may be there several times
    #[arg(long, value_name = "RULE", value_parser = rule_text::rule)]
    pub(crate) inbound: Option<Vec<RawRule>>,
    /// To whom its nodes may open flows; may be there several times
    #[arg(long, value_name = "RULE", value_parser = rule_text::rule)]
    pub(crate) outbound: Option<Vec<RawRule>>,
}

impl Write<SecurityGroupSpec> for Create {
    fn write(&self, spec: &mut SecurityGroupSpec) -> Result<(), Failure> {
        if !self.no_outbound {
            spec.outbound = vec![RawRule {
                protocol: "all".to_owned(),
                peer: "0.0.0.0/0".to_owned(),
                ..RawRule::default()
            }];
        }
        self.change.write(spec)
    }
}

impl Write<SecurityGroupSpec> for Change {
    fn write(&self, spec: &mut SecurityGroupSpec) -> Result<(), Failure> {
        set(&mut spec.description, self.description.as_ref());
        set(&mut spec.inbound, self.rules.inbound.as_ref());
        set(&mut spec.outbound, self.rules.outbound.as_ref());
        Ok(())
    }
}
