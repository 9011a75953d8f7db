//! What may be said of a route table.

use clap::Args;
use inlay_api::{objects::RouteTableSpec, raw::RawRoute};

use super::{Flags, Write, set};
use crate::client::{failure::Failure, rule_text, scope::NetworkScope};

/// Route tables.
#[derive(Debug)]
pub(crate) struct RouteTableFlags;

impl Flags for RouteTableFlags {
    type Spec = RouteTableSpec;
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
    /// A route, like "0.0.0.0/0 node:fw" or "192.0.2.0/24 blackhole"; may be there several times
    #[arg(long, value_name = "ROUTE", value_parser = rule_text::route)]
    route: Option<Vec<RawRoute>>,
}

impl Write<RouteTableSpec> for Change {
    fn write(&self, spec: &mut RouteTableSpec) -> Result<(), Failure> {
        set(&mut spec.description, self.description.as_ref());
        set(&mut spec.routes, self.route.as_ref());
        Ok(())
    }
}
