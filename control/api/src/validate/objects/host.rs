//! Checks of hosts.

use crate::field_path::FieldPath::{self, Root};
use crate::invalid_value::in_range;
use crate::limits::{HOST_CAPACITIES, HOST_MAPPINGS, MAPPINGS_MAX, PORT_FLOWS_DEFAULT};
use crate::objects::{HostNodeType, HostSpec, NodeType};
use crate::{FlowsMax, HostPrefix};

use super::fields::{self, FieldProblems};

/// What a host takes where nothing is said.
const CAPACITY_DEFAULT: Capacity = Capacity {
    netns: 256,
    tap: 128,
    device: 16,
};

/// How many nodes of each type a host takes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Capacity {
    pub netns: u32,
    pub tap: u32,
    pub device: u32,
}

impl Capacity {
    /// Of one type.
    #[must_use]
    pub const fn of(self, node_type: NodeType) -> u32 {
        match node_type {
            NodeType::Netns => self.netns,
            NodeType::Tap => self.tap,
            NodeType::Device => self.device,
        }
    }

    fn of_mut(&mut self, node_type: NodeType) -> &mut u32 {
        match node_type {
            NodeType::Netns => &mut self.netns,
            NodeType::Tap => &mut self.tap,
            NodeType::Device => &mut self.device,
        }
    }
}

/// A host's spec as values, with defaults in place of what was left out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HostValues {
    /// Its /64.
    pub prefix: HostPrefix,
    /// What it takes.
    pub capacity: Capacity,
    /// Addresses that it may have to know.
    pub mappings_max: u32,
    /// Flows of a port whose node says nothing else.
    pub flows_per_port: FlowsMax,
}

/// The values of a host's spec; `None` where something is wrong.
pub fn host(spec: &HostSpec, problems: &mut FieldProblems) -> Option<HostValues> {
    let path = Root.field("spec");
    fields::description(&spec.description, problems);
    if !spec.location.is_empty() {
        fields::label(&spec.location, &path.field("location"), problems);
    }
    let prefix = problems.take(&path.field("prefix"), spec.prefix.parse());
    let capacity = match &spec.node_types {
        Some(types) => capacity(types, &path.field("node_types"), problems),
        None => Some(CAPACITY_DEFAULT),
    };
    let mappings = spec.mappings_max.unwrap_or(MAPPINGS_MAX as u64);
    let mappings = in_range("number of addresses", mappings, &HOST_MAPPINGS);
    let mappings = problems.take(&path.field("mappings_max"), mappings);
    let flows = FlowsMax::new(spec.flows_per_port.unwrap_or(PORT_FLOWS_DEFAULT));
    let flows_per_port = problems.take(&path.field("flows_per_port"), flows);
    Some(HostValues {
        prefix: prefix?,
        capacity: capacity?,
        mappings_max: u32::try_from(mappings?).ok()?,
        flows_per_port: flows_per_port?,
    })
}

fn capacity(
    types: &[HostNodeType],
    path: &FieldPath<'_>,
    problems: &mut FieldProblems,
) -> Option<Capacity> {
    let mut capacity = Capacity::default();
    for (place, entry) in types.iter().enumerate() {
        let path = path.element(place);
        if types[..place]
            .iter()
            .any(|it| it.node_type == entry.node_type)
        {
            let message = "the type is in the list already; keep one of the two";
            problems.0.add(&path.field("type"), message);
        }
        let found = in_range("capacity", entry.capacity, &HOST_CAPACITIES);
        let found = problems.take(&path.field("capacity"), found)?;
        *capacity.of_mut(entry.node_type) = u32::try_from(found).ok()?;
    }
    Some(capacity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: &HostSpec) -> (Option<HostValues>, Vec<String>) {
        let mut problems = FieldProblems::default();
        let values = host(spec, &mut problems);
        let list = problems.into_list();
        (values, list.into_iter().map(|it| it.field).collect())
    }

    fn spec() -> HostSpec {
        HostSpec {
            prefix: "2001:db8:0:1::/64".into(),
            ..HostSpec::default()
        }
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let (values, problems) = check(&spec());
        assert!(problems.is_empty(), "{problems:?}");
        let values = values.unwrap();
        assert_eq!(values.capacity, CAPACITY_DEFAULT);
        assert_eq!(values.mappings_max, 65_536);
        assert_eq!(values.flows_per_port.get(), 4_096);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let twice = HostNodeType {
            node_type: NodeType::Tap,
            capacity: 1,
        };
        let (_, problems) = check(&HostSpec {
            prefix: "2001:db8::/48".into(),
            location: "fra 1".into(),
            node_types: Some(vec![twice.clone(), twice]),
            mappings_max: Some(0),
            flows_per_port: Some(100),
            description: "a\nb".into(),
            cordoned: false,
        });
        assert_eq!(
            problems,
            [
                "spec.description",
                "spec.location",
                "spec.prefix",
                "spec.node_types[1].type",
                "spec.mappings_max",
                "spec.flows_per_port"
            ]
        );
    }
}
