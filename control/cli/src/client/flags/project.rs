//! What may be said of a project.

use std::{collections::BTreeMap, str::FromStr};

use clap::Args;
use inlay_api::objects::{ProjectSpec, Quota};

use super::{Flags, Write, numbers, set};
use crate::client::{failure::Failure, scope::SystemScope};

/// Projects.
#[derive(Debug)]
pub(crate) struct ProjectFlags;

impl Flags for ProjectFlags {
    type Spec = ProjectSpec;
    type Scope = SystemScope;
    type Create = Change;
    type Update = Change;
    const CONCERNS_HOSTS: bool = false;
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Change {
    /// A line for people
    #[arg(long)]
    description: Option<String>,
    /// The most that it may have: networks, subnets, nodes-per-network, nodes, security-groups, rules
    #[arg(long, value_name = "WHAT=N,…", value_parser = numbers::<Counted>)]
    quota: Option<BTreeMap<Counted, u64>>,
}

/// What a quota is of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Counted {
    Networks,
    Subnets,
    NodesPerNetwork,
    Nodes,
    SecurityGroups,
    Rules,
}

impl FromStr for Counted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "networks" => Self::Networks,
            "subnets" => Self::Subnets,
            "nodes-per-network" => Self::NodesPerNetwork,
            "nodes" => Self::Nodes,
            "security-groups" => Self::SecurityGroups,
            "rules" => Self::Rules,
            _ => {
                return Err(format!(
                    "{text} has no quota; there are networks, subnets, nodes-per-network, nodes, security-groups and rules"
                ));
            }
        })
    }
}

fn field(quota: &mut Quota, counted: Counted) -> &mut u64 {
    match counted {
        Counted::Networks => &mut quota.networks,
        Counted::Subnets => &mut quota.subnets_per_network,
        Counted::NodesPerNetwork => &mut quota.nodes_per_network,
        Counted::Nodes => &mut quota.nodes,
        Counted::SecurityGroups => &mut quota.security_groups_per_network,
        Counted::Rules => &mut quota.rules_per_group,
    }
}

impl Write<ProjectSpec> for Change {
    fn write(&self, spec: &mut ProjectSpec) -> Result<(), Failure> {
        set(&mut spec.description, self.description.as_ref());
        for (counted, most) in self.quota.iter().flatten() {
            *field(&mut spec.quota, *counted) = *most;
        }
        Ok(())
    }
}
