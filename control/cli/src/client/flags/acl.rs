//! What may be said of an access control list.

use clap::Args;
use inlay_api::{objects::AclSpec, raw::RawAclEntry};

use super::{Flags, Write, set};
use crate::client::{failure::Failure, rule_text, scope::NetworkScope};

/// Access control lists.
#[derive(Debug)]
pub(crate) struct AclFlags;

impl Flags for AclFlags {
    type Spec = AclSpec;
    type Scope = NetworkScope;
    type Create = Change;
    type Update = Change;
    const CONCERNS_HOSTS: bool = true;
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Change {
    /// A line for people
    #[arg(long)]
    description: Option<String>,
    /// Of packets that enter the subnet, like "100 allow tcp 80 0.0.0.0/0"; may be there several times
    #[arg(long, value_name = "ENTRY", value_parser = rule_text::entry)]
    inbound: Option<Vec<RawAclEntry>>,
    /// Of packets that leave the subnet; may be there several times
    #[arg(long, value_name = "ENTRY", value_parser = rule_text::entry)]
    outbound: Option<Vec<RawAclEntry>>,
}

impl Write<AclSpec> for Change {
    fn write(&self, spec: &mut AclSpec) -> Result<(), Failure> {
        set(&mut spec.description, self.description.as_ref());
        set(&mut spec.inbound, self.inbound.as_ref());
        set(&mut spec.outbound, self.outbound.as_ref());
        Ok(())
    }
}
