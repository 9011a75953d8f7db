//! From what is written to what is right: every check that needs more than one value.
//!
//! Each function checks one shape, adds what it finds to the problems, and returns the validated
//! value, or `None` where it found something. It goes on past a problem as far as sense allows, so
//! that one reading of a file tells all. References are resolved by the names as they are written,
//! also to things that are wrong in themselves: one fault makes one problem.

mod acl;
mod address;
mod context;
mod host;
mod names;
mod network;
mod node;
pub mod objects;
mod port;
mod route;
mod rule;
mod security_group;
mod subnet;
mod totals;

use crate::HostState;
use crate::field_path::FieldPath::Root;
use crate::limits::{NETWORKS_MAX, SCHEMA_VERSION};
use crate::problem::Problems;
use crate::raw::RawState;

use context::{Context, bounded};

/// The state that `raw` describes, or `None` and at least one problem.
pub(crate) fn validate(raw: &RawState, problems: &mut Problems) -> Option<HostState> {
    if raw.version != SCHEMA_VERSION {
        let found = raw.version;
        let message = format!("version {found} is not known; write version: {SCHEMA_VERSION}");
        problems.add(&Root.field("version"), message);
    }
    let local = host::local_host(&raw.host, problems);
    let (hosts, places) = host::remote_hosts(raw, problems);
    let mut context = Context::new(raw, problems, places);
    let path = Root.field("networks");
    let listed = bounded(
        &raw.networks,
        NETWORKS_MAX,
        "networks",
        &path,
        context.problems,
    );
    let networks = network::networks(listed, &path, &mut context);
    totals::check(raw, context.problems);
    Some(HostState {
        host: local?,
        hosts,
        networks,
    })
}
